"""The schema of a study folder, and the reader that refuses an invalid one with file, place and reason.

A study is `protocols/<slug>/`: `protocol.yaml`, the texts it names, `posts.csv`, `crisis.yaml`
and `sap.yaml`. `read_protocol` returns one self-contained `Protocol`; its canonical JSON is
what is stored, hashed and pinned, so the folder may change without changing a running study.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ProtocolError(Exception):
    """An invalid study folder: which file, where in it, and why."""

    code = "invalid_protocol"

    def __init__(self, file: Path | str, place: str, reason: str) -> None:
        self.file, self.place, self.reason = str(file), place, reason
        super().__init__(f"{file}: {place}: {reason}" if place else f"{file}: {reason}")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# --- People and arms ----------------------------------------------------------------------


class Arm(Strict):
    """One arm. `label` is for reports after unblinding; no page shows it before."""

    code: Code
    label: Text
    weight: int = Field(1, ge=1, le=10)
    intervention: Code = "none"
    reference: bool = False


class AllocationPlan(Strict):
    """How participants are allocated. Strata name survey items as `survey.item`."""

    method: Literal["simple", "permuted_blocks", "stratified_blocks"]
    strata: tuple[str, ...] = ()
    block_sizes: tuple[int, ...] = ()

    @model_validator(mode="after")
    def blocks_fit_method(self) -> Self:
        if self.method != "simple" and not self.block_sizes:
            raise ValueError("block methods need block_sizes")
        if (self.method == "stratified_blocks") != bool(self.strata):
            raise ValueError("strata are given exactly when the method is stratified_blocks")
        return self


# --- Questions ----------------------------------------------------------------------------


class Option(Strict):
    value: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
    label: Text


class Item(Strict):
    """One question. `interventions` restricts it to arms with one of those interventions."""

    code: Code
    kind: Literal["likert", "single", "multiple", "number", "text", "attention"]
    text: Text
    help: str = ""
    options: tuple[Option, ...] = ()
    low: str = ""
    high: str = ""
    points: int = Field(7, ge=2, le=11)
    minimum: int | None = None
    maximum: int | None = None
    max_length: int = Field(2000, ge=1, le=10_000)
    required: bool = True
    reverse: bool = False
    correct: str = ""
    interventions: tuple[Code, ...] = ()

    @model_validator(mode="after")
    def parts_fit_kind(self) -> Self:
        if self.kind in ("single", "multiple") and len(self.options) < 2:
            raise ValueError(f"item {self.code}: {self.kind} needs at least two options")
        if self.kind == "attention" and self.correct not in {o.value for o in self.options}:
            raise ValueError(f"item {self.code}: attention needs options and the correct one")
        if self.kind == "likert" and not (self.low and self.high):
            raise ValueError(f"item {self.code}: likert needs low and high anchors")
        _no_repeats((o.value for o in self.options), f"item {self.code}: option")
        return self

    def shown_to(self, intervention: str) -> bool:
        return not self.interventions or intervention in self.interventions


class Scale(Strict):
    """A score over Likert items: their mean after reversing, if enough are answered."""

    code: Code
    title: Text
    items: tuple[Code, ...] = Field(min_length=1)
    min_answered: float = Field(0.5, gt=0, le=1)
    source: str = ""


class Survey(Strict):
    title: Text
    intro: str = ""
    items: tuple[Item, ...] = Field(min_length=1)
    scales: tuple[Scale, ...] = ()

    @model_validator(mode="after")
    def codes_are_whole(self) -> Self:
        _no_repeats((i.code for i in self.items), "item")
        likert = {i.code for i in self.items if i.kind == "likert"}
        for scale in self.scales:
            for code in scale.items:
                if code not in likert:
                    raise ValueError(f"scale {scale.code}: {code} is no likert item of this survey")
        return self

    def item(self, code: str) -> Item:
        return next(i for i in self.items if i.code == code)


class Rule(Strict):
    """Eligible when the screening answer is at least `minimum`, or one of `values`."""

    item: Code
    minimum: int | None = None
    values: tuple[str, ...] = ()
    reason: Text
    safety: bool = False

    def met_by(self, answer: Any) -> bool:
        if self.minimum is not None:
            return isinstance(answer, int) and answer >= self.minimum
        return str(answer) in self.values


class Eligibility(Strict):
    survey: Survey
    rules: tuple[Rule, ...] = Field(min_length=1)


# --- Pages --------------------------------------------------------------------------------


class Statement(Strict):
    """One sentence the participant ticks to consent."""

    code: Code
    text: Text


class Consent(Strict):
    document: Text
    version: Text
    statements: tuple[Statement, ...] = Field(min_length=1)


class Check(Strict):
    """A comprehension question; a wrong answer explains and asks again."""

    question: Text
    options: tuple[Option, ...] = Field(min_length=2)
    answer: str
    explanation: Text

    @model_validator(mode="after")
    def answer_is_an_option(self) -> Self:
        if self.answer not in {o.value for o in self.options}:
            raise ValueError(f"answer {self.answer!r} is not among the options")
        return self


class TrainingPage(Strict):
    code: Code
    title: Text
    document: Text
    check: Check | None = None


class Instructions(Strict):
    """Instructions for everybody, and what an intervention adds."""

    document: Text
    additions: dict[Code, Text] = {}


class Post(Strict):
    code: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
    topic: Text
    risk: Literal["low", "moderate"]
    text: Text


class Writing(Strict):
    posts: Text
    per_participant: int = Field(ge=1, le=100)
    max_length: int = Field(5000, ge=100, le=20_000)


class FeedbackPolicy(Strict):
    """`gate`: expected total (0-6) from which nothing is suggested."""

    scorer: Text
    outcome_scorer: Text
    rewriter: Text
    gate: float = Field(gt=0, le=6)
    min_gain: float = Field(0.1, ge=0)
    max_suggestions: int = Field(3, ge=1, le=5)
    lease_seconds: int = Field(15, ge=2, le=120)
    timeout_seconds: int = Field(60, ge=5, le=600)
    max_attempts: int = Field(3, ge=1, le=10)


class Resource(Strict):
    name: Text
    phone: str = ""
    text: str = ""
    url: str = ""
    hours: str = ""
    source: Text
    checked: Text

    @model_validator(mode="after")
    def reachable(self) -> Self:
        if not (self.phone or self.text or self.url):
            raise ValueError(f"{self.name}: needs a phone, a text number or a url")
        return self


class Country(Strict):
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    name: Text
    emergency: Text
    resources: tuple[Resource, ...] = Field(min_length=1)


class Crisis(Strict):
    """`finder` is the international directory shown to everybody."""

    finder: Resource
    countries: tuple[Country, ...] = Field(min_length=1)


class Outcome(Strict):
    code: Code
    role: Literal["primary", "secondary", "exploratory"]
    title: Text
    definition: Text


class Contact(Strict):
    name: Text
    email: Text


# --- The whole ----------------------------------------------------------------------------


class Protocol(Strict):
    """A whole study, texts and posts included."""

    slug: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    version: Text
    title: Text
    summary: Text
    contact: Contact
    target: int = Field(ge=1)
    expected_minutes: int = Field(ge=1)
    inactive_days: int = Field(14, ge=1)
    arms: tuple[Arm, ...] = Field(min_length=2)
    allocation: AllocationPlan
    eligibility: Eligibility
    consent: Consent
    surveys: dict[Literal["pre", "post"], Survey]
    training: tuple[TrainingPage, ...]
    instructions: Instructions
    writing: Writing
    feedback: FeedbackPolicy
    crisis: Crisis
    outcomes: tuple[Outcome, ...] = Field(min_length=1)
    recruitment_sources: tuple[Code, ...] = ()
    debrief: Text
    posts: tuple[Post, ...] = Field(min_length=1)
    sap: dict[str, Any]

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        _no_repeats((a.code for a in self.arms), "arm")
        _no_repeats((p.code for p in self.posts), "post")
        _no_repeats((t.code for t in self.training), "training page")
        if set(self.surveys) != {"pre", "post"}:
            raise ValueError("surveys: both pre and post are needed")
        if sum(a.reference for a in self.arms) != 1:
            raise ValueError("arms: exactly one arm is the reference")
        if len(self.posts) < self.writing.per_participant:
            raise ValueError(f"writing: {self.writing.per_participant} posts each, but only {len(self.posts)} in all")
        total = sum(a.weight for a in self.arms)
        for size in self.allocation.block_sizes:
            if size % total:
                raise ValueError(f"allocation: block size {size} is no multiple of the weights' sum {total}")
        for stratum in self.allocation.strata:
            self.stratum_item(stratum)
        screening = {i.code for i in self.eligibility.survey.items}
        for rule in self.eligibility.rules:
            if rule.item not in screening:
                raise ValueError(f"eligibility: rule on unknown item {rule.item}")
        return self

    def stratum_item(self, name: str) -> Item:
        """The single-choice item that `survey.item` names.

        Raises:
            ValueError: the item does not exist or is not single choice.
        """
        survey, _, code = name.partition(".")
        for key, value in self.surveys.items():
            for item in value.items:
                if key == survey and item.code == code and item.kind == "single":
                    return item
        raise ValueError(f"allocation: stratum {name} is no single-choice item of a survey")

    def arm(self, code: str) -> Arm:
        return next(a for a in self.arms if a.code == code)

    def survey(self, key: str) -> Survey:
        """Screening, pre or post survey by its name."""
        return self.eligibility.survey if key == "screening" else self.surveys[key]  # type: ignore[index]

    def canonical_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


def _no_repeats(codes: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise ValueError(f"{what} {code} is given twice")
        seen.add(code)


# --- Reading a folder ---------------------------------------------------------------------

TEXTS = (("consent", "document"), ("instructions", "document"))


def read_protocol(folder: Path) -> Protocol:
    """Read and validate a study folder.

    Raises:
        ProtocolError: a file is missing, unreadable or breaks the schema.
    """
    main = folder / "protocol.yaml"
    data = _yaml(main)
    if not isinstance(data, dict):
        raise ProtocolError(main, "", "must be a mapping")
    _embed_texts(folder, data)
    data["posts"] = _posts(folder, data)
    data["crisis"] = _yaml(folder / str(data.get("crisis", "crisis.yaml")))
    data["sap"] = _yaml(folder / "sap.yaml")
    try:
        return Protocol.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ProtocolError(_file_of(folder, place, data), place, first["msg"]) from error


def parse_protocol(document: dict[str, Any]) -> Protocol:
    """The protocol of a stored, already validated document."""
    return Protocol.model_validate(document)


def _file_of(folder: Path, place: str, data: dict[str, Any]) -> Path:
    if place.startswith("posts"):
        return folder / str(data.get("writing", {}).get("posts", "posts.csv"))
    return folder / {"crisis": "crisis.yaml", "sap": "sap.yaml"}.get(place.split(".")[0], "protocol.yaml")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ProtocolError(file, "", "no such file") from error
    except UnicodeDecodeError as error:
        raise ProtocolError(file, f"byte {error.start}", "is not UTF-8") from error


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(_read(file))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else ""
        raise ProtocolError(file, place, f"is not YAML: {getattr(error, 'problem', error)}") from error


def _embed_texts(folder: Path, data: dict[str, Any]) -> None:
    """Replace the name of each text file by its text."""
    owners = [data[key] for key, _ in TEXTS if isinstance(data.get(key), dict)]
    owners += [page for page in data.get("training") or [] if isinstance(page, dict)]
    for owner in owners:
        if isinstance(owner.get("document"), str):
            owner["document"] = _read(folder / owner["document"])
    instructions = data.get("instructions")
    additions = instructions.get("additions") if isinstance(instructions, dict) else None
    for key, name in (additions or {}).items():
        additions[key] = _read(folder / str(name))
    if isinstance(data.get("debrief"), str):
        data["debrief"] = _read(folder / data["debrief"])


def _posts(folder: Path, data: dict[str, Any]) -> list[dict[str, str]]:
    writing = data.get("writing")
    file = folder / str(writing.get("posts", "posts.csv") if isinstance(writing, dict) else "posts.csv")
    reader = csv.DictReader(io.StringIO(_read(file)), strict=True)
    wanted = ["code", "topic", "risk", "text"]
    if reader.fieldnames != wanted:
        raise ProtocolError(file, "line 1", f"columns must be {', '.join(wanted)}")
    rows = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ProtocolError(file, f"line {reader.line_num}", f"must have {len(wanted)} columns")
            rows.append(row)
    except csv.Error as error:
        raise ProtocolError(file, f"line {reader.line_num}", str(error)) from error
    return rows
