"""The two networks answer in the same shapes, and neither padding nor company changes an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ml.types import Pair
from tests.ml.tiny import network

KINDS = ("bert", "roberta")
PAIRS = [
    Pair("post a", "i am so sorry ."),
    Pair("post number b , why is it ? i am so sorry . i am", "why ?"),
    Pair("a", "it is so sorry . hope it helps you ! i am so so sorry ."),
]


def answers(model: Any, pairs: list[Pair]) -> tuple[Any, Any, Any]:
    """Levels, marks and the batch they belong to."""
    import torch

    from ml.epitome.model import collate, encode

    batch = collate(encode(pairs, model.config), model.backbone)
    with torch.inference_mode():
        return *model(batch), batch


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["paper", "pair"])
def test_every_pair_has_three_levels_and_a_mark_a_token(tmp_path: Path, architecture: str, kind: str) -> None:
    levels, marks, batch = answers(network(tmp_path, kind, architecture=architecture), PAIRS)
    assert levels.shape == (3, 3, 3)
    assert marks.shape == (3, 3, batch.tokens.shape[1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_papers_marks_stand_on_response_tokens_only(tmp_path: Path, kind: str) -> None:
    _, marks, batch = answers(network(tmp_path, kind, architecture="paper"), PAIRS)
    seen = batch.response.unsqueeze(1).expand_as(marks)
    assert (marks[~seen] == 0).all()
    assert (marks[seen] != 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["paper", "pair"])
def test_a_padded_pair_gives_the_same_as_alone(tmp_path: Path, architecture: str, kind: str) -> None:
    import torch

    model = network(tmp_path, kind, architecture=architecture)
    levels, marks, batch = answers(model, PAIRS)
    for row, pair in enumerate(PAIRS):
        own, own_marks, own_batch = answers(model, [pair])
        assert torch.allclose(levels[row], own[0], atol=1e-5)
        assert torch.allclose(marks[row][:, batch.response[row]], own_marks[0][:, own_batch.response[0]], atol=1e-5)
    assert not torch.allclose(levels[0], levels[1], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_paper_gives_each_side_its_own_start_and_end(tmp_path: Path, kind: str) -> None:
    from ml.epitome.model import collate, encode

    model = network(tmp_path, kind, architecture="paper")
    encodings = encode(PAIRS, model.config)
    (seekers, seen), (responses, also_seen) = model._sides(collate(encodings, model.backbone))
    start, end = model.backbone.start, model.backbone.end
    for row, one in enumerate(encodings):
        assert seekers[row][seen[row].bool()].tolist() == [start, *one.seeker, end]
        assert responses[row][also_seen[row].bool()].tolist() == [start, *one.response, end]


def test_the_paper_hears_the_post_and_never_trains_its_reader(tmp_path: Path) -> None:
    import torch

    model = network(tmp_path, architecture="paper")
    here, _, _ = answers(model, [Pair("why am i so sorry", "hope it helps")])
    there, _, _ = answers(model, [Pair("post number a", "hope it helps")])
    assert not torch.allclose(here, there, atol=1e-4)
    assert not any(".seeker." in name for name in model.trained())
    assert any(".response." in name for name in model.trained())


def test_an_empty_reply_or_post_is_answered(tmp_path: Path) -> None:
    for architecture in ("paper", "pair"):
        model = network(tmp_path / architecture, architecture=architecture)
        levels, _, _ = answers(model, [Pair("", "why ?"), Pair("post a", "")])
        assert levels.isfinite().all()


def test_layers_above_those_kept_are_gone(tmp_path: Path) -> None:
    assert len(network(tmp_path, layers=1).encoder.encoder.layer) == 1


def test_merging_a_network_changes_no_output(tmp_path: Path) -> None:
    import torch

    model = network(tmp_path)
    before, _, _ = answers(model, PAIRS)
    after, _, _ = answers(model.merge(), PAIRS)
    assert torch.allclose(before, after, atol=1e-4)


def test_answers_come_in_the_order_of_the_question(tmp_path: Path) -> None:
    import numpy as np

    from ml.epitome.inference import predict
    from ml.epitome.model import encode

    model = network(tmp_path)
    pairs = [Pair("post a", " ".join(["so"] * (1 + 7 * i % 11)) + " sorry") for i in range(11)]
    together = predict(model, encode(pairs, model.config), size=4)
    for row, pair in enumerate(pairs):
        alone = predict(model, encode([pair], model.config))
        assert np.allclose(together.logits[row], alone.logits[0], atol=1e-5)
        assert np.allclose(together.marks[row], alone.marks[0], atol=1e-5)
        assert together.offsets[row] == alone.offsets[0]


def test_answers_can_be_replaced_row_by_row(tmp_path: Path) -> None:
    from ml.epitome.inference import predict
    from ml.epitome.model import encode

    model = network(tmp_path)
    all_of_them, last = (predict(model, encode(pairs, model.config)) for pairs in (PAIRS, PAIRS[2:]))
    first = all_of_them.logits[0].copy()
    all_of_them.replace([1], last)
    assert (all_of_them.logits[1] == last.logits[0]).all()
    assert all_of_them.marks[1] == last.marks[0]
    assert (all_of_them.logits[0] == first).all()


def test_no_pairs_have_no_answers(tmp_path: Path) -> None:
    from ml.epitome.inference import predict

    assert predict(network(tmp_path), []).logits.shape == (0, 3, 3)
