"""HAILEY's reviewed suggestions: every post was reviewed, nearly all can be answered, and all of it is safe."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.conf import settings

from ml.safety.candidates import check
from trial.protocol import Protocol, read_protocol


@pytest.fixture(scope="module")
def hailey_protocol() -> Protocol:
    return read_protocol(Path(settings.BASE_DIR) / "protocols" / "hailey")


def test_every_post_of_the_study_was_reviewed(hailey_protocol: Protocol) -> None:
    reviewed = {one.post for one in hailey_protocol.feedback.reviewed}
    assert reviewed == {hashlib.sha256(post.text.encode()).hexdigest() for post in hailey_protocol.posts}


def test_nearly_all_posts_have_a_suggestion(hailey_protocol: Protocol) -> None:
    unanswered = [one for one in hailey_protocol.feedback.reviewed if not one.sentences]
    assert len(unanswered) <= 0.1 * len(hailey_protocol.posts)


def test_what_was_approved_passes_the_safety_table_as_well(hailey_protocol: Protocol) -> None:
    refused = [said.text for one in hailey_protocol.feedback.reviewed for said in one.sentences if check(said.text)]
    assert refused == []


def test_questions_are_questions_and_nothing_is_approved_twice(hailey_protocol: Protocol) -> None:
    for one in hailey_protocol.feedback.reviewed:
        texts = [said.text.lower() for said in one.sentences]
        assert len(set(texts)) == len(texts)
        assert all(said.text.endswith("?") == (said.mechanism == "ex") for said in one.sentences)
