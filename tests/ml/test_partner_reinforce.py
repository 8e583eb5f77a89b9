"""Reinforcement: what an action does to a reply, what it earns, and that earning makes it likelier."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch

from ml.partner import reinforce
from ml.partner.coherence import WIDTH, Coherence
from ml.partner.decoding import Decoder, Draft, Likely
from ml.partner.policy import PLACES, STOP, Branch, Packed, Policy, Tree, Window, replied, windows
from ml.partner.reinforce import BASELINE, Attempt, Baseline, actions, attempt, attempts, best, merged, rewarded
from ml.partner.rewards import REFUSED, LanguageModel, Rewards, Rewritten, Weights
from ml.types import MECHANISMS, Pair
from tests.ml.lexicon import LexiconScorer
from tests.ml.tiny_policy import POST, language_model, policy, tokens

PAIR = Pair(POST, "Hi there!  You will be fine.\nCall her on Sunday. Bye.")
WARM = "I am so sorry that your sister moved away."
COLD = "It hurts that your sister is away."
UNSAFE = "You should take more of your pills tonight."
UNIFORM = (1 / 6,) * 6


def draft(text: str, mechanism: str = "er", *, first: int = 1) -> Draft:
    window = next(one for one in windows(replied(PAIR.response)) if one.first == first)
    return Draft(mechanism, text, window, UNIFORM, Likely(-1.0, -2.0), tuple(tokens().sentence(text)))


def act(text: str, place: str, mechanism: str = "er", *, first: int = 1) -> Attempt:
    return attempt(PAIR, draft(text, mechanism, first=first), PLACES.index(place))


def embed(texts: Sequence[str]) -> torch.Tensor:
    return torch.stack([torch.randn(WIDTH, generator=torch.Generator().manual_seed(len(text))) for text in texts])


def rewards(weights: Weights | None = None) -> Rewards:
    torch.manual_seed(4)
    language = LanguageModel(language_model(), tokens())
    return Rewards(LexiconScorer(), language, Coherence().eval(), embed, doubts, weights or EMPATHY)


def doubts(found: Sequence[Rewritten]) -> list[float]:
    """A reader who shows every sentence but COLD."""
    return [0.0 if one.sentence == COLD else 1.0 for one in found]


EMPATHY = Weights(empathy=1.0, fluency=0.0, coherence=0.0, information=0.0, small=0.0, reader=0.0)
READER = Weights(empathy=0.0, fluency=0.0, coherence=0.0, information=0.0, small=0.0, reader=2.0)


@pytest.mark.parametrize(
    ("place", "first", "after", "beside"),
    [
        ("insert 0", 0, "{} Hi there!  You will be fine.\nCall her on Sunday. Bye.", ("Hi there!",)),
        (
            "insert 0",
            1,
            "Hi there! {}  You will be fine.\nCall her on Sunday. Bye.",
            ("Hi there!", "You will be fine."),
        ),
        ("replace 0", 1, "Hi there!  {}\nCall her on Sunday. Bye.", ("Hi there!",)),
        ("replace 1", 1, "Hi there!  You will be fine.\n{} Bye.", ("You will be fine.",)),
        ("replace 0", 0, "{}  You will be fine.\nCall her on Sunday. Bye.", ()),
        ("insert 2", 2, "Hi there!  You will be fine.\nCall her on Sunday. Bye. {}", ("Bye.",)),
    ],
)
def test_an_action_changes_its_own_place_and_no_other_character(
    place: str, first: int, after: str, beside: tuple[str, ...]
) -> None:
    found = act(WARM, place, first=first).rewritten
    assert found is not None
    before, behind = after.split("{}")
    assert found.after.split() == after.format(WARM).split()
    assert found.after.startswith(before.rstrip())
    assert found.after.endswith(behind.lstrip())
    assert (found.post, found.before, found.sentence) == (POST, PAIR.response, WARM)
    assert found.beside == beside


def test_a_refused_sentence_earns_the_penalty_and_stopping_earns_nothing() -> None:
    found = [act(UNSAFE, "insert 0"), act(UNSAFE, "stop"), act(WARM, "insert 0")]
    assert found[0].rewritten is None
    assert getattr(found[1].rewritten, "after", None) == PAIR.response
    total, parts = rewarded(found, rewards())
    assert total[:2].tolist() == [REFUSED, 0]
    assert total[2] > 1
    assert parts["empathy"] == pytest.approx(float(total[2])), "the parts are means over what was changed"


def test_where_nothing_was_changed_nothing_is_scored() -> None:
    pay = rewards()
    total, parts = rewarded([act(UNSAFE, "insert 0"), act(WARM, "stop")], pay)
    assert (total.tolist(), parts) == ([REFUSED, 0.0], {})
    assert isinstance(pay.scorer, LexiconScorer)
    assert pay.scorer.calls == 0


def test_a_sentence_earns_what_the_reader_gives_it() -> None:
    total, parts = rewarded([act(WARM, "insert 0"), act(COLD, "insert 0"), act(WARM, "stop")], rewards(READER))
    assert total.tolist() == pytest.approx([2, 0, 0])
    assert parts["reader"] == pytest.approx(0.5), "a mean over what was changed"


def test_the_baseline_is_the_mean_of_the_last_hundred() -> None:
    baseline = Baseline()
    assert baseline.advantage(torch.tensor([1.0, 3.0])).tolist() == [-1, 1]
    assert baseline.advantage(torch.tensor([5.0])).tolist() == [3]
    baseline.advantage(torch.full((BASELINE,), 7.0))
    assert len(baseline.last) == BASELINE
    assert baseline.advantage(torch.tensor([7.0, 8.0])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(0, (), starts=True, ends=True), {"insert 0", "stop"}),
        (Window(0, ("One.",), starts=True, ends=True), {"insert 0", "insert 1", "replace 0", "stop"}),
        (Window(0, ("One.", "Two."), starts=True, ends=True), set(PLACES)),
    ],
)
def test_only_places_that_the_window_has_are_drawn(window: Window, expected: set[str]) -> None:
    assert {name for at, name in enumerate(PLACES) if reinforce.fits(at, window)} == expected
    one, chance = Draft("er", WARM, window, UNIFORM, Likely(-1.0, -2.0), (1,)), random.Random(1)
    assert {PLACES[reinforce._place(one, chance)] for _ in range(300)} == expected


@torch.no_grad()
def log_probability(network: Policy, packed: Packed) -> torch.Tensor:
    hidden = network.states(packed.ids, packed.mask, packed.positions).flatten(0, 1)
    places = network.where(hidden[packed.tag_ends]).log_softmax(-1)
    words = network.words(hidden).log_softmax(-1)
    found = places[range(len(packed.places)), packed.places]
    for at, token, owner in zip(packed.predicts, packed.targets, packed.owners, strict=True):
        found[owner] += words[at, token]
    return found


def test_one_step_makes_a_rewarded_action_likelier_and_a_punished_one_less_likely() -> None:
    network = policy()
    packed = actions(PAIR, [act(WARM, "insert 0"), act(COLD, "replace 1", "ex", first=2)], tokens())
    before = log_probability(network, packed)
    value = reinforce.surrogate(network, packed, torch.tensor([1.0, -1.0]))
    assert float(value.detach()) == pytest.approx(float(before[1] - before[0]) / 2, abs=1e-3)
    optimiser = torch.optim.SGD(network.trained().values(), lr=1e-3)
    value.backward()
    optimiser.step()
    after = log_probability(network, packed)
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_an_action_of_no_advantage_moves_nothing() -> None:
    network = policy()
    packed = actions(PAIR, [act(WARM, "insert 0"), act(COLD, "stop")], tokens())
    reinforce.surrogate(network, packed, torch.zeros(2)).backward()
    assert not any(value.grad.any() for value in network.trained().values())


def test_stopping_is_learned_by_its_place_alone() -> None:
    words = tokens()
    packed = actions(PAIR, [act(WARM, "stop"), act(COLD, "insert 1")], words)
    assert packed.places.tolist() == [STOP, PLACES.index("insert 1")]
    assert packed.owners.unique().tolist() == [1]
    assert packed.targets.tolist() == words.sentence(COLD)


def test_neighbours_of_one_trunk_are_merged_and_the_order_of_branches_kept() -> None:
    names = [((1,), "er"), ((1,), "ip"), ((2,), "ex"), ((1,), "er"), ((1,), "ex")]
    found = merged([Tree(trunk, (Branch(name),)) for trunk, name in names])
    assert [tree.trunk for tree in found] == [(1,), (2,), (1,)]
    assert [(tree.trunk, one.mechanism) for tree in found for one in tree.branches] == names


def test_the_best_paid_attempt_of_each_mechanism_becomes_a_lesson() -> None:
    words = tokens()
    lonely, asked = "It sounds lonely without your sister.", "What do you miss most about her?"
    found = [
        act(COLD, "insert 0"),
        act(WARM, "insert 1"),
        act(UNSAFE, "insert 0"),
        act(lonely, "stop", "ip"),
        act(UNSAFE, "insert 0", "ip"),
        act(asked, "insert 2", "ex", first=2),
    ]
    chosen = best(PAIR, found, rewards(), words)
    assert [branch for tree in chosen for branch in tree.branches] == [
        Branch("er", tuple(words.sentence(WARM)), PLACES.index("insert 1")),
        Branch("ex", tuple(words.sentence(asked)), PLACES.index("insert 2")),
    ]
    assert not best(PAIR, [act(COLD, "insert 0"), act(UNSAFE, "insert 0", "ip")], rewards(), words)


def test_attempts_are_repeated_by_their_seed() -> None:
    found = Decoder(policy(), tokens(), remember=False)
    first = attempts(found, PAIR, samples=2, seed=6)
    assert first == attempts(found, PAIR, samples=2, seed=6)
    assert [one.draft.mechanism for one in first] == [m for m in MECHANISMS for _ in range(2)]


def test_nothing_of_crisis_and_nothing_long_is_practised_on() -> None:
    fit = [Pair(f"post {n}", "Ok.") for n in range(6)]
    unfit = [Pair("I want to kill myself.", "Ok."), Pair("a" * 1_000, "Ok."), Pair("a post", "b" * 400)]
    found = reinforce.states([*fit, *unfit], 1)
    assert sorted(one.seeker for one in found) == [one.seeker for one in fit]
    assert found == reinforce.states([*fit, *unfit], 1) != reinforce.states([*fit, *unfit], 2)
