"""The figures of a report, drawn by Altair to SVG on the server: no style attribute, no script.

Colours are Okabe and Ito's, told apart with every colour vision; shape or place always says the
same as colour. Narrow enough that letters stay readable on a phone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from altair.utils import schemapi

from analysis.estimators.values import Effect, MeansResult

BLUE, ORANGE, INK, LINE = "#0072B2", "#D55E00", "#22302f", "#b9b4a8"
LEVELS = ("#dcd8cf", "#7fb2d9", "#0b4f86")
WIDTH, LABELS, ROW = 430, 168, 46  # pixels; a figure is as wide everywhere, its labels as they need
Given = ParamSpec("Given")
FONT = "DejaVu Sans, Verdana, sans-serif"


@dataclass(frozen=True)
class Caption:
    """A figure's file name and title; `description` says in words what it shows."""

    name: str
    title: str
    description: str


@dataclass(frozen=True)
class Figure:
    """One drawing and its caption."""

    caption: Caption
    svg: str


def unchecked(draw: Callable[Given, Figure]) -> Callable[Given, Figure]:
    """Altair checks every piece of a chart against a schema, which takes longer than all estimates.

    Our charts are fixed; the tests draw every one of them, and vl-convert refuses a broken one.
    """

    @wraps(draw)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> Figure:
        with schemapi.debug_mode(False):  # noqa: FBT003
            return draw(*args, **kwargs)

    return drawn


def _figure(chart: Any, caption: Caption) -> Figure:
    return Figure(caption, to_svg(chart.properties(description=caption.description)))


@dataclass(frozen=True)
class Row:
    """One line of a forest: an estimate with its interval; the main one is drawn bolder."""

    label: str
    effect: Effect
    main: bool = False
    scale: float = 1.0


def to_svg(chart: alt.TopLevelMixin) -> str:
    """Raises nothing a reader should see: specs are built here from checked numbers."""
    configured = chart.configure(
        background="white",
        padding={"left": 8, "right": 12, "top": 8, "bottom": 8},
        font=FONT,
        axis=alt.AxisConfig(
            labelFontSize=13,
            titleFontSize=13,
            titleFontWeight="normal",
            labelColor=INK,
            titleColor=INK,
            gridColor="#ece8df",
            domainColor=LINE,
            tickColor=LINE,
            labelLimit=LABELS,
            titlePadding=10,
        ),
        legend=alt.LegendConfig(labelFontSize=13, titleFontSize=13, labelColor=INK, titleColor=INK, orient="top"),
        view=alt.ViewConfig(stroke=None),
    )
    return str(vl_convert.vegalite_to_svg(configured.to_dict()))


def wrapped(label: str, width: int = 23) -> str:
    return "|".join(textwrap.wrap(label, width))


def extent(labels: Iterable[str]) -> int:
    """Room for the longest line of the labels, at most LABELS."""
    longest = max((len(line) for label in labels for line in label.split("|")), default=0)
    return min(LABELS, round(8.2 * longest) + 10)


def _labels(frame: pd.DataFrame, room: int) -> alt.Y:
    """Rows in the order given, long labels on several lines."""
    axis = alt.Axis(
        title=None,
        labelExpr="split(datum.label, '|')",
        ticks=False,
        domain=False,
        minExtent=room,
        maxExtent=room,
    )
    return alt.Y("label:N", sort=list(dict.fromkeys(frame["label"])), axis=axis)


# --- Forest -------------------------------------------------------------------------------


def forest(rows: Sequence[Row], *, title: str, room: int, null: float = 0.0) -> Any:
    """Estimates and intervals on one axis, with a line at no difference; `room` is for the labels."""
    frame = pd.DataFrame(
        {
            "label": wrapped(row.label),
            "estimate": row.effect.estimate * row.scale,
            "low": row.effect.low * row.scale,
            "high": row.effect.high * row.scale,
            "main": row.main,
        }
        for row in rows
    )
    y = _labels(frame, room)
    scale = alt.Scale(domain=_domain(frame, null), nice=False)
    base = alt.Chart(frame).encode(y=y)
    x = alt.X("low:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    width = alt.condition("datum.main", alt.value(3.5), alt.value(2))
    line = base.mark_rule(color=BLUE).encode(x=x, x2="high:Q", strokeWidth=width)
    size = alt.condition("datum.main", alt.value(150), alt.value(80))
    dot = base.mark_point(shape="square", filled=True, color=BLUE, opacity=1).encode(
        x=alt.X("estimate:Q", scale=scale), size=size
    )
    zero = alt.Chart(pd.DataFrame({"x": [null]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="x:Q")
    return alt.layer(zero, line, dot).properties(width=WIDTH - room, height=_row(frame) * len(frame))


def _row(frame: pd.DataFrame) -> int:
    """Height of a row: enough for the label with the most lines."""
    return max(ROW, 17 * (1 + int(frame["label"].str.count(r"\|").max())) + 8)


def _domain(frame: pd.DataFrame, null: float) -> list[float]:
    low, high = min(frame["low"].min(), null), max(frame["high"].max(), null)
    margin = 0.06 * (high - low) or 0.1
    return [float(low - margin), float(high + margin)]


@unchecked
def forest_figure(rows: Sequence[Row], *, axis: str, caption: Caption) -> Figure:
    return _figure(forest(rows, title=axis, room=extent(wrapped(row.label) for row in rows)), caption)


# --- Primary estimation plot --------------------------------------------------------------


@unchecked
def estimation(
    people: pd.DataFrame, result: MeansResult, *, labels: dict[str, str], axis: str, caption: Caption
) -> Figure:
    """Every participant's mean and the adjusted means above, the difference with its interval below."""
    room = extent(["Difference", *(wrapped(label) for label in labels.values())])
    above = _strips(_dots(people, result, labels), _means(result, labels), axis, room)
    other, reference = labels[result.arms[1].arm], labels[result.arms[0].arm]
    contrast = f"{other} minus {reference}, points"
    below = forest([Row("Difference", result.difference, main=True)], title=contrast, room=room)
    return _figure(alt.vconcat(above, below, spacing=26), caption)


def _dots(people: pd.DataFrame, result: MeansResult, labels: dict[str, str]) -> pd.DataFrame:
    frame = people.dropna(subset=["y"])[["arm", "y"]].copy()
    order = {arm.arm: place for place, arm in enumerate(result.arms)}
    frame["label"] = frame["arm"].map(lambda code: wrapped(labels[code]))
    # A fixed spread, so that the same data always give the same drawing.
    spread = np.random.default_rng(0).uniform(-0.28, 0.28, len(frame))
    frame["place"] = frame["arm"].map(order).astype(float) + spread
    return frame


def _means(result: MeansResult, labels: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "place": float(place),
            "label": wrapped(labels[arm.arm]),
            "estimate": arm.adjusted.estimate,
            "low": arm.adjusted.low,
            "high": arm.adjusted.high,
        }
        for place, arm in enumerate(result.arms)
    )


def _strips(dots: pd.DataFrame, means: pd.DataFrame, axis: str, room: int) -> Any:
    names = list(means["label"])
    colour = alt.Color("label:N", scale=alt.Scale(domain=names, range=[ORANGE, BLUE]), legend=None)
    texts = " : ".join(f"datum.value == {n} ? split({_quoted(name)}, '|')" for n, name in enumerate(names))
    y = alt.Y(
        "place:Q",
        scale=alt.Scale(domain=[-0.5, 1.5], reverse=True, nice=False),
        axis=alt.Axis(
            title=None,
            values=[0, 1],
            labelExpr=f"{texts} : ''",
            grid=False,
            ticks=False,
            domain=False,
            minExtent=room,
            maxExtent=room,
        ),
    )
    x = alt.X("y:Q", title=axis, scale=alt.Scale(domain=_range(dots["y"])), axis=alt.Axis(tickCount=5))
    points = alt.Chart(dots).mark_circle(size=26, opacity=0.35).encode(x=x, y=y, color=colour)
    bars = alt.Chart(means).mark_rule(strokeWidth=3.5, color=INK).encode(x="low:Q", x2="high:Q", y=y)
    marks = alt.Chart(means).mark_point(shape="diamond", size=150, filled=True, color=INK, opacity=1)
    return alt.layer(points, bars, marks.encode(x="estimate:Q", y=y)).properties(width=WIDTH - room, height=170)


def _range(values: pd.Series) -> list[float]:
    return [float(min(0.0, np.floor(values.min()))), float(np.ceil(values.max()) or 1.0)]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- Mechanisms ---------------------------------------------------------------------------


@unchecked
def mechanisms(shares: pd.DataFrame, *, caption: Caption) -> Figure:
    """Share of replies at each level. Columns: mechanism, arm, level, share."""
    order = ["none", "weak", "strong"]
    frame = shares.assign(
        label=shares["arm"].map(lambda name: wrapped(name, 18)), rank=shares["level"].map(order.index)
    )
    panels = [_mechanism(frame[frame["mechanism"] == name], name, order) for name in frame["mechanism"].unique()]
    return _figure(alt.vconcat(*panels, spacing=14), caption)


def _mechanism(frame: pd.DataFrame, name: str, order: list[str]) -> alt.Chart:
    room = extent(frame["label"])
    colour = alt.Color(
        "level:N",
        scale=alt.Scale(domain=order, range=list(LEVELS)),
        legend=alt.Legend(title="Level", orient="top"),
    )
    x = alt.X(
        "share:Q",
        title=None,
        stack="zero",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    chart: Any = alt.Chart(frame).mark_bar(stroke="white", strokeWidth=1)
    return chart.encode(y=_labels(frame, room), x=x, color=colour, order="rank:O").properties(  # type: ignore[no-any-return]
        width=WIDTH - room,
        height=30 * frame["label"].nunique(),
        title=alt.TitleParams(name, anchor="start", fontSize=14),
    )


# --- Survey outcomes ----------------------------------------------------------------------


@unchecked
def two_forests(above: Sequence[Row], below: Sequence[Row], *, axes: tuple[str, str], caption: Caption) -> Figure:
    """Scales in points above, proportions in percentage points below; either may be empty."""
    room = extent(wrapped(row.label) for row in (*above, *below))
    panels = [forest(rows, title=axis, room=room) for rows, axis in zip((above, below), axes, strict=True) if rows]
    return _figure(alt.vconcat(*panels, spacing=26), caption)
