"""The corpus keeps its own rules, and names every line that does not; what is unfaithful to a post is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ml.partner import corpus
from ml.partner.corpus import CorpusError, lessons, read
from ml.partner.filters import unfaithful

PROTOCOL = Path(__file__).parents[2] / "protocols" / "hailey" / "posts.csv"
ROW = {
    "topic": "home",
    "voice": "plain",
    "post": "My sister moved away last week and the house is so quiet now.",
    "drafts": ["You will get used to it.", "Call her on Sunday."],
    "er": ["I am so sorry that she moved away.", "My heart is with you in that quiet house."],
    "ip": ["The house must feel so empty now.", "It sounds lonely without your sister."],
    "ex": ["What do you miss most about her?", "How are the evenings for you now?"],
}


def written(path: Path, *rows: Any) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_sound_lesson_is_read_as_it_stands(tmp_path: Path) -> None:
    found = lessons([written(tmp_path / "a.jsonl", ROW)])
    assert [one.post for one in found] == [ROW["post"]]
    assert found[0].drafts == tuple(ROW["drafts"])
    assert list(found[0].suggestions()) == [(m, text) for m in ("er", "ip", "ex") for text in ROW[m]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"post": "Too short a post."}, "post of 4 words, not 8 to 170"),
        ({"post": "word " * 171}, "post of 171 words"),
        ({"drafts": ["Ok.", "Call her on Sunday."]}, "draft of 1 words, not 2 to 60"),
        ({"er": ["So very sorry.", ROW["er"][1]]}, "er of 3 words, not 4 to 26"),
        ({"post": "I want to kill myself tonight, I cannot do this any more."}, "the crisis screen catches: I want to"),
        ({"drafts": ["Go and kill yourself then.", "Call her."]}, "the crisis screen catches: Go and"),
        ({"er": ["i am so sorry that she moved", ROW["er"][1]]}, "er refused as not_one_sentence"),
        ({"ip": ["Does the house feel so empty now?", ROW["ip"][1]]}, "ip and its question mark"),
        ({"ex": ["Tell me what you miss most.", ROW["ex"][1]]}, "ex and its question mark"),
        ({"er": ["I am so sorry that she moved away."]}, "er must hold at least two sentences"),
        ({"drafts": "You will get used to it."}, "drafts must hold at least two sentences"),
        ({"ex": [1, 2]}, "ex must hold at least two sentences"),
        ({"mood": "low"}, "the keys must be"),
    ],
)
def test_each_rule_broken_is_named_with_file_and_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    sound = corpus.files()[0].read_text(encoding="utf-8").splitlines()[0]
    path = written(tmp_path / "b.jsonl", sound, ROW | change)
    _, wrong = read([path])
    assert any(message in line for line in wrong)
    assert all(line.startswith("b.jsonl:2: ") for line in wrong)
    with pytest.raises(CorpusError, match=r"b\.jsonl:2"):
        lessons([path])


@pytest.mark.parametrize("line", ["{", "[]", "3", "null", '"text"'])
def test_a_line_that_is_no_lesson_is_named_and_the_others_read(tmp_path: Path, line: str) -> None:
    found, wrong = read([written(tmp_path / "c.jsonl", line, ROW)])
    assert [one.post for one in found] == [ROW["post"]]
    assert len(wrong) == 1
    assert wrong[0].startswith("c.jsonl:1: ")


def test_what_stands_twice_is_named_across_files(tmp_path: Path) -> None:
    other = ROW | {"post": "Another post altogether, of some eight words or more."}
    _, wrong = read([written(tmp_path / "a.jsonl", ROW), written(tmp_path / "b.jsonl", other)])
    assert sorted(wrong) == sorted(f"stands 2 times: {text}" for m in ("er", "ip", "ex") for text in ROW[m])


def test_an_opening_that_too_many_share_is_named(tmp_path: Path) -> None:
    rows = [
        ROW
        | {
            "post": f"Post number {n} says that the house is so quiet now.",
            "er": [f"I am so sorry about number {n}.", f"My heart {n} is with you in that house."],
            "ip": [f"The house {n} must feel so empty now.", f"It {n} sounds lonely without your sister."],
            "ex": [f"What {n} do you miss most about her?", f"How {n} are the evenings for you now?"],
        }
        for n in range(4)
    ]
    _, wrong = read([written(tmp_path / "d.jsonl", *rows)])
    assert wrong == ["d.jsonl: 4 suggestions open with “i am so sorry”, more than 3"]


def test_the_committed_corpus_is_large_and_without_a_problem() -> None:
    found, wrong = read(corpus.files())
    assert wrong == []
    assert len({one.post for one in found}) >= 600


def bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", re.sub(r"['\u2019]", "", text.lower())))


def test_no_post_of_the_protocol_stands_in_the_corpus() -> None:
    with PROTOCOL.open(encoding="utf-8", newline="") as file:
        posts = [bare(row["text"]) for row in csv.DictReader(file)]
    assert len(posts) >= 10
    mine = " | ".join(bare(text) for one in lessons() for text in (one.post, *one.drafts))
    for post in posts:
        words = post.split()
        runs = [" ".join(words[i : i + 9]) for i in range(max(1, len(words) - 8))]
        assert not [run for run in runs if run in mine], "not even nine words in a row"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("That quiet house must be hard to come home to.", None),
        ("How long has your sister been away?", None),
        ("Your brother moved away and left the house quiet.", "names_someone_not_in_the_post"),
        ("He has left you a quiet house.", "gives_somebody_a_sex"),
        ("She has left you a quiet house.", None),
        ("It is 3 weeks of a quiet house.", "invents_a_number"),
        ("It is 40 miles to your sister.", None),
        ("That must be very hard.", "says_too_little_of_the_post"),
        ("", "says_too_little_of_the_post"),
    ],
)
def test_a_sentence_that_is_not_about_the_post_is_refused_with_its_reason(text: str, reason: str | None) -> None:
    post = "My sister moved 40 miles away and the house is so quiet now."
    assert unfaithful(text, post) == reason


def test_a_pronoun_may_be_taken_from_the_post() -> None:
    assert unfaithful("He left his desk to you.", "My manager gave him my desk.") is None
    assert unfaithful("He left his desk to you.", "My manager gave away my desk.") == "gives_somebody_a_sex"
