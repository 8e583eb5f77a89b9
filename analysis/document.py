"""What a report holds, as plain values that JSON can carry and a template can print."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Numbers beside a figure. The first column names the row."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Drawing:
    """A figure: its title, what it shows in words, and the SVG file in the report's folder."""

    name: str
    title: str
    description: str


@dataclass(frozen=True)
class Part:
    """One result: the sentence first, then figure and table; or why there is no result."""

    id: str
    title: str
    role: str
    sentence: str = ""
    problem: str = ""
    tables: tuple[Table, ...] = ()
    drawing: Drawing | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A chapter of the report."""

    id: str
    title: str
    intro: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class FlowBox:
    """One box of the flow: a heading, lines in it, and the box of those who left beside it."""

    title: str
    lines: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowChart:
    """The CONSORT 2025 flow, ready to print."""

    top: tuple[FlowBox, ...]
    arms: tuple[tuple[FlowBox, ...], ...]


@dataclass(frozen=True)
class Fact:
    """One line of where the numbers come from."""

    name: str
    value: str


@dataclass(frozen=True)
class Document:
    """The whole report."""

    title: str
    study: str
    warnings: tuple[str, ...]
    headline: str
    flow: FlowChart | None
    flow_problem: str
    sections: tuple[Section, ...]
    provenance: tuple[Fact, ...]
    made_at: str = field(default="")
