"""Running the policy: the same seed gives the same sentences, and neither memory nor company changes them."""

from __future__ import annotations

import pytest
import torch

from ml.partner import decoding
from ml.partner.decoding import MOST_WINDOWS, NEW_TOKENS, REMEMBERED, TOGETHER, Decoder
from ml.partner.policy import PLACES, STOP, Branch, Tree, pack, replied, windows
from ml.types import MECHANISMS
from tests.ml.tiny_policy import POST, policy, tokens

REPLY = "Try to go out more. You will be fine. Call her on Sunday and tell her how it is. Good luck."


def decoder(*, remember: bool = True) -> Decoder:
    return Decoder(policy(), tokens(), remember=remember)


def test_the_same_seed_gives_the_same_drafts_and_another_seed_others() -> None:
    one, two = decoder(), decoder()
    first = one.drafts(POST, REPLY, samples=2, seed=3)
    assert first == two.drafts(POST, REPLY, samples=2, seed=3)
    assert [draft.ids for draft in first] != [draft.ids for draft in two.drafts(POST, REPLY, samples=2, seed=4)]
    assert [draft.mechanism for draft in first] == [m for m in MECHANISMS for _ in range(2)]


def test_a_remembered_post_gives_the_same_as_an_unremembered_one() -> None:
    remembering, forgetting = decoder(), decoder(remember=False)
    remembering.drafts(POST, "Something else. Entirely so.", samples=1, seed=9)
    assert list(remembering.posts) == [POST]
    again = remembering.drafts(POST, REPLY, samples=2, seed=3)
    assert again == forgetting.drafts(POST, REPLY, samples=2, seed=3)
    assert not forgetting.posts


@torch.inference_mode()
def test_the_memory_of_a_post_is_not_altered_by_use() -> None:
    found = decoder()
    state = found._post(POST)
    keys = [layer.keys.clone() for layer in state.cache.layers]
    seen, hidden = state.seen.clone(), state.hidden.clone()
    found.drafts(POST, REPLY, samples=3, seed=1)
    assert found.posts[POST] is state
    assert torch.equal(state.seen, seen)
    assert torch.equal(state.hidden, hidden)
    for layer, before in zip(state.cache.layers, keys, strict=True):
        assert torch.equal(layer.keys, before)


@torch.inference_mode()
def test_only_the_latest_posts_are_remembered() -> None:
    found = decoder()
    for number in range(REMEMBERED + 1):
        found._post(f"post {number}")
        found._post("post 0")
    assert len(found.posts) == REMEMBERED
    assert "post 0" in found.posts, "used again and again"
    assert "post 1" not in found.posts


@torch.inference_mode()
def test_a_window_among_others_has_the_chances_that_it_has_alone() -> None:
    found = decoder()
    many = windows(replied(REPLY))
    assert len({len(found.tokens.window(window)) for window in many}) > 1, "so that some are padded"
    state = found._post(POST)
    together = found._chances(found._tags(found._windows(state, many), len(many), MECHANISMS))
    for w, window in enumerate(many):
        alone = found._chances(found._tags(found._windows(state, [window]), 1, MECHANISMS))
        assert torch.allclose(together[3 * w : 3 * w + 3], alone, atol=1e-5)


@torch.inference_mode()
def test_serving_sees_the_places_and_likelihoods_that_training_sees() -> None:
    found = decoder()
    window = windows(replied("You will be fine."))[0]
    draft = found.drafts(POST, "You will be fine.", samples=1, seed=2, wanted=["ip"])[0]
    trunk = (*found.tokens.post(POST), *found.tokens.window(window))
    packed = pack([Tree(trunk, (Branch("ip", draft.ids, STOP),))], found.tokens)
    states = found.policy.states(packed.ids, packed.mask, packed.positions).flatten(0, 1)
    assert draft.window == window
    places = found.policy.where(states[packed.tag_ends]).softmax(-1)[0]
    assert draft.places == pytest.approx(places.tolist(), abs=1e-5)
    logs = found.policy.words(states[packed.predicts]).log_softmax(-1)
    said = logs[torch.arange(len(draft.ids)), packed.targets]
    assert draft.likely.mean == pytest.approx(float(said.mean()), abs=1e-4)
    assert draft.likely.least == pytest.approx(float(said.min()), abs=1e-4)


def test_a_draft_is_never_longer_than_allowed_and_ends_where_the_policy_ends_it() -> None:
    found = decoder()
    drafts = [draft for seed in range(4) for draft in found.drafts(POST, REPLY, samples=4, seed=seed)]
    end = found.tokens.end
    assert max(len(draft.ids) for draft in drafts) == NEW_TOKENS, "a random network seldom ends a sentence"
    assert all(end not in draft.ids[:-1] for draft in drafts)
    assert all("<|im_end|>" not in draft.text for draft in drafts)


def test_a_row_that_ends_early_leaves_the_others_in_their_own_context() -> None:
    found = decoder()
    with torch.no_grad():
        found.model.lm_head.weight[found.tokens.end] *= 2.5
    drafts = found.drafts(POST, REPLY, samples=8, seed=5)
    assert len({len(draft.ids) for draft in drafts}) > 2
    with torch.inference_mode():
        for draft in drafts:
            trunk = (*found.tokens.post(POST), *found.tokens.window(draft.window))
            packed = pack([Tree(trunk, (Branch(draft.mechanism, draft.ids),))], found.tokens)
            states = found.policy.states(packed.ids, packed.mask, packed.positions).flatten(0, 1)
            logs = found.policy.words(states[packed.predicts]).log_softmax(-1)
            mean = float(logs[torch.arange(len(draft.ids)), packed.targets].mean())
            assert draft.likely.mean == pytest.approx(mean, abs=1e-4)


def test_a_draft_stands_in_the_window_that_needs_it_most() -> None:
    found = decoder()
    many = windows(replied(REPLY))
    with torch.inference_mode():
        state = found._tags(found._windows(found._post(POST), many), len(many), MECHANISMS)
        stops = found._chances(state).view(len(many), 3, len(PLACES))[:, :, STOP]
    for draft in found.drafts(POST, REPLY, samples=1, seed=1):
        column = stops[:, MECHANISMS.index(draft.mechanism)]
        assert draft.window == many[int(column.argmin())]
        assert sum(draft.places) == pytest.approx(1, abs=1e-5)


def test_needs_are_the_windows_and_places_of_the_drafts() -> None:
    found = decoder()
    needs = found.needs(POST, REPLY)
    drafts = found.drafts(POST, REPLY, samples=1, seed=1)
    assert [(one.mechanism, one.window) for one in needs] == [(one.mechanism, one.window) for one in drafts]
    assert [one.places for one in needs] == [one.places for one in drafts]


def test_a_sentence_is_as_likely_as_training_finds_it_before_any_reply() -> None:
    found = decoder()
    said = [("er", "I am so sorry."), ("ex", "How are the evenings for you now?"), ("ip", "It sounds lonely.")]
    likely = found.likelihoods(POST, said)
    trunk = (*found.tokens.post(POST), *found.tokens.window(windows([])[0]))
    for (mechanism, text), one in zip(said, likely, strict=True):
        packed = pack([Tree(trunk, (Branch(mechanism, tuple(found.tokens.sentence(text))),))], found.tokens)
        with torch.inference_mode():
            states = found.policy.states(packed.ids, packed.mask, packed.positions).flatten(0, 1)
            logs = found.policy.words(states[packed.predicts]).log_softmax(-1)
        mine = logs[torch.arange(len(packed.targets)), packed.targets]
        assert one.mean == pytest.approx(float(mine.mean()), abs=1e-4)
        assert one.least == pytest.approx(float(mine.min()), abs=1e-4)


def test_more_sentences_than_are_read_together_keep_their_order() -> None:
    found = decoder()
    said = [(MECHANISMS[n % 3], f"It is {n} days.") for n in range(TOGETHER + 3)]
    together = found.likelihoods(POST, said)
    assert len(together) == len(said)
    for at in (0, TOGETHER - 1, TOGETHER, TOGETHER + 2):
        (alone,) = found.likelihoods(POST, [said[at]])
        assert together[at].mean == pytest.approx(alone.mean, abs=1e-4)
    assert found.likelihoods(POST, []) == []


def test_an_empty_reply_and_only_the_wanted_mechanisms() -> None:
    drafts = decoder().drafts(POST, "", samples=2, seed=1, wanted=["ex"])
    assert [draft.mechanism for draft in drafts] == ["ex", "ex"]
    assert all(draft.window.text == () for draft in drafts)


def test_a_long_reply_is_read_at_its_beginning_and_its_end() -> None:
    many = windows([f"Sentence {number}." for number in range(12)])
    assert [window.first for window in decoding._some(many)] == [0, 1, 9, 10]
    assert decoding._some(many[:MOST_WINDOWS]) == many[:MOST_WINDOWS]


def test_the_nucleus_leaves_out_the_unlikely_tail_only() -> None:
    logits = torch.full((1, 100), -8.0)
    logits[0, 7], logits[0, 3] = 5.0, 4.0
    chances = decoding._nucleus(logits)[0]
    assert chances.nonzero().flatten().tolist() == [3, 7]
    assert float(chances[7]) > float(chances[3])
