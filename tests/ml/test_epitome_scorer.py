"""The released scorers: they load only untouched weights and give every reply a defined score."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import pytest

from ml import registry
from ml.epitome.__main__ import main
from ml.types import Pair, Score, Scorer

pytestmark = pytest.mark.models
IN_BFLOAT16 = 0.05  # of an expected total: what the order of the sums may change

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
    return one.levels == other.levels and one.expected_total == pytest.approx(other.expected_total, abs=IN_BFLOAT16)


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
        "听到这个我很难过。你想聊聊吗？",
        "to\x00gether \ud800 I am here",
        "<script>alert('sorry')</script>",
    ],
    ids=["long", "one word", "spanish", "arabic", "chinese", "nul and surrogate", "markup"],
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
        assert found.levels == tuple(max(range(3), key=row.__getitem__) for row in found.probabilities)
        assert found.total == sum(found.levels)
        assert 0 <= found.expected_total <= 6


@pytest.mark.parametrize("name", ["outcome", "reward"])
def test_bfloat16_names_the_levels_of_float32(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from ml import runtime
    from ml.epitome.scorer import load

    pairs = [Pair(POST, reply) for reply in REPLIES]
    found = []
    for dtype in (torch.bfloat16, torch.float32):
        monkeypatch.setattr(runtime, "precision", lambda *_, dtype=dtype: dtype)
        one = load(name)
        assert one.fast == (dtype == torch.bfloat16)
        found.append(one.score(pairs))
    assert all(close(a, b) for a, b in zip(*found, strict=True))


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
