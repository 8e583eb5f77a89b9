"""The chapters of a report: each result in a sentence, a drawing and a table, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analysis import figures, tables, words
from analysis.ard import Number, Source, Stamp
from analysis.dataset import Dataset
from analysis.document import Drawing, Part, Section, Table
from analysis.estimators.values import MeansResult, ProportionsResult, SubgroupResult
from analysis.figures import Caption, Figure, Row
from analysis.findings import Finding, unit_of
from analysis.plan import REPLY_OUTCOMES
from analysis.words import Voice

HELD_BACK = "How feedback was used would tell the arms apart, so it is held back until the study is locked."
NO_REPLY = "No reply has been submitted yet."
LEVELS = "How many of the replies show each mechanism weakly or strongly. A description of replies, not a test."
USE = "What was asked for, offered and taken. People chose to ask, so this does not show what feedback does."
CAPTIONS = {
    caption.name: caption
    for caption in (
        Caption(
            "primary",
            "Expressed empathy by arm, and the difference",
            "Every dot is one participant's mean over their replies; the diamond is the adjusted mean with "
            "its interval. Below, the difference between the arms with its interval; the broken line is no "
            "difference.",
        ),
        Caption(
            "subgroup",
            "Difference between the arms by subgroup",
            "Difference with its interval inside and outside the subgroup, and how much the two differ.",
        ),
        Caption(
            "mechanisms",
            "Level of each mechanism by arm",
            "Share of replies with no, weak and strong communication of each mechanism, by arm.",
        ),
        Caption(
            "surveys",
            "Survey outcomes: differences between the arms",
            "Above, differences in points on scales; below, differences in percentage points. The broken "
            "line is no difference.",
        ),
        Caption(
            "sensitivity",
            "The primary result under other analyses",
            "Difference with its interval in the primary analysis and in each sensitivity analysis.",
        ),
    )
}


@dataclass
class Draft:
    """A report in the making: the data, and the drawings and numbers that its parts leave behind."""

    data: Dataset
    stamp: Stamp
    made_at: str
    drawings: dict[str, str] = field(default_factory=dict)
    numbers: list[Number] = field(default_factory=list)

    def draw(self, figure: Figure) -> Drawing:
        self.drawings[figure.caption.name] = figure.svg
        return Drawing(figure.caption.name, figure.caption.title, figure.caption.description)

    @property
    def voice(self) -> Voice:
        return Voice(self.data.labels, self.data.manifest.blinded, self.data.plan.level)

    @property
    def contrast(self) -> str:
        """Like `Arm B minus Arm A`."""
        reference, other = self.data.arms
        return f"{self.data.labels[other]} minus {self.data.labels[reference]}"


def sections(draft: Draft, found: Sequence[Finding]) -> list[Section]:
    replies = [f for f in found if f.analysis.outcome in REPLY_OUTCOMES]
    by_role = {role: [f for f in replies if f.analysis.role == role] for role in ("primary", "subgroup", "sensitivity")}
    other = [f for f in replies if f.analysis.role in ("secondary", "exploratory")]
    surveys = [f for f in found if f not in replies and f.analysis.method != "one_proportion"]
    asked = [f for f in found if f.analysis.method == "one_proportion"]
    return [
        Section("primary", "Primary outcome", parts=tuple(_primary(draft, f) for f in by_role["primary"])),
        Section(
            "subgroup",
            "Those who find it challenging",
            parts=tuple(_subgroup(draft, f) for f in by_role["subgroup"]),
        ),
        Section(
            "mechanisms",
            "The three mechanisms, and the ratio of means",
            parts=(_mechanisms(draft), *_parts(draft, other)),
        ),
        Section(
            "surveys",
            "What participants said afterwards",
            parts=(*_survey_overview(draft, surveys), *_parts(draft, surveys)),
        ),
        Section("acceptance", "What participants said about the feedback", parts=tuple(_parts(draft, asked))),
        Section(
            "sensitivity",
            "Does the primary result depend on how it is analysed?",
            parts=tuple(_sensitivity(draft, by_role)),
        ),
        Section(
            "baseline",
            "Who took part",
            parts=(Part("baseline", "Baseline", "description", tables=(tables.baseline(draft.data),)),),
        ),
        Section("exposure", "Use of feedback", parts=(_exposure(draft),)),
        Section("plan", "What was planned", parts=(_plan(draft, found),)),
    ]


def say(draft: Draft, finding: Finding) -> str:
    if finding.result is None:
        return ""
    unit = unit_of(draft.data, finding.analysis).removeprefix("points ")
    text = words.sentence(finding.result, finding.analysis, draft.voice, unit=unit, subgroup=draft.data.plan.subgroup)
    return text[:1].upper() + text[1:]


def _part(draft: Draft, finding: Finding, drawing: Drawing | None = None) -> Part:
    subgroup = draft.data.plan.subgroup
    result = finding.result
    return Part(
        id=finding.analysis.id,
        title=finding.analysis.title,
        role=finding.analysis.role,
        sentence=say(draft, finding),
        problem=finding.problem,
        tables=tables.of(finding, draft.voice, subgroup=(subgroup.label, subgroup.rest)),
        drawing=drawing,
        notes=(f"{finding.method}.", *getattr(result, "notes", ())) if result is not None else (),
    )


def _parts(draft: Draft, found: Iterable[Finding]) -> list[Part]:
    return [_part(draft, finding) for finding in found]


def _primary(draft: Draft, finding: Finding) -> Part:
    if not isinstance(finding.result, MeansResult):
        return _part(draft, finding)
    people = draft.data.with_means(finding.analysis)
    labels, axis = draft.data.labels, "Mean expressed empathy, 0 to 6"
    return _part(
        draft,
        finding,
        draft.draw(figures.estimation(people, finding.result, labels=labels, axis=axis, caption=CAPTIONS["primary"])),
    )


def _subgroup(draft: Draft, finding: Finding) -> Part:
    if not isinstance(finding.result, SubgroupResult):
        return _part(draft, finding)
    plan = draft.data.plan.subgroup
    rows = [
        Row(plan.label, finding.result.inside.difference),
        Row(plan.rest, finding.result.outside.difference),
        Row("Interaction: one minus the other", finding.result.interaction, main=True),
    ]
    return _part(
        draft,
        finding,
        draft.draw(figures.forest_figure(rows, axis=f"{draft.contrast}, points", caption=CAPTIONS["subgroup"])),
    )


def _mechanisms(draft: Draft) -> Part:
    shares = tables.level_shares(draft.data)
    if shares.empty or not shares["n"].sum():
        return Part("levels", "Levels of the replies", "description", problem=NO_REPLY)
    source = Source("levels", "description", "replies", "levels", "share", "count")
    for arm, mechanism, level, share, n in shares[["arm", "mechanism", "level", "share", "n"]].to_numpy():
        draft.numbers.append(source.number(f"{arm}:{mechanism}", level, share, n=int(n)))
    drawing = draft.draw(figures.mechanisms(shares, caption=CAPTIONS["mechanisms"]))
    return Part(
        "levels",
        "Levels of the replies",
        "description",
        LEVELS,
        tables=(tables.levels(shares),),
        drawing=drawing,
    )


def _survey_overview(draft: Draft, found: Sequence[Finding]) -> list[Part]:
    scales = [Row(f.analysis.title, f.result.difference) for f in found if isinstance(f.result, MeansResult)]
    shares = [
        Row(f.analysis.title, f.result.difference, scale=100) for f in found if isinstance(f.result, ProportionsResult)
    ]
    if not scales and not shares:
        return []
    axes = (f"{draft.contrast}, points", f"{draft.contrast}, percentage points")
    drawing = draft.draw(figures.two_forests(scales, shares, axes=axes, caption=CAPTIONS["surveys"]))
    return [Part("surveys", "All differences at one look", "description", drawing=drawing)]


def _sensitivity(draft: Draft, by_role: dict[str, list[Finding]]) -> list[Part]:
    found = by_role["sensitivity"]
    if not found:
        return []
    rows = [
        Row(
            f.analysis.title if f.analysis.role == "sensitivity" else "Primary analysis",
            f.result.difference,
            main=f.analysis.role == "primary",
        )
        for f in (*by_role["primary"], *found)
        if isinstance(f.result, MeansResult)
    ]
    drawing = None
    if len(rows) > 1:
        drawing = draft.draw(
            figures.forest_figure(rows, axis=f"{draft.contrast}, points", caption=CAPTIONS["sensitivity"])
        )
    overview = Part("sensitivity", "All analyses at one look", "description", drawing=drawing)
    return [*([overview] if drawing else []), *_parts(draft, found)]


def _exposure(draft: Draft) -> Part:
    table = tables.exposure(draft.data, draft.voice)
    if table is None:
        return Part("exposure", "Held back", "description", problem=HELD_BACK)
    return Part("exposure", "What was asked for and taken", "description", USE, tables=(table,))


def _plan(draft: Draft, found: Sequence[Finding]) -> Part:
    plan = draft.data.plan
    rows = tuple(
        (
            f.analysis.title,
            f.analysis.role,
            plan.populations[f.analysis.population].title,
            f.method,
            f.analysis.estimand.summary,
        )
        for f in found
    )
    estimand = plan.primary.estimand
    attributes = tuple((name.replace("_", " ").capitalize(), text) for name, text in estimand.model_dump().items())
    return Part(
        "plan",
        f"{plan.title}, version {plan.version}",
        "description",
        tables=(
            Table("Estimand of the primary analysis", ("Attribute", "Definition"), attributes),
            Table("Analyses", ("Analysis", "Role", "Population", "Method", "Summary"), rows),
        ),
        notes=("The plan is part of the protocol and was frozen with it. Nothing outside the plan is reported.",),
    )
