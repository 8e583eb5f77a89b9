"""What reinforcement pays for: each part measures what it says, and company or padding change none of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from ml.partner import coherence
from ml.partner.coherence import WIDTH, Coherence
from ml.partner.policy import post_text
from ml.partner.rewards import LAMBDA, LanguageModel, Rewards, Rewritten, Weights
from tests.ml.lexicon import LexiconScorer
from tests.ml.tiny_policy import POST, language_model, tokens

WARM = "I am so sorry that your sister moved away."
TOPICS = ("cat", "rent", "exam", "garden")


def rewritten(before: str = "You will be fine.", sentence: str = WARM, beside: tuple[str, ...] = ()) -> Rewritten:
    return Rewritten(POST, before, f"{sentence} {before}".strip(), sentence, beside)


def embed(texts: Sequence[str]) -> torch.Tensor:
    """Vectors that tell the topic of a sentence, and a little noise of its own."""
    found = torch.zeros(len(texts), WIDTH)
    for row, text in enumerate(texts):
        noise = torch.Generator().manual_seed(sum(map(ord, text)))
        found[row] = 0.02 * torch.randn(WIDTH, generator=noise)
        for at, topic in enumerate(TOPICS):
            found[row, at] += topic in text
    return found


def rewards(weights: Weights | None = None) -> Rewards:
    torch.manual_seed(4)
    language = LanguageModel(language_model(), tokens())
    return Rewards(LexiconScorer(), language, Coherence().eval(), embed, reader, weights)


def reader(found: Sequence[Rewritten]) -> list[float]:
    """A strict reader's chances: the fewer characters, the surer."""
    return [1 / (1 + len(one.sentence) / 20) for one in found]


def by_hand(prompt: str, text: str) -> float:
    words = tokens()
    network = language_model()
    head, body = words.ids(prompt) or [words.end], words.ids(text)
    with torch.inference_mode():
        logs = network(input_ids=torch.tensor([[*head, *body]])).logits[0].log_softmax(-1)
    return sum(float(logs[len(head) + i - 1, token]) for i, token in enumerate(body)) / len(body)


def test_a_likelihood_is_the_mean_log_probability_of_the_tokens_whatever_stands_beside() -> None:
    judge = LanguageModel(language_model(), tokens())
    prompts = ["", post_text(POST), "", "Short."]
    texts = ["Call her on Sunday.", "I am sorry.", "Ok.", "Try to go out more. " * 3]
    together = judge.likelihood(prompts, texts)
    for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        assert float(together[i]) == pytest.approx(by_hand(prompt, text), abs=1e-4)
        assert float(judge.likelihood([prompt], [text])) == pytest.approx(float(together[i]), abs=1e-4)


@pytest.mark.parametrize(
    ("before", "sentence", "rate"),
    [
        ("b" * 40, "a" * 20, 0.5),
        ("", "a" * 20, 1.0),
        ("Ok.", "a" * 30, 1.5),
        ("Ok.", "a" * 500, 3.0),
        ("b" * 40, "", 0.0),
    ],
)
def test_the_edit_rate_is_bounded_on_both_sides(before: str, sentence: str, rate: float) -> None:
    assert rewritten(before, sentence).edit_rate == pytest.approx(rate)


def test_the_total_weighs_every_part() -> None:
    names = ("empathy", "fluency", "coherence", "information", "small", "reader")
    parts = {name: torch.tensor([1.0, float(i)]) for i, name in enumerate(names)}
    assert rewards().total(parts).tolist() == pytest.approx([13.6, 10 * 1 + 0.1 * 2 + 0.1 * 3 + 0.4 * 4 + 2 * 5])
    alone = rewards(Weights(empathy=2.0, fluency=0.0, coherence=0.0, information=0.0, small=0.0, reader=0.0))
    assert alone.total({name: torch.tensor([3.0]) for name in names}).tolist() == [6]


def test_every_part_is_measured_and_weighed() -> None:
    pay = rewards()
    found = [rewritten(), rewritten("Ok.", "The rent is due."), rewritten("", "A cat sits.", ("My cat.", "The rent."))]
    parts = pay.parts(found)
    assert set(parts) == set(Weights.__dataclass_fields__)
    assert all(len(value) == len(found) for value in parts.values())
    assert all(torch.isfinite(value).all() for value in parts.values())
    assert parts["small"].tolist() == pytest.approx([-one.edit_rate for one in found])
    assert parts["reader"].tolist() == pytest.approx(reader(found))
    assert parts["fluency"].tolist() == pytest.approx(
        [2.718281828 ** by_hand("", one.after) for one in found], abs=1e-4
    )


def test_the_empathy_reward_is_what_the_sentence_adds() -> None:
    warm, plain, already = rewritten(), rewritten(sentence="The house is quiet."), rewritten(before=f"{WARM} Ok.")
    found = rewards().parts([warm, plain, already])["empathy"].tolist()
    assert found[0] > 1.5
    assert found[1:] == pytest.approx([0, 0], abs=1e-6)


def test_information_goes_both_ways_between_post_and_sentence() -> None:
    found = float(rewards().parts([rewritten()])["information"])
    forward, backward = by_hand(post_text(POST), WARM), by_hand(post_text(WARM), POST)
    assert found == pytest.approx(LAMBDA * forward + (1 - LAMBDA) * backward, abs=1e-4)


def test_coherence_is_one_half_for_a_sentence_alone_and_a_mean_over_its_neighbours() -> None:
    both, one, other, alone = (
        rewritten(sentence="The cat is well.", beside=beside)
        for beside in (("My cat.", "The rent."), ("My cat.",), ("The rent.",), ())
    )
    found = rewards().parts([both, one, other, alone])["coherence"].tolist()
    assert found[3] == 0.5
    assert found[1] != pytest.approx(found[2], abs=1e-6)
    assert found[0] == pytest.approx((found[1] + found[2]) / 2, abs=1e-6)


def replies(count: int = 120) -> list[list[str]]:
    return [[f"The {TOPICS[n % 4]} {n}.{part}" for part in range(3)] for n in range(count)]


def test_pairs_are_half_of_one_reply_and_drawn_by_their_seed() -> None:
    many = [*replies(), ["The only sentence."], []]
    found = coherence.pairs(many, seed=1)
    assert found == coherence.pairs(many, seed=1) != coherence.pairs(many, seed=2)
    assert sum(label for *_, label in found) == len(found) / 2 == 120
    home = {text: n for n, reply in enumerate(many) for text in reply}
    assert all(home[one] == home[other] and one != other for one, other, label in found if label)
    assert "The only sentence." not in {text for row in found for text in row[:2]}


def test_the_classifier_learns_which_sentences_go_together() -> None:
    model, accuracy = coherence.train(coherence.pairs(replies(600), seed=1), embed)
    assert accuracy > 0.7
    assert not model.training
    with torch.inference_mode():
        same, strange = model(embed(["The cat a."] * 2), embed(["The cat b.", "The rent b."])).sigmoid().tolist()
    assert same > 0.5 > strange


def test_training_the_classifier_is_repeated_by_its_seed() -> None:
    found = coherence.pairs(replies(), seed=1)
    first, again, other = (coherence.train(found, embed, epochs=2, seed=seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())
