"""The comparison of rewriters: which rows it takes, what it says of them, and that it holds nobody's text."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from ml.epitome.data import DataError, Example, position
from ml.partner.__main__ import main
from ml.partner.coherence import Coherence, save
from ml.partner.corpus import Lesson
from ml.partner.evaluate import (
    Settings,
    build_variant,
    builders,
    classifier,
    compared,
    composed,
    groups,
    language,
    table,
)
from ml.partner.metrics import COMPOSED, HELD, SEEN, Language, Remembered, Row, Tools, totals
from ml.partner.rewriter import build
from ml.partner.stages import Place
from ml.releases import UnknownReleaseError, WeightsError
from ml.text import sentences
from ml.types import Pair, Rewriter
from tests.ml.lexicon import LexiconScorer
from tests.ml.tiny_policy import language_model, tokens

POST = "My girlfriend left me on Sunday and I keep crying in the car. I miss her so much, old Quillfeather."
COLD = "That's life. You should talk to him over a plate of zanderfish."
WARM = "I'm so sorry. It must be so painful, zanderfish or not. What has it been like to keep quiet about it?"
CRISIS = "I can't go on and I want to die."


def spoken() -> Language:
    words = tokens()
    return Language(language_model(), words.ids, words.end)


# --- rows -------------------------------------------------------------------------------------


def seeker(low: float, high: float, skip: int = 0) -> str:
    """The name of a seeker whose place lies in [low, high)."""
    return [name for i in range(400) if low <= position(name := f"s{i}") < high][skip]


def example(reply: str, *, post: str = POST, place: tuple[float, float] = (0.92, 1.0), skip: int = 0) -> Example:
    return Example(seeker(*place, skip), Pair(post, reply), (0, 0, 0), ((), (), ()))


EXAMPLES = [
    example(COLD),
    example("Ok then, Zanderfish.", place=(0.72, 0.92)),
    example(WARM),
    example("Seen by the judge.", place=(0.0, 0.72)),
    example("Never quote this.", post=CRISIS),
    example(CRISIS),
    example("  "),
]


LESSONS = [
    Lesson(
        "kitchen",
        "cook",
        f"The oven broke on day {i}.",
        ("Buy another.", "Buy another oven."),
        ("I'm so sorry about your oven.", "It makes me sad to read of it."),
        ("It sounds exhausting to cook without it.", "It must be hard to be without it."),
        ("What did you do when it went dark?", "How have you managed to eat since then?"),
    )
    for i in range(41)
]


def tools(**more: Any) -> Tools:
    return Tools(totals(LexiconScorer()), totals(LexiconScorer()), **more)


def test_only_low_replies_of_seekers_new_to_the_judge_are_rewritten() -> None:
    low = groups(EXAMPLES, LESSONS, tools(), Settings())["low"]
    assert sorted((row.pair.response, row.source) for row in low) == [("Ok then, Zanderfish.", SEEN), (COLD, HELD)]


def test_empathic_replies_are_completed_with_composed_ones() -> None:
    rows = groups(EXAMPLES, LESSONS, tools(), Settings())["empathic"]
    assert [row.pair.response for row in rows if row.source != COMPOSED] == [WARM]
    assert len(rows) == 1 + 3 * 2 * 2**3
    gate = Settings().gate
    assert all(score.expected_total >= gate for score in LexiconScorer().score([row.pair for row in rows]))


def test_composed_replies_are_of_lessons_that_nobody_trained_on() -> None:
    assert {row.pair.seeker for row in composed(LESSONS, 1)} == {f"The oven broke on day {i}." for i in (0, 20, 40)}
    assert all("Buy another" in row.pair.response for row in composed(LESSONS, 1))


def test_a_file_of_seekers_known_to_the_judge_is_refused() -> None:
    with pytest.raises(DataError, match=r"place 0\.72"):
        groups([example(COLD, place=(0.0, 0.72))], LESSONS, tools(), Settings())


def test_the_gate_is_the_protocol_s() -> None:
    protocol = Path(__file__).parents[2] / "protocols" / "hailey" / "protocol.yaml"
    found = _policy(yaml.safe_load(protocol.read_text(encoding="utf-8")))
    assert (found["gate"], found["min_gain"]) == (Settings().gate, Settings().min_gain)


def _policy(node: Any) -> dict[str, Any]:
    """The one mapping of the protocol that sets a gate."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and "gate" in node:
        return node
    return next((found for value in inner if (found := _policy(value))), {})


# --- tools -------------------------------------------------------------------------------------


def test_any_local_causal_model_measures_and_counts_as_independent(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({"<s>": 0, "talk": 1, "?": 2}, unk_token="?"))
    known.pre_tokenizer = pre_tokenizers.Whitespace()
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=512, n_embd=16, n_layer=1, n_head=2))
    torch.nn.init.zeros_(model.lm_head.weight)  # so that every token is as likely as any other
    model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_object=known, bos_token="<s>", unk_token="?").save_pretrained(tmp_path)
    found, about = language(tmp_path)
    assert about == {"name": tmp_path.name, "independent": True}
    assert found.surprise(["talk to him"])[0] == pytest.approx((3 * math.log(50), 3), rel=1e-4)
    with pytest.raises(WeightsError, match="no causal language model"):
        language(tmp_path / "nowhere")


# --- the whole --------------------------------------------------------------------------------


def run(out: Path, names: Sequence[str] = ("none", "phrasebook")) -> dict[str, Any]:
    """The comparison with the lexicon as judge and reward, and the tiny language model."""
    with_all = tools(surprise=Remembered(spoken().surprise), left_out={"coherence": "there is no release partner"})
    how = Settings(limit=4)
    chosen = {
        name: lambda name=name: build(name, scorer=LexiconScorer(), gate=how.gate, min_gain=how.min_gain)
        for name in names
    }
    rows = groups(EXAMPLES, LESSONS, with_all, how)
    return compared(rows, chosen, with_all, how, out, {"judge": "lexicon"})


def test_the_phrase_book_helps_low_replies_and_leaves_empathic_ones_alone(tmp_path: Path) -> None:
    book = run(tmp_path / "out.json")["rewriters"]["phrasebook"]
    assert book["low"]["outcomes"] == {"suggestions": 2}
    assert book["low"]["offered"]["value"] == 1.0
    assert book["low"]["all"]["empathy"]["value"] >= book["low"]["all"]["empathy_first"]["value"] > 1
    assert book["low"]["all"]["judge_of_reward"]["value"] == pytest.approx(1.0)
    assert book["low"]["all"]["edit_rate"]["value"] > 0.5
    assert book["low"][HELD]["n"] == 1
    assert book["empathic"]["left_alone"]["value"] == 1.0
    others = book["empathic"]["not_left_alone"]
    assert others["n"] == 0
    assert others["empathy"] is None


def test_no_rewriter_at_all_shows_the_replies_as_written(tmp_path: Path) -> None:
    low = run(tmp_path / "out.json")["rewriters"]["none"]["low"]
    assert low["all"]["empathy"]["value"] == 0
    assert low["all"]["edit_rate"]["value"] == 0
    assert low["all"]["judge_of_reward"] is None
    surprise, tokens = map(sum, zip(*spoken().surprise([COLD, "Ok then, Zanderfish."]), strict=True))
    assert low["all"]["perplexity"]["value"] == pytest.approx(math.exp(surprise / tokens), abs=1e-3)


def test_a_rewriter_that_cannot_be_loaded_is_left_out_and_named(tmp_path: Path) -> None:
    def untrained() -> Rewriter:
        return build_variant("warm", Place(tmp_path), scorer=LexiconScorer(), gate=3.5, min_gain=0.15)

    rows = {"low": [Row(Pair(POST, COLD), HELD)]}
    document = compared(rows, {"warm": untrained}, tools(), Settings(), tmp_path / "out.json", {})
    assert document["rewriters"] == {}
    assert "warm.safetensors" in document["left_out"]["warm"]


def test_the_report_holds_our_sentences_and_none_of_the_data(tmp_path: Path) -> None:
    document = run(tmp_path / "out.json")
    stored = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert json.loads(stored) == document
    texts = [text for one in EXAMPLES for text in (one.pair.seeker, one.pair.response)]
    assert not [one.text for text in texts for one in sentences(text) if one.text in stored]
    assert "fish" not in stored.lower()
    assert "quillfeather" not in stored.lower()
    inserted = document["rewriters"]["phrasebook"]["low"]["inserted"]
    assert inserted["sentences"] == sum(one["count"] for one in inserted["most_frequent"]) > 0


def test_the_table_stands_beside_the_paper_s_and_holds_no_sentence(tmp_path: Path) -> None:
    document = run(tmp_path / "out.json")
    shown = table(document)
    assert "| paper: PARTNER | 1.641 | 7.364 | 0.905 | 0.066 | 0.381 | 0.303 | 0.965 |" in shown
    assert "| phrasebook | empathic | 4 | 1.00" in shown
    assert "Left out: coherence (there is no release partner)." in shown
    assert len({line.count("|") for line in shown.split("\n\n")[0].splitlines()}) == 1
    ours = document["rewriters"]["phrasebook"]["low"]["inserted"]["most_frequent"]
    assert not [one["text"] for one in ours if one["text"] in shown]


def test_the_classifier_is_read_from_a_file_or_from_the_stages(tmp_path: Path) -> None:
    place = Place(tmp_path)
    save(Coherence(), place.trained("coherence"))
    for found in (classifier(place.trained("coherence"), None), classifier(None, place)):
        assert found(torch.ones(1, 384), torch.ones(1, 384)).shape == (1,)
    with pytest.raises(WeightsError, match="no coherence classifier"):
        classifier(tmp_path / "none.safetensors", place)


@pytest.mark.parametrize("stage", ["base", "warm", "reinforce", "best"])
def test_a_stage_is_named_like_a_rewriter_perhaps_with_the_post_s_own_clauses(tmp_path: Path, stage: str) -> None:
    names = ["phrasebook", stage, f"{stage}+mirror"]
    assert list(builders(names, Place(tmp_path), Settings())) == names
    for name in names[1:]:
        with pytest.raises(UnknownReleaseError, match="--stages"):
            builders([name], None, Settings())


@pytest.mark.parametrize("name", ["coherence", "reader", "base+book", "phrasebook+mirror", "mirror", "+mirror", ""])
def test_what_is_neither_a_rewriter_nor_a_stage_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownReleaseError, match=re.escape(f"no rewriter {name!r}")):
        builders(["phrasebook", name], Place(tmp_path), Settings())


def written(path: Path) -> Path:
    levels = [f"{m}_{part}" for m in ("er", "ip", "ex") for part in ("level", "rationales")]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sp_id", "seeker_post", "response_post", *levels])
        rows.writerows([one.seeker_id, one.pair.seeker, one.pair.response, *["0", ""] * 3] for one in EXAMPLES)
    return path


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "rows.csv", tmp_path / "out.json"
    arguments = ["evaluate", "--data", str(data), "--json", str(out), "--rewriters"]
    assert main([*arguments, "phrasebook"]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main([*arguments, "nobody"]) == 1
    assert "no rewriter 'nobody'" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.models
def test_the_command_measures_with_the_real_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = written(tmp_path / "rows.csv"), tmp_path / "new" / "out.json"
    missing = str(tmp_path / "none.safetensors")
    arguments = ["--rewriters", "phrasebook", "--limit", "2", "--coherence", missing, "--json", str(out), "--table"]
    assert main(["evaluate", "--data", str(data), *arguments]) == 0
    assert "| paper: BART |" in capsys.readouterr().out
    document = json.loads(out.read_text(encoding="utf-8"))
    assert "coherence" in document["left_out"]
    assert document["language_model"]["independent"] is False
    low = document["rewriters"]["phrasebook"]["low"]
    assert low["all"]["empathy"]["value"] > 0
    assert -1 <= low["all"]["specificity"]["value"] <= 1
    assert low["all"]["perplexity"]["value"] > 1
    assert "zanderfish" not in out.read_text(encoding="utf-8").lower()
