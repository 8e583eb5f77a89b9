"""The released scorers: they load only untouched weights and give every reply a defined score."""

from __future__ import annotations

import csv
import json
import shutil
from functools import cache
from pathlib import Path

import pytest

from ml import registry
from ml.epitome.__main__ import main
from ml.releases import WeightsError, folder
from ml.types import Pair, Score, Scorer

pytestmark = pytest.mark.models

POST = "My sister stopped talking to me after the wedding and I do not know what I did."
WARM = "I am so sorry, that must feel lonely and confusing. What do you miss most about her?"
COLD = "Whatever. People fall out all the time, just get over it."
REPLIES = [
    WARM,
    COLD,
    "I understand how you feel.",
    "Have you tried writing to her?",
    "Hope it gets better! 💛",
]


@cache
def scorer(name: str = "outcome") -> Scorer:
    return registry.scorer(name)


def score(reply: str, name: str = "outcome") -> Score:
    return scorer(name).score([Pair(POST, reply)])[0]


def close(one: Score, other: Score) -> bool:
    flat = [[p for row in score.probabilities for p in row] for score in (one, other)]
    return one.levels == other.levels and flat[0] == pytest.approx(flat[1], abs=1e-4)


@pytest.mark.parametrize("name", ["outcome", "reward"])
def test_a_warm_reply_scores_higher_than_a_dismissive_one(name: str) -> None:
    assert score(WARM, name).expected_total > score(COLD, name).expected_total + 1.5
    assert score(WARM, name).total > score(COLD, name).total


@pytest.mark.parametrize("reply", ["", "   \n", "💛💛😭", "...", "?!"])
def test_a_reply_without_a_letter_has_level_0_throughout(reply: str) -> None:
    found = score(reply)
    assert found.levels == (0, 0, 0)
    assert found.expected_total == 0
    assert found.rationales == ()


@pytest.mark.parametrize(
    "reply",
    [
        "word " * 20_000,
        "x" * 100_000,
        "Lo siento mucho, debe de ser muy duro. ¿Quieres hablar?",
        "أنا آسف جدا لما حدث لك",
        "to\x00gether \ud800 I am here",
        "<script>alert('sorry')</script>",
    ],
    ids=["long", "one word", "spanish", "arabic", "nul and surrogate", "markup"],
)
def test_any_text_has_a_defined_score(reply: str) -> None:
    found = score(reply)
    assert all(level in {0, 1, 2} for level in found.levels)
    assert all(sum(row) == pytest.approx(1) for row in found.probabilities)
    assert all(0 <= span.start < span.stop <= len(reply) for span in found.rationales)


def test_an_empty_post_and_an_empty_batch_are_no_error() -> None:
    assert scorer().score([]) == []
    assert len(scorer().score([Pair("", WARM)])) == 1


def test_neither_order_nor_company_changes_a_score() -> None:
    pairs = [Pair(POST, reply) for reply in [*REPLIES, "ok " * 90, ""]]
    together = scorer().score(pairs)
    reverse = scorer().score(pairs[::-1])[::-1]
    alone = [scorer().score([pair])[0] for pair in pairs]
    assert all(close(a, b) and close(a, c) for a, b, c in zip(together, reverse, alone, strict=True))


def test_levels_are_the_likeliest_and_totals_add_up() -> None:
    for found in scorer().score([Pair(POST, reply) for reply in REPLIES]):
        assert found.levels == tuple(row.index(max(row)) for row in found.probabilities)
        assert found.total == sum(found.levels)
        assert 0 <= found.expected_total <= 6


def test_rationales_point_into_the_reply_as_it_was_typed() -> None:
    reply = "💛💛  I am so sorry to hear that!!   Anyway, the shop opens at nine."
    found = [reply[span.start : span.stop] for span in score(reply).rationales if span.mechanism == "er"]
    assert any("I am so sorry to hear that!!" in passage for passage in found)
    assert all(passage == passage.strip() for passage in found)


def test_tokens_after_emoji_keep_their_places_in_the_reply() -> None:
    from ml.epitome.model import Config, encode

    reply = "💛👩‍👩‍👧  Sorry, TRULY sorry…"
    (encoding,) = encode([Pair(POST, reply)], Config())
    words = [reply[start:stop] for start, stop in encoding.offsets]
    assert [word for word in words if word.isalpha()] == ["Sorry", "TRULY", "sorry"]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(folder("epitome-reward"), tmp_path / "epitome-reward")
    monkeypatch.setenv("ATTUNE_WEIGHTS", str(tmp_path))
    return tmp_path / "epitome-reward"


def refused(match: str) -> None:
    from ml.epitome.scorer import load

    with pytest.raises(WeightsError, match=match):
        load("reward")


def test_altered_weights_are_refused(copied: Path) -> None:
    content = bytearray((copied / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (copied / "model.safetensors").write_bytes(content)
    refused("not the pinned file")


def test_truncated_weights_are_refused(copied: Path) -> None:
    content = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(content[: len(content) // 2])
    refused("not the pinned file")


def test_absent_weights_are_refused(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    refused("cannot read the weights")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"base_sha256": "0" * 64}, "another backbone"),
        ({"config": {"nonsense": 1}}, "not a readable release"),
    ],
)
def test_a_release_that_does_not_fit_is_refused(copied: Path, change: dict, match: str) -> None:
    path = copied / "release.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    refused(match)


def test_weights_of_another_shape_are_refused(copied: Path) -> None:
    path = copied / "release.json"
    info = json.loads(path.read_text())
    info["config"]["rank"] += 1
    path.write_text(json.dumps(info))
    refused("another configuration")


def test_an_altered_backbone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml import runtime

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not the model")
    monkeypatch.setattr(runtime, "packaged", lambda _package, relative: tmp_path / relative)
    runtime.minilm.cache_clear()
    with pytest.raises(WeightsError, match="not the pinned file"):
        runtime.minilm()
    runtime.minilm.cache_clear()


def rows(path: Path, columns: list[str], values: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *values])
    return path


def test_the_score_command_adds_its_columns(tmp_path: Path) -> None:
    data = rows(tmp_path / "in.csv", ["seeker_post", "response_post"], [[POST, WARM], [POST, ""]])
    out = tmp_path / "out.csv"
    assert main(["score", "--data", str(data), "--release", "outcome", "--out", str(out)]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["seeker_post", "response_post", "er", "ip", "ex", "total", "expected_total"]
    assert found[0]["response_post"] == WARM
    assert int(found[0]["total"]) == score(WARM).total
    assert list(found[1].values())[2:] == ["0", "0", "0", "0", "0.0000"]


def test_the_evaluate_command_writes_its_figures(tmp_path: Path) -> None:
    columns = ["sp_id", "rp_id", "seeker_post", "response_post"]
    columns += [f"{m}_{part}" for m in ("er", "ip", "ex") for part in ("level", "rationales")]
    values = [
        ["s1", "r1", POST, WARM, "2", "I am so sorry|", "2", "", "2", ""],
        ["s2", "r2", POST, COLD, "0", "", "0", "", "0", ""],
    ]
    data, out = rows(tmp_path / "in.csv", columns, values), tmp_path / "out.json"
    assert main(["evaluate", "--data", str(data), "--release", "outcome", "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert set(report) == {"er", "ip", "ex", "n"}
    assert set(report["er"]) == {"accuracy", "macro_f1", "qwk", "f1", "ece"}
    assert len(report["ip"]["f1"]) == 3
    assert report["n"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "--data", "absent.csv", "--out", "out.csv"],
        ["train", "--data", "absent.csv", "--release", "nobody"],
    ],
)
def test_a_command_that_cannot_run_says_why_and_fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
