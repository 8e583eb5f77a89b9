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
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from trial.questions import (
    Code,
    Eligibility,
    Item,
    Option,
    Rule,
    Scale,
    Strict,
    Survey,
    Text,
    no_repeats,
)
from trial.reviewed import ReviewedPost, embed_reviewed
from trial.study_files import ProtocolError, read_text, read_yaml

__all__ = [
    "AllocationPlan",
    "Arm",
    "Check",
    "Code",
    "Consent",
    "Contact",
    "Country",
    "Crisis",
    "Eligibility",
    "FeedbackPolicy",
    "Instructions",
    "Item",
    "Option",
    "Outcome",
    "Post",
    "Protocol",
    "ProtocolError",
    "Resource",
    "Rule",
    "Scale",
    "Statement",
    "Strict",
    "Survey",
    "Text",
    "TrainingPage",
    "Writing",
    "parse_protocol",
    "read_protocol",
]


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
    block_sizes: tuple[Annotated[int, Field(ge=1)], ...] = ()

    @model_validator(mode="after")
    def blocks_fit_method(self) -> Self:
        if self.method != "simple" and not self.block_sizes:
            raise ValueError("block methods need block_sizes")
        if (self.method == "stratified_blocks") != bool(self.strata):
            raise ValueError("strata are given exactly when the method is stratified_blocks")
        return self


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
    additions: dict[Code, Text] = Field(default_factory=dict)


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
    """`gate`: expected total (0-6) from which nothing is suggested; `reviewed`: all that may be said, by post."""

    scorer: Text
    outcome_scorer: Text
    rewriter: Text
    gate: float = Field(gt=0, le=6)
    min_gain: float = Field(0.1, ge=0)
    max_suggestions: int = Field(3, ge=1, le=5)
    lease_seconds: int = Field(15, ge=2, le=120)
    timeout_seconds: int = Field(60, ge=5, le=600)
    max_attempts: int = Field(3, ge=1, le=10)
    reviewed: tuple[ReviewedPost, ...] = ()


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
    def codes_are_unique(self) -> Self:
        no_repeats((a.code for a in self.arms), "arm")
        no_repeats((p.code for p in self.posts), "post")
        no_repeats((t.code for t in self.training), "training page")
        no_repeats((o.code for o in self.outcomes), "outcome")
        return self

    @model_validator(mode="after")
    def parts_fit_together(self) -> Self:
        if set(self.surveys) != {"pre", "post"}:
            raise ValueError("surveys: both pre and post are needed")
        if sum(a.reference for a in self.arms) != 1:
            raise ValueError("arms: exactly one arm is the reference")
        if len(self.posts) < self.writing.per_participant:
            raise ValueError(f"writing: {self.writing.per_participant} posts each, but only {len(self.posts)} in all")
        return self

    @model_validator(mode="after")
    def allocation_fits_arms(self) -> Self:
        total = sum(a.weight for a in self.arms)
        for size in self.allocation.block_sizes:
            if size % total:
                raise ValueError(f"allocation: block size {size} is no multiple of the weights' sum {total}")
        for stratum in self.allocation.strata:
            self.stratum_item(stratum)
        return self

    @model_validator(mode="after")
    def interventions_have_an_arm(self) -> Self:
        known = {a.intervention for a in self.arms}
        named = dict.fromkeys(self.instructions.additions, "instructions")
        for item in (i for survey in self.surveys.values() for i in survey.items):
            named |= dict.fromkeys(item.interventions, f"item {item.code}")
        for code, place in named.items():
            if code not in known:
                raise ValueError(f"{place}: no arm has the intervention {code}")
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
        document = self.model_dump(mode="json")
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


# --- Reading a folder ---------------------------------------------------------------------

POST_COLUMNS = ["code", "topic", "risk", "text"]


def read_protocol(folder: Path) -> Protocol:
    """Read and validate a study folder.

    Raises:
        ProtocolError: a file is missing, unreadable or breaks the schema.
    """
    main = folder / "protocol.yaml"
    data = read_yaml(main)
    if not isinstance(data, dict):
        raise ProtocolError(main, "", "must be a mapping")
    _embed_texts(folder, data)
    files = {
        "posts": folder / _posts_file(data),
        "crisis": folder / str(data.get("crisis", "crisis.yaml")),
        "sap": folder / "sap.yaml",
    }
    posts = _posts(files["posts"])
    embed_reviewed(folder, data.get("feedback"), {post.code: post.text for post in posts})
    data |= {
        "posts": posts,
        "crisis": read_yaml(files["crisis"]),
        "sap": read_yaml(files["sap"]),
    }
    try:
        return Protocol.model_validate(data)
    except ValidationError as error:
        place, reason = _first(error)
        raise ProtocolError(files.get(place.split(".")[0], main), place, reason) from error


def parse_protocol(document: dict[str, Any]) -> Protocol:
    """The protocol of a stored, already validated document."""
    return Protocol.model_validate(document)


def _first(error: ValidationError) -> tuple[str, str]:
    """Place and reason of the first thing that is wrong; a misspelt key before what it left missing."""
    first = min(error.errors(), key=lambda found: found["type"] == "missing")
    place = ".".join(str(part) for part in first["loc"])
    return place, first["msg"].removeprefix("Value error, ")


def _embed_texts(folder: Path, data: dict[str, Any]) -> None:
    """Replace the name of each text file by its text."""
    pages = data.get("training")
    owners = [data.get("consent"), data.get("instructions"), *(pages if isinstance(pages, list) else [])]
    for owner in owners:
        if isinstance(owner, dict) and isinstance(owner.get("document"), str):
            owner["document"] = read_text(folder / owner["document"])
    instructions = data.get("instructions")
    additions = instructions.get("additions") if isinstance(instructions, dict) else None
    if isinstance(additions, dict):
        additions.update({key: read_text(folder / str(name)) for key, name in additions.items()})
    if isinstance(data.get("debrief"), str):
        data["debrief"] = read_text(folder / data["debrief"])


def _posts_file(data: dict[str, Any]) -> str:
    writing = data.get("writing")
    return str(writing.get("posts", "posts.csv") if isinstance(writing, dict) else "posts.csv")


def _posts(file: Path) -> list[Post]:
    """The posts; every error names its line, which in a file of long texts is not its number."""
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), strict=True)
    posts: dict[str, Post] = {}
    try:
        if reader.fieldnames != POST_COLUMNS:
            raise ProtocolError(file, "line 1", f"columns must be {', '.join(POST_COLUMNS)}")
        for row in reader:
            post = _post(row, file, f"line {reader.line_num}")
            if post.code in posts:
                raise ProtocolError(file, f"line {reader.line_num}", f"post {post.code} is given twice")
            posts[post.code] = post
    except csv.Error as error:
        raise ProtocolError(file, f"line {reader.line_num + 1}", str(error)) from error
    return list(posts.values())


def _post(row: dict[str, Any], file: Path, line: str) -> Post:
    if None in row or None in row.values():
        raise ProtocolError(file, line, f"must have {len(POST_COLUMNS)} columns")
    try:
        return Post.model_validate(row)
    except ValidationError as error:
        column, reason = _first(error)
        raise ProtocolError(file, f"{line}, {column}", reason) from error
