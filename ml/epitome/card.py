"""Writes the model card of a release from what its training measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.types import MECHANISMS

TEMPLATE = Path(__file__).with_name("card_template.md")
TITLES = {"er": "Emotional reactions", "ip": "Interpretations", "ex": "Explorations"}
USES = {
    "outcome": "It measures the primary outcome in the analysis. Nothing that participants see rests on it.",
    "reward": "It decides whether feedback is due and ranks suggestions. It never measures an outcome.",
}
PAPER = {"er": (79.43, 74.46), "ip": (84.04, 62.60), "ex": (92.61, 72.58)}

FOLDS = """
Cross-validation over seekers of the same recipe, each fold tested on seekers that its model has not
seen (mean ± standard deviation):

| | accuracy | macro-F1 | kappa | ECE |
|---|---|---|---|---|
{rows}
"""


def render(info: Mapping[str, Any]) -> str:
    figures = info["figures"]
    return TEMPLATE.read_text(encoding="utf-8").format(
        **{key: info[key] for key in ("name", "version", "base")},
        use=USES.get(info["name"], "An experiment: neither the analysis nor feedback uses it."),
        base_short=info["base_sha256"][:12],
        sha_short=info["sha256"][:12],
        **{key: info["config"][key] for key in ("rank", "seeker_tokens", "response_tokens")},
        seed=info["recipe"]["seed"],
        stopped=_stop(info),
        **info["trained_on"],
        start=info["recipe"]["share"][0],
        stop=info["recipe"]["share"][1],
        tested=figures["er"]["n"] if figures else 0,
        rows="\n".join(_row(TITLES[name], figures[name]) for name in MECHANISMS if figures),
        paper=", ".join(f"{name.upper()} {a} / {f}" for name, (a, f) in PAPER.items()),
        folds=FOLDS.format(rows=_fold_rows(info["folds"])) if info["folds"] else "",
    )


def _stop(info: Mapping[str, Any]) -> str:
    done = info["epochs_done"]
    return f" --stop {done}" if done < info["recipe"]["epochs"] else ""


def _row(title: str, one: Mapping[str, Any]) -> str:
    by_class = " / ".join(_percent(value) for value in one["f1"])
    rationale = [f"{_percent(one[key])} ({_percent(one[key + '_all'])})" for key in ("token_f1", "iou_f1")]
    cells = [_percent(one["accuracy"]), _percent(one["macro_f1"]), by_class, f"{one['qwk']:.2f}"]
    return f"| {title} | {' | '.join([*cells, _percent(one['ece']), *rationale])} |"


def _fold_rows(folds: Mapping[str, Any]) -> str:
    keys = ("accuracy", "macro_f1", "qwk", "ece")
    return "\n".join(
        f"| {TITLES[name]} | "
        + " | ".join(f"{_percent(folds[name][key][0])} ± {_percent(folds[name][key][1])}" for key in keys)
        + " |"
        for name in MECHANISMS
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
