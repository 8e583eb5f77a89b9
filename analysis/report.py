"""Turns the findings on a snapshot into a document, its figures, and files that stand alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string

from analysis import flowchart
from analysis.ard import Number, Source, Stamp, to_csv
from analysis.dataset import Dataset
from analysis.document import Document, Fact, FlowChart
from analysis.estimators.flow import Flow, FlowError
from analysis.findings import evaluate, numbers
from analysis.sections import Draft, say, sections

SCRAMBLED = (
    "Dry run on scrambled arms (seed {seed}): arms were dealt out anew at random, so every difference "
    "below is chance. Nothing here says anything about the trial."
)
SIMULATED = "These are simulated participants. Nothing here says anything about real people."
BLINDED = "The study is not locked: arms are called A and B, and which is which is not known here."


def build(data: Dataset, stamp: Stamp, *, made_at: str) -> tuple[Document, Draft]:
    """The document; the draft returned beside it holds the figures and every number."""
    draft = Draft(data, stamp, made_at)
    found = evaluate(data)
    flow, flow_problem = _flow(draft)
    for finding in found:
        draft.numbers += numbers(data, finding)
    primary = next(f for f in found if f.analysis.role == "primary")
    document = Document(
        title=data.manifest.title,
        study=data.manifest.study,
        warnings=_warnings(data),
        headline=say(draft, primary) or primary.problem,
        flow=flow,
        flow_problem=flow_problem,
        sections=tuple(s for s in sections(draft, found) if s.parts),
        provenance=_provenance(draft),
        made_at=made_at,
    )
    return document, draft


def _warnings(data: Dataset) -> tuple[str, ...]:
    manifest = data.manifest
    texts = []
    if manifest.who == "simulated":
        texts.append(SIMULATED)
    if manifest.scramble is not None:
        texts.append(SCRAMBLED.format(seed=manifest.scramble))
    elif manifest.blinded:
        texts.append(BLINDED)
    return tuple(texts)


def _flow(draft: Draft) -> tuple[FlowChart | None, str]:
    data = draft.data
    try:
        flow = flowchart.count(data)
    except FlowError as error:
        return None, f"The counts of the flow do not add up: {error}."
    draft.numbers += _flow_numbers(flow)
    return flowchart.chart(flow, data.labels, data.manifest.posts_per_participant), ""


def _flow_numbers(flow: Flow) -> Iterable[Number]:
    source = Source("flow", "flow", "all", "participants", "people", "count")
    yield source.number("all", "assessed", flow.assessed)
    yield source.number("all", "randomised", flow.randomised)
    yield source.number("all", "before_randomisation", flow.before_randomisation)
    for loss in flow.excluded:
        yield source.number("all", loss.reason.replace(" ", "_"), loss.n)
    for arm in flow.arms:
        for name, value in asdict(arm).items():
            if isinstance(value, int):
                yield source.number(arm.arm, name, value)
        for loss in arm.losses:
            yield source.number(arm.arm, loss.reason.replace(" ", "_"), loss.n)


def _provenance(draft: Draft) -> tuple[Fact, ...]:
    manifest, stamp = draft.data.manifest, draft.stamp
    kind = "scrambled" if manifest.scramble is not None else "A and B" if manifest.blinded else "real"
    return (
        Fact("Study", f"{manifest.study}, protocol {manifest.protocol_version}, {manifest.study_state}"),
        Fact("Protocol", manifest.protocol_sha256),
        Fact("Snapshot", stamp.snapshot),
        Fact("Participants", f"{manifest.who}, arms {kind}"),
        Fact("Plan", stamp.plan),
        Fact("Code", stamp.code),
        Fact("Outcome scorer", stamp.releases),
        Fact("Intervals", f"{draft.data.plan.level * 100:g}%, two-sided; no correction for multiple tests"),
        Fact("Made", draft.made_at),
    )


# --- Files --------------------------------------------------------------------------------


def write(document: Document, draft: Draft, folder: Path) -> list[Path]:
    """Write everything: the page, the numbers, the drawings, and what the site needs to print it again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures").mkdir(exist_ok=True)
    for name, svg in draft.drawings.items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    contents = {
        "report.html": standalone(document, draft.drawings),
        "results.csv": to_csv(draft.numbers, draft.stamp),
        "results.json": _json({"stamp": asdict(draft.stamp), "numbers": [asdict(n) for n in draft.numbers]}),
        "document.json": _json(asdict(document)),
    }
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in contents if name != "document.json"]


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def standalone(document: Document, drawings: dict[str, str]) -> str:
    """One HTML file that needs nothing else, to keep or send."""
    css = (settings.BASE_DIR / "static" / "css" / "report.css").read_text(encoding="utf-8")
    return render_to_string(
        "analysis/standalone.html", {"document": asdict(document), "drawings": drawings, "css": css}
    )
