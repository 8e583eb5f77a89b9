"""The comparison's figures follow their definitions, and its report holds nobody's text."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

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
from ml.partner.metrics import (
    COMPOSED,
    HELD,
    SEEN,
    Language,
    Remembered,
    Row,
    Tools,
    Turn,
    beside,
    distinct,
    edit_rate,
    estimate,
    levenshtein,
    report,
    totals,
    words,
)
from ml.partner.rewriter import build
from ml.partner.stages import Place
from ml.releases import UnknownReleaseError, WeightsError
from ml.text import sentences
from ml.types import Edit, Pair, Proposal, Rewriter
from tests.ml.lexicon import LexiconScorer

POST = "My boss presented my work as his own today. I clapped along with everyone, even old Quillfeather."
COLD = "That's life. You should talk to him over a plate of zanderfish."
WARM = "I'm so sorry. It must be so painful, zanderfish or not. What has it been like to keep quiet about it?"
CRISIS = "I can't go on and I want to die."


def edit(op: Any, index: int, new: str, old: str = "", gain: float = 1.0) -> Edit:
    return Edit(op, index, old, new, 0.0, gain)


# --- figures ----------------------------------------------------------------------------------


def test_words_are_small_and_marks_and_emoji_stand_alone() -> None:
    assert words("Don't cry 😢!") == ["don't", "cry", "😢", "!"]


def test_distinct_counts_different_n_grams_within_texts() -> None:
    texts = ["so sad so sad", "So sad"]
    assert distinct(texts, 1) == pytest.approx(2 / 6, abs=1e-4)
    assert distinct(texts, 2) == pytest.approx(2 / 4)  # so-sad thrice, sad-so once; none from one text to the next
    assert distinct(["one", "two"], 2) is None


def test_edit_rate_is_the_distance_over_the_original_length() -> None:
    assert levenshtein("kitten", "sitting") == 3
    assert edit_rate("ok 🙂", "ok 🙃!") == pytest.approx(2 / 4)
    assert edit_rate("Ok.", "Ok. I'm so sorry.") == pytest.approx(14 / 3)
    assert edit_rate(words("That's life."), words("That hurts.")) == pytest.approx(2 / 3)
    assert math.isnan(edit_rate("", "Something"))


def recursive(one: str, other: str) -> int:
    """Levenshtein's distance as it is defined."""

    @cache
    def rest(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return len(one) - i + len(other) - j
        same = one[i] == other[j]
        return min(rest(i + 1, j) + 1, rest(i, j + 1) + 1, rest(i + 1, j + 1) + (not same))

    return rest(0, 0)


@settings(max_examples=60, deadline=None)
@given(st.text("ab🙂", max_size=8), st.text("ab🙂", max_size=8))
def test_the_distance_is_that_of_the_definition(one: str, other: str) -> None:
    assert levenshtein(one, other) == recursive(one, other)


def test_an_estimate_is_a_ratio_of_sums() -> None:
    judged, paid = np.array([1.0, 2.0, 0.6, np.nan]), np.array([1.0, 3.0, 0.5, 9.0])
    found = estimate(judged, paid, seed=1)
    assert found is not None
    assert found.value == pytest.approx(3.6 / 4.5)
    assert found.n == 3
    assert found.low is not None
    assert found.high is not None
    assert 2 / 3 <= found.low <= found.value <= found.high <= 1.2  # within the rows' own ratios


def test_an_estimate_without_a_sense_is_none() -> None:
    assert estimate(np.array([]), seed=1) is None
    assert estimate(np.array([1.0]), np.array([0.0]), seed=1) is None
    half = estimate(np.array([1.0, 1.0]), np.array([1.0, 0.0]), seed=1)
    assert half is not None
    assert half.stored() == {"value": 2.0, "low": None, "high": None, "n": 2}


def test_the_bootstrap_repeats_for_a_seed() -> None:
    rows = np.random.default_rng(4).normal(size=40)
    assert estimate(rows, seed=1) == estimate(rows, seed=1)
    assert estimate(rows, seed=1) != estimate(rows, seed=2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(7)
    found = [estimate(draw.normal(1.0, 1.0, size=60), seed=i, resamples=500) for i in range(300)]
    covered = [one is not None and (one.low or 0) <= 1.0 <= (one.high or 0) for one in found]
    assert 0.91 <= np.mean(covered) <= 0.98


def test_new_sentences_are_held_against_the_writer_s_own_beside_them() -> None:
    edits = [edit("replace", 0, "I'm so sorry.", "That's life."), edit("insert", 1, "It must hurt.")]
    assert beside("That's life. Talk to him. Bye.", edits) == [
        ("I'm so sorry.", "Talk to him."),
        ("It must hurt.", "Talk to him."),
    ]
    assert beside("Talk to him. Bye.", [edit("insert", 1, "How so?")]) == [
        ("How so?", "Talk to him."),
        ("How so?", "Bye."),
    ]
    assert beside("That's life.", edits[:1]) == []


def test_the_first_suggestion_is_the_one_that_gains_most() -> None:
    edits = (edit("insert", 0, "I'm so sorry.", gain=0.5), edit("insert", 1, "How so?", gain=0.9))
    turn = Turn(Row(Pair(POST, "Ok."), HELD), Proposal("suggestions", None, edits))
    assert turn.after_first == "Ok. How so?"
    assert turn.after == "I'm so sorry. Ok. How so?"


def test_what_is_known_is_not_computed_again() -> None:
    asked: list[str] = []

    def compute(texts: list[str]) -> list[int]:
        asked.extend(texts)
        return [len(text) for text in texts]

    lengths = Remembered(compute)
    assert lengths(["a", "bb", "a"]) == [1, 2, 1]
    assert lengths(["bb", "ccc"]) == [2, 3]
    assert asked == ["a", "bb", "ccc"]


# --- fluency ----------------------------------------------------------------------------------


def tiny(*, uniform: bool = False) -> Language:
    """GPT-2's architecture, untrained and small; uniform: every next letter is as likely as any other."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(2)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=512, n_embd=16, n_layer=1, n_head=2))
    if uniform:
        torch.nn.init.zeros_(model.lm_head.weight)
    return Language(model, lambda text: [ord(letter) % 50 for letter in text], 0)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large() -> None:
    ((surprise, tokens),) = tiny(uniform=True).surprise(["Talk to him."])
    assert tokens == 12
    assert math.exp(surprise / tokens) == pytest.approx(50, rel=1e-4)


def test_a_text_is_as_surprising_in_company_as_alone() -> None:
    language, texts = tiny(), [POST[:40], "Ok.", COLD[:30]]
    together = language.surprise(texts)
    for text, found in zip(texts, together, strict=True):
        assert language.surprise([text])[0] == pytest.approx(found, rel=1e-4)


def test_any_local_causal_model_measures_and_counts_as_independent(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({"<s>": 0, "talk": 1, "?": 2}, unk_token="?"))
    known.pre_tokenizer = pre_tokenizers.Whitespace()
    tiny(uniform=True).model.save_pretrained(tmp_path)
    PreTrainedTokenizerFast(tokenizer_object=known, bos_token="<s>", unk_token="?").save_pretrained(tmp_path)
    found, about = language(tmp_path)
    assert about == {"name": tmp_path.name, "independent": True}
    assert found.surprise(["talk to him"])[0] == pytest.approx((3 * math.log(50), 3), rel=1e-4)
    with pytest.raises(WeightsError, match="no causal language model"):
        language(tmp_path / "nowhere")


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


# --- the whole --------------------------------------------------------------------------------


def run(out: Path, names: Sequence[str] = ("none", "phrasebook")) -> dict[str, Any]:
    """The comparison with the lexicon as judge and reward, and the tiny language model."""
    with_all = tools(surprise=Remembered(tiny().surprise), left_out={"coherence": "there is no release partner"})
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
    surprise, tokens = map(sum, zip(*tiny().surprise([COLD, "Ok then, Zanderfish."]), strict=True))
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


def test_an_edit_that_the_classifier_judges_has_a_chance(tmp_path: Path) -> None:
    torch.manual_seed(1)
    turn = Turn(Row(Pair(POST, COLD), HELD), Proposal("suggestions", None, (edit("insert", 1, "It must hurt."),)))
    still = Turn(Row(Pair(POST, COLD), HELD), Proposal("no_suggestion", None))
    found = report(
        [turn, still], tools(embed=lambda texts: [torch.ones(384) for _ in texts], coherence=Coherence().eval()), 1
    )
    chance = found["all"]["coherence"]
    assert chance["n"] == 1
    assert 0 < chance["value"] < 1


def test_the_classifier_is_read_from_a_file_or_from_the_stages(tmp_path: Path) -> None:
    place = Place(tmp_path)
    save(Coherence(), place.trained("coherence"))
    for found in (classifier(place.trained("coherence"), None), classifier(None, place)):
        assert found(torch.ones(1, 384), torch.ones(1, 384)).shape == (1,)
    with pytest.raises(WeightsError, match="no coherence classifier"):
        classifier(tmp_path / "none.safetensors", place)


def test_stages_are_named_like_rewriters_and_need_a_place(tmp_path: Path) -> None:
    assert list(builders(["phrasebook", "base", "base+book"], None, Settings())) == ["phrasebook", "base", "base+book"]
    with pytest.raises(UnknownReleaseError, match="--stages"):
        builders(["warm"], None, Settings())
    with pytest.raises(UnknownReleaseError, match="no rewriter 'coherence'"):
        builders(["coherence"], None, Settings())


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
