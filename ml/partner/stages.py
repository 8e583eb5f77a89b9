"""The stages of training the rewriter, each resumable: coherence, warm start, reader, REINFORCE, best of n."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from ml import runtime
from ml.epitome import scorer
from ml.epitome.data import Example, position, read_examples
from ml.epitome.train import RECIPES
from ml.partner import coherence, corpus, reader, reinforce, release, training, warmstart
from ml.partner.coherence import Coherence, Embedder
from ml.partner.decoding import Decoder
from ml.partner.policy import Branch, Policy, PolicyConfig, Tokens, Tree, pack, replied
from ml.partner.rewards import LanguageModel, Rewards, Rewritten
from ml.types import Pair, Scorer

LOW = 2.0  # expected total below which a reply is one to practise on
STAGES = ("coherence", "warm", "reader", "reinforce", "best")


@dataclass(frozen=True)
class Part:
    """One part of the warm start: which files of the corpus, and how often."""

    name: str
    files: str
    epochs: int


# Stories are rich and far from their posts' words; plain lessons turn a post's own words round. The last learnt wins.
CURRICULUM = (Part("stories", "0*", 1), Part("plain", "1*", 1), Part("warm", "[12]*", 2))


@dataclass(frozen=True)
class Place:
    """Where the runs of the stages keep their state."""

    root: Path

    def trained(self, stage: str) -> Path:
        return self.root / f"{stage}.safetensors"

    def run(self, stage: str) -> Path:
        return self.root / stage

    def reader(self) -> Path:
        return self.root / "reader.json"


def run(options: Namespace) -> None:
    """The wanted stages in order. Raises ValueError for a stage that there is not, DataError for the file."""
    wanted = options.stages.split(",")
    if unknown := set(wanted) - set(STAGES):
        raise ValueError(f"there is no stage {', '.join(sorted(unknown))}: {', '.join(STAGES)}")
    examples, place, config = read_examples(options.data), Place(options.state), PolicyConfig()
    warm = training.WarmStart(seed=options.seed)
    if "coherence" in wanted:
        replies = [replied(one.pair.response) for one in _practised(examples)]
        _, accuracy = train_coherence(replies, place)
        tqdm.write(f"coherence: {accuracy:.3f} of unseen pairs told apart")
    if "warm" in wanted:
        train_warm(warm, config, place)
    if "reader" in wanted:
        tqdm.write(f"reader, on folds that it did not learn from: {train_reader(place, config)}")
    if not {"reinforce", "best"} & set(wanted):
        return
    pairs = practice(examples, scorer.load("reward"), seed=options.seed, most=options.pairs)
    if "reinforce" in wanted:
        train_reinforce(reinforce.Reinforcement(steps=options.steps, seed=options.seed), config, pairs, place)
    if "best" in wanted:
        train_best(warm, config, pairs, place)


def _practised(examples: Sequence[Example]) -> list[Example]:
    start, stop = RECIPES["outcome"].share
    return [one for one in examples if start <= position(one.seeker_id) < stop]


def practice(examples: Sequence[Example], judge: Scorer, *, seed: int, most: int) -> list[Pair]:
    """Replies of low empathy to practise on: the corpus's drafts, and pairs of the `outcome` seekers.

    The reward release has not seen those seekers, and the comparison at the end is on others.
    """
    forum = [one.pair for one in _practised(examples)]
    low = [pair for pair, score in zip(forum, judge.score(forum), strict=True) if score.expected_total < LOW]
    lessons, _ = training.split(corpus.lessons())
    drafts = [Pair(lesson.post, draft) for lesson in lessons for draft in lesson.drafts]
    half = most // 2
    return reinforce.states([*reinforce.states(low, seed)[: most - half], *reinforce.states(drafts, seed)[:half]], seed)


def train_coherence(replies: Sequence[Sequence[str]], place: Place) -> tuple[Coherence, float]:
    found, accuracy = coherence.train(coherence.pairs(replies, seed=3), Embedder())
    coherence.save(found, place.trained("coherence"))
    return found, accuracy


def read_coherence(place: Place) -> Coherence:
    model = Coherence()
    model.load_state_dict({name: value.float() for name, value in load_file(place.trained("coherence")).items()})
    return model.eval()


def train_warm(recipe: training.WarmStart, config: PolicyConfig, place: Place) -> Policy:
    """The curriculum in order, each part from what the one before has learnt."""
    begin = None
    for part in CURRICULUM:
        policy = training.warm_start(
            corpus.lessons(corpus.files(part.files)),
            replace(recipe, epochs=part.epochs),
            config,
            place.run(part.name),
            begin,
        )
        begin = policy.trained()
    save_stage(policy, place, "warm")
    return policy


def save_stage(part: Policy, place: Place, stage: str) -> None:
    save_file({name: value.detach().clone() for name, value in part.trained().items()}, place.trained(stage))


def train_reader(place: Place, config: PolicyConfig) -> dict[str, Any]:
    """The reader of all labels by the warm policy's likelihoods; returns how well readers of other folds judge."""
    found = reader.labels()
    decoder = Decoder(*release.read_policy(load_file(place.trained("warm")), config))
    rows = reader.measured(decoder, found)
    figures = reader.quality(found, reader.across(found, rows))
    stored = {"weights": reader.fit(rows, [one.shown for one in found]).stored(), "across_folds": figures}
    place.reader().write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return figures


def read_reader(place: Place) -> reader.Reader:
    return reader.Reader(json.loads(place.reader().read_text(encoding="utf-8"))["weights"])


def verdicts(place: Place, config: PolicyConfig) -> Callable[[Sequence[Rewritten]], list[float]]:
    """The reader's chance of each candidate by the warm policy, which stays as it is while another learns."""
    decoder = Decoder(*release.read_policy(load_file(place.trained("warm")), config))
    judge = read_reader(place)

    def chances(found: Sequence[Rewritten]) -> list[float]:
        as_judged = [reader.Judged(one.post, one.mechanism, one.sentence, mirrored=False, shown=False) for one in found]
        return [judge.chance(row) for row in reader.measured(decoder, as_judged)]

    return chances


def resumed(place: Place, stage: str, config: PolicyConfig) -> tuple[Policy, Tokens]:
    """The policy as a stage left it."""
    model, tokens = training.load_base(torch.device("cpu"))
    policy = Policy(model, config)
    policy.load_trained(load_file(place.trained(stage)))
    return policy, tokens


def rewards(place: Place, config: PolicyConfig) -> Rewards:
    base, tokens = training.load_base(torch.device("cpu"))
    language = LanguageModel(base.to(runtime.precision()), tokens)
    reads = verdicts(place, config)
    return Rewards(scorer.load("reward"), language, read_coherence(place), Embedder(), reads)


def train_reinforce(
    recipe: reinforce.Reinforcement, config: PolicyConfig, pairs: Sequence[Pair], place: Place
) -> Policy:
    """One pair a step, `samples` actions for each mechanism; a log row every ten steps."""
    policy, tokens = resumed(place, "warm", config)
    pay = rewards(place, config)
    session = training.Session(
        policy, place.run("reinforce"), rate=recipe.rate, decay=0.0, steps=recipe.steps, warm_up=0.05
    )
    session.restore((recipe, config))
    baseline = reinforce.Baseline(session.memory)
    with tqdm(range(session.step, recipe.steps), desc="reinforce", unit="step", mininterval=10) as bar:
        for step in bar:
            pair = pairs[step % len(pairs)]
            values = _step(session, Decoder(policy, tokens, remember=False), pair, pay, baseline, recipe, step)
            session.memory = list(baseline.last)
            if step % 10 == 9:
                session.save((recipe, config))
            bar.set_postfix(reward=f"{values['reward']:.2f}", refresh=False)
    save_stage(policy, place, "reinforce")
    return policy


def _step(
    session: training.Session[Policy],
    decoder: Decoder,
    pair: Pair,
    pay: Rewards,
    baseline: reinforce.Baseline,
    recipe: reinforce.Reinforcement,
    step: int,
) -> dict[str, float]:
    with torch.autocast("cpu", torch.bfloat16, enabled=session.fast):
        found = reinforce.attempts(decoder, pair, samples=recipe.samples, seed=1000 * recipe.seed + step)
        earned, parts = reinforce.rewarded(found, pay)
        packed = reinforce.actions(pair, found, decoder.tokens)
        loss = reinforce.surrogate(session.policy, packed, baseline.advantage(earned))
    session.descend(loss)
    refused = sum(one.rewritten is None for one in found) / len(found)
    values = {"reward": float(earned.mean()), "refused": refused, "loss": float(loss.detach())}
    none = dict.fromkeys(("empathy", "fluency", "coherence", "information", "small", "reader"), float("nan"))
    session.log(**values, **(none | parts))
    return values


def _chosen(decoder: Decoder, pairs: Sequence[Pair], place: Place, samples: int) -> list[Tree]:
    """The best of n for each pair; kept on disk as they are found, so that a run goes on where it stopped."""
    place.run("best").mkdir(parents=True, exist_ok=True)
    kept = place.run("best") / "chosen.jsonl"
    done = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    pay, fast = rewards(place, PolicyConfig()), runtime.precision() == torch.bfloat16
    with kept.open("a", encoding="utf-8") as file:
        bar = tqdm(pairs[len(done) :], desc="best of n", unit="pair", mininterval=10)
        for step, pair in enumerate(bar, start=len(done)):
            with torch.autocast("cpu", torch.bfloat16, enabled=fast):
                found = reinforce.attempts(decoder, pair, samples=samples, seed=77_000 + step)
                trees = reinforce.best(pair, found, pay, decoder.tokens)
            done.append(json.dumps([asdict(tree) for tree in trees]))
            file.write(done[-1] + "\n")
            file.flush()
    return [_tree(row) for line in done for row in json.loads(line)]


def _tree(row: dict[str, Any]) -> Tree:
    branches = (Branch(b["mechanism"], tuple(b["sentence"]), b["place"]) for b in row["branches"])
    return Tree(tuple(row["trunk"]), tuple(branches))


def train_best(
    recipe: training.WarmStart, config: PolicyConfig, pairs: Sequence[Pair], place: Place, *, samples: int = 6
) -> Policy:
    """Distil the best of n samples, with as many lessons beside them, in one epoch."""
    policy, tokens = resumed(place, "warm", config)
    chosen = _chosen(Decoder(policy, tokens, remember=False), pairs, place, samples)
    lessons, _ = training.split(corpus.lessons())
    own = [tree for batch in warmstart.epoch(lessons, tokens, size=1, seed=recipe.seed) for tree in batch]
    rows = [*chosen, *training.drawn(recipe.seed).sample(own, min(len(own), len(chosen) // 2))]
    training.drawn(recipe.seed).shuffle(rows)
    batches = [rows[i : i + recipe.size] for i in range(0, len(rows), recipe.size)]
    session = training.Session(
        policy, place.run("best"), rate=recipe.rate / 4, decay=0.0, steps=len(batches), warm_up=0.05
    )
    for batch in tqdm(batches, desc="distil", unit="batch", mininterval=10):
        with torch.autocast("cpu", torch.bfloat16, enabled=session.fast):
            loss = warmstart.loss(policy, pack(batch, tokens))
        session.descend(loss)
        session.log(loss=float(loss.detach()))
    save_stage(policy, place, "best")
    return policy


def released(place: Place, stage: str, out: Path) -> dict[str, Any]:
    """Write a stage as the release of the rewriter. Raises OSError where a stage's file is absent."""
    policy, _ = resumed(place, stage, PolicyConfig())
    lessons, posts = corpus.lessons(), {one.post for one in reader.labels()}
    details = {
        "stage": stage,
        "lessons": len(lessons),
        "verdicts": len(reader.labels()),
        "judged_posts": len(posts),
        "reader_across_folds": json.loads(place.reader().read_text(encoding="utf-8"))["across_folds"],
        "curriculum": [asdict(part) for part in CURRICULUM],
    }
    return release.save(policy, read_reader(place), read_coherence(place), out, details)
