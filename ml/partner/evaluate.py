"""Compares rewriters on replies that the judge never saw, beside the paper's table (PARTNER, WWW 2021, table 2)."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from ml import registry
from ml.epitome.data import HELD_BACK, DataError, Example, position, read_examples
from ml.epitome.train import RECIPES
from ml.partner import coherence, corpus, smollm, training
from ml.partner.corpus import Lesson
from ml.partner.metrics import COMPOSED, HELD, SEEN, Language, Remembered, Row, Tools, Total, Turn, report, totals
from ml.partner.policy import PolicyConfig
from ml.partner.release import read_policy
from ml.partner.rewriter import NAMES, VERSION, Partner
from ml.partner.stages import LOW, Place, read_reader
from ml.releases import UnknownReleaseError, WeightsError, sha256_of
from ml.safety import crisis
from ml.types import Pair, Release, Rewriter, Scorer

T = TypeVar("T")

VARIANTS = ("base", "warm", "reinforce", "best")
FEW = 4  # sentences for each mechanism from a policy by itself: serving draws more, and minutes matter for 300 posts
FEWEST = 100  # empathic replies; the forum's are completed with composed ones up to so many
SHOWN = ("empathy", "perplexity", "specificity", "distinct_1", "distinct_2", "coherence", "edit_rate")
# WWW 2021, tables 2 and 3, in the order of SHOWN.
PAPER = {
    "paper: DialoGPT": (0.4698, 8.6500, 0.8921, 0.0382, 0.1334, 0.6683, 1.3520),
    "paper: BART": (-0.0611, 7.2040, 0.8878, 0.0722, 0.3945, 0.4560, 0.7496),
    "paper: PARTNER": (1.6410, 7.3641, 0.9052, 0.0659, 0.3807, 0.3030, 0.9654),
    "paper: warm start only": (0.7481, 7.1858, 0.9027, 0.0816, 0.4238, 0.2935, 1.0327),
}


@dataclass(frozen=True)
class Settings:
    """How rewriters are asked; gate and least gain are the HAILEY protocol's."""

    gate: float = 2.8
    min_gain: float = 0.15
    limit: int = 300
    seed: int = 1


# --- rows -------------------------------------------------------------------------------------


def groups(
    examples: Sequence[Example], lessons: Sequence[Lesson], tools: Tools, settings: Settings
) -> dict[str, list[Row]]:
    """Replies of low empathy by the judge, and those empathic enough by the reward scorer and by the judge.

    Raises DataError where no seeker is left that the `outcome` release has not trained on.
    """
    forum, own = _forum(examples, settings.seed), composed(lessons, settings.seed)
    if not forum:
        raise DataError(f"no usable row of seekers at place {RECIPES['outcome'].share[1]} or later")
    judged = tools.judge([row.pair for row in forum])
    return {
        "low": [row for row, total in zip(forum, judged, strict=True) if total < LOW][: settings.limit],
        "empathic": _empathic(forum, own, tools.reward, settings),
        "empathic_by_judge": _empathic(forum, own, tools.judge, settings),
    }


def _forum(examples: Sequence[Example], seed: int) -> list[Row]:
    """The shuffled pairs of seekers new to the judge, without empty replies and what the screen catches."""
    start = RECIPES["outcome"].share[1]
    found = [
        Row(one.pair, SEEN if position(one.seeker_id) < HELD_BACK else HELD)
        for one in examples
        if position(one.seeker_id) >= start and _usable(one.pair)
    ]
    return training.drawn(seed).sample(found, len(found))


def _usable(pair: Pair) -> bool:
    return bool(pair.response.strip()) and not crisis.screen(pair.seeker) and not crisis.screen(pair.response)


def _empathic(forum: Sequence[Row], own: Sequence[Row], by: Total, settings: Settings) -> list[Row]:
    found = _above(forum, by, settings.gate)[: settings.limit]
    lacking = min(FEWEST, settings.limit) - len(found)
    return found if lacking <= 0 else found + _above(own[: 4 * FEWEST], by, settings.gate)[:lacking]


def _above(rows: Sequence[Row], by: Total, gate: float) -> list[Row]:
    return [row for row, total in zip(rows, by([row.pair for row in rows]), strict=True) if total >= gate]


def composed(lessons: Sequence[Lesson], seed: int) -> list[Row]:
    """Held-out lessons' drafts with a sentence of each mechanism, in every way, shuffled."""
    _, held = training.split(lessons)
    found = [
        Row(Pair(lesson.post, f"{er} {ip} {draft} {ex}"), COMPOSED)
        for lesson in held
        for draft in lesson.drafts
        for er, ip, ex in product(lesson.er, lesson.ip, lesson.ex)
    ]
    return training.drawn(seed).sample(found, len(found))


def answered(rewriter: Rewriter, rows: Sequence[Row], seed: int, label: str = "") -> list[Turn]:
    """Each row rewritten, with its own seed."""
    bar = tqdm(rows, desc=label, unit="row", mininterval=10, disable=not label)
    return [Turn(row, rewriter.propose(row.pair.seeker, row.pair.response, seed=seed + i)) for i, row in enumerate(bar)]


# --- rewriters and tools ----------------------------------------------------------------------


def builders(names: Sequence[str], place: Place | None, settings: Settings) -> dict[str, Callable[[], Rewriter]]:
    """How to build each rewriter: one of the registry's, or a stage of the policy, perhaps with the post's own clauses.

    Raises UnknownReleaseError for a name that is neither, or a stage without a place to read it from.
    """
    for name in names:
        stage = name.removesuffix("+mirror")
        if name not in NAMES and stage not in VARIANTS:
            raise UnknownReleaseError(f"there is no rewriter {name!r}; there are: {', '.join((*NAMES, *VARIANTS))}")
        if name not in NAMES and place is None:
            raise UnknownReleaseError(f"{name!r} is a stage of training: say with --stages where its files are")
    return {name: _builder(name, place or Place(Path()), settings) for name in names}


def _builder(name: str, place: Place, settings: Settings) -> Callable[[], Rewriter]:
    how = {"gate": settings.gate, "min_gain": settings.min_gain}
    if name in NAMES:
        return lambda: registry.rewriter(name, scorer="reward", **how)
    return lambda: build_variant(name, place, scorer=registry.scorer("reward"), **how)


def build_variant(name: str, place: Place, *, scorer: Scorer, gate: float, min_gain: float) -> Rewriter:
    """The policy as a stage left it ("warm"), or untrained ("base"), with the stages' reader; "warm+mirror" has
    the post's own clauses to choose among as well.

    Raises WeightsError where a file is absent or of another configuration.
    """
    stage = name.removesuffix("+mirror")
    file = None if stage == "base" else place.trained(stage)
    release = Release(name, VERSION, sha256_of(file) if file else smollm.GGUF_SHA256)
    torch.manual_seed(1)  # the untrained place head is drawn
    try:
        policy, tokens = read_policy(load_file(file) if file else None, PolicyConfig())
        judge = read_reader(place)
    except (OSError, ValueError, SafetensorError) as error:
        raise WeightsError(f"{file} does not hold a policy, or there is no reader beside it: {error}") from error
    from ml.partner.source import SAMPLES, PolicySource

    served = name.endswith("+mirror")
    samples = SAMPLES if served else FEW
    source = PolicySource(policy, tokens, judge, release, samples=samples, mirrored=served)
    return Partner(release, [source], scorer=scorer, gate=gate, min_gain=min_gain)


def language(path: Path | None) -> tuple[Language, dict[str, Any]]:
    """The language model of a local folder, else the packaged one, and what may be said of it.

    Raises WeightsError where it cannot be read.
    """
    if path is None or path.resolve() == smollm.cache().resolve():
        model, tokens = training.load_base(torch.device("cpu"))
        note = "not independent: the policy was trained from this model, and its likelihood was a reward"
        return Language(model, tokens.ids, tokens.end), {"name": smollm.FOLDER, "independent": False, "note": note}
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        found: Any = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is no causal language model: {error}") from error
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return Language(found, lambda text: tokenizer.encode(text, add_special_tokens=False), start), {
        "name": path.name,
        "independent": True,
    }


def classifier(file: Path | None, place: Place | None) -> coherence.Coherence:
    """The coherence classifier of a file, else of the stages, else of the release.

    Raises WeightsError or UnknownReleaseError where there is none.
    """
    if file is None and place is not None and place.trained("coherence").exists():
        file = place.trained("coherence")
    if file is None:
        return coherence.load()
    found = coherence.Coherence()
    try:
        found.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{file.name} holds no coherence classifier: {error}") from error
    return found.eval()


# --- the command ------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> None:
    """`python -m ml.partner evaluate`.

    Raises DataError, CorpusError, WeightsError or UnknownReleaseError with what is to be done.
    """
    settings = Settings(options.gate, options.min_gain, options.limit, options.seed)
    place = Place(options.stages) if options.stages else None
    chosen = builders(options.rewriters.split(","), place, settings)
    examples, lessons = read_examples(options.data), corpus.lessons()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    tools, about = _tools(options, place)
    rows = groups(examples, lessons, tools, settings)
    document = compared(rows, chosen, tools, settings, options.json, about)
    if options.table:
        sys.stdout.write(table(document) + "\n")


def _tools(options: argparse.Namespace, place: Place | None) -> tuple[Tools, dict[str, Any]]:
    """What measures, and what the JSON says about it. A language model that was asked for must be there."""
    left_out: dict[str, str] = {}
    judge, reward = registry.scorer(options.judge), registry.scorer("reward")
    spoken = language(options.lm) if options.lm else _unless(left_out, "perplexity", lambda: language(None))
    embed = _unless(left_out, "specificity, coherence", coherence.Embedder)
    tools = Tools(
        totals(judge),
        totals(reward),
        Remembered(spoken[0].surprise) if spoken else None,
        _remembered(embed) if embed else None,
        _unless(left_out, "coherence", lambda: classifier(options.coherence, place)),
        left_out,
    )
    about = {"judge": str(judge.release), "reward": str(reward.release)}
    return tools, about | {"language_model": spoken[1] if spoken else None}


def _remembered(embed: coherence.Embedder) -> Remembered[str, torch.Tensor]:
    return Remembered(lambda texts: list(embed(texts)))


def _unless(left_out: dict[str, str], figure: str, load: Callable[[], T]) -> T | None:
    """What is loaded, or None and the reason kept."""
    try:
        return load()
    except (WeightsError, UnknownReleaseError) as error:
        left_out[figure] = str(error)
        return None


def compared(
    rows: Mapping[str, Sequence[Row]],
    chosen: Mapping[str, Callable[[], Rewriter]],
    tools: Tools,
    settings: Settings,
    out: Path,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Every rewriter on every group of rows; written to `out` after each rewriter, and returned.

    A rewriter that cannot be loaded is left out, and the reason kept.
    """
    document: dict[str, Any] = {
        "settings": asdict(settings),
        **about,
        "left_out": dict(tools.left_out),
        "rows": {name: {"n": len(group), **Counter(row.source for row in group)} for name, group in rows.items()},
        "rewriters": {},
    }
    for name, build in chosen.items():
        if rewriter := _unless(document["left_out"], name, build):
            document["rewriters"][name] = {"release": str(rewriter.release)} | {
                group: report(answered(rewriter, mine, settings.seed, f"{name}, {group}"), tools, settings.seed)
                for group, mine in rows.items()
            }
        out.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return document


# --- the table --------------------------------------------------------------------------------

HEAD = (
    "rewriter",
    "change in empathy",
    "perplexity",
    "specificity",
    "distinct-1",
    "distinct-2",
    "coherence",
    "edit rate",
    "first suggestion alone",
    "by `reward`",
    "judge / reward",
    "offered",
    "seconds, median / p95",
)
EMPATHIC_HEAD = ("rewriter", "rows", "n", "left alone", "others: n", "change in empathy", "perplexity", "edit rate")


def table(document: Mapping[str, Any]) -> str:
    """The JSON's figures as Markdown, ours above the paper's; then what is done to empathic replies."""
    found = document["rewriters"]
    paper = [[name, *map(_plain, values)] + ["–"] * (len(HEAD) - 1 - len(SHOWN)) for name, values in PAPER.items()]
    ours = [_line(name, one["low"]) for name, one in found.items()]
    empathic = [
        _empathic_line(name, group, one[group])
        for name, one in found.items()
        for group in ("empathic", "empathic_by_judge")
    ]
    missing = [f"Left out: {name} ({reason})." for name, reason in document["left_out"].items()]
    return "\n".join([*_markdown(HEAD, ours + paper), "", *_markdown(EMPATHIC_HEAD, empathic), "", *missing])


def _line(name: str, group: Mapping[str, Any]) -> list[str]:
    whole = group["all"]
    more = [whole.get(key) for key in ("empathy_first", "reward", "judge_of_reward")]
    seconds = group["seconds"]
    return [
        name,
        *(_plain(whole.get(key)) for key in SHOWN),
        *map(_plain, more),
        _plain(group["offered"]),
        f"{seconds['median']:.2f} / {seconds['p95']:.2f}" if seconds else "–",
    ]


def _empathic_line(name: str, label: str, group: Mapping[str, Any]) -> list[str]:
    others = group["not_left_alone"]
    figures = (others.get(key) for key in ("empathy", "perplexity", "edit_rate"))
    return [name, label, str(group["n"]), _plain(group["left_alone"]), str(others["n"]), *map(_plain, figures)]


def _plain(figure: Mapping[str, Any] | float | None) -> str:
    if figure is None:
        return "–"
    if not isinstance(figure, Mapping):
        return f"{figure:.3f}"
    interval = "" if figure["low"] is None else f" ({figure['low']:.2f} to {figure['high']:.2f})"
    return f"{figure['value']:.2f}{interval}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
