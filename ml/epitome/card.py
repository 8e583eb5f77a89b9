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
Cross-validation over seekers of the same recipe on all the pairs, each fold tested on seekers that its model
has not seen and calibrated on the other folds (mean ± standard deviation):

| | accuracy | macro-F1 | F1 none | weak | strong | kappa | ECE | rationale token F1 | IOU-F1 |
|---|---|---|---|---|---|---|---|---|---|
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
        **_layers(info["config"]),
        with_folds=" --folds 5" if info["folds"] else "",
        calibrated="on the cross-validation's answers" if info["folds"] else "on other unseen seekers",
        generic=f"{100 * info['recipe']['generic']:.0f}",
        **info["trained_on"],
        start=info["recipe"]["share"][0],
        stop=info["recipe"]["share"][1],
        tested=figures["er"]["n"] if figures else 0,
        rows="\n".join(_row(TITLES[name], figures[name]) for name in MECHANISMS if figures),
        paper=", ".join(f"{name.upper()} {a} / {f}" for name, (a, f) in PAPER.items()),
        folds=FOLDS.format(rows=_fold_rows(info["folds"])) if info["folds"] else "",
    )


def _layers(config: Mapping[str, Any]) -> dict[str, str]:
    return {
        "layers": f", its first {config['layers']} layers" if config["layers"] else "",
        "from_layer": f" from layer {config['first_layer']} up" if config["first_layer"] else "",
    }


def _stop(info: Mapping[str, Any]) -> str:
    done = info["epochs_done"]
    return f" --stop {done}" if done < info["recipe"]["epochs"] else ""


def _row(title: str, one: Mapping[str, Any]) -> str:
    by_class = " / ".join(_percent(value) for value in one["f1"])
    rationale = [f"{_percent(one[key])} ({_percent(one[key + '_all'])})" for key in ("token_f1", "iou_f1")]
    cells = [_percent(one["accuracy"]), _percent(one["macro_f1"]), by_class, f"{one['qwk']:.2f}"]
    return f"| {title} | {' | '.join([*cells, _percent(one['ece']), *rationale])} |"


def _fold_rows(folds: Mapping[str, Any]) -> str:
    return "\n".join(f"| {TITLES[name]} | {' | '.join(_fold_row(folds[name]))} |" for name in MECHANISMS)


def _fold_row(one: Mapping[str, Any]) -> list[str]:
    found = [one["accuracy"], one["macro_f1"], *one["f1"], *(one[key] for key in ("qwk", "ece", "token_f1", "iou_f1"))]
    return [f"{_percent(mean)} ± {_percent(spread)}" for mean, spread in found]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
