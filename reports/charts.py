"""Charts as SVG, written by hand: dots with intervals against a threshold, and curves.

Every chart has a title, a description and (written by its caller) a table with the same figures. Attributes only, no
style attribute: the page's content security policy forbids them. Classes add colour where a style sheet is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from .text import number, reading

WIDTH = 420
"""In pixels: narrow enough for a telephone and for a column of paper, with texts that can be read there."""
_LEFT, _RIGHT = 26, WIDTH - 26
_ROW, _DENSE_ROW = 44, 18
_MANY = 12
"""Of more dots than these, each has one line with its label beside it; its reading stands in the table alone."""
Role = Literal["own", "baseline", "found", "clear"]


@dataclass(frozen=True)
class Dot:
    """A value with its interval, under a label."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    role: Role = "own"


@dataclass(frozen=True)
class IntervalChart:
    """Rows of dots with intervals on one axis, and the threshold as a dashed line through all of them."""

    title: str
    unit: str
    dots: tuple[Dot, ...]
    limit: float | None = None
    higher_is_worse: bool = True

    @property
    def says_readings(self) -> bool:
        """Whether every reading is written beside its dot."""
        return len(self.dots) <= _MANY


@dataclass(frozen=True)
class CurvePoint:
    """A point of a curve, with its interval."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class CurveChart:
    """Points with intervals joined by a line, over a numeric axis."""

    title: str
    x_label: str
    y_label: str
    points: tuple[CurvePoint, ...]


Chart = IntervalChart | CurveChart


def drawable(values: Iterable[float]) -> bool:
    """Whether an axis can hold these values: finite, and of a spread that floating point can divide."""
    seen = list(values)
    if not seen or not all(math.isfinite(v) and abs(v) < 1e150 for v in seen):
        return False
    spread = max(seen) - min(seen)
    return spread == 0 or spread > max(1e-150, 1e-9 * max(map(abs, seen)))


def svg(chart: Chart, key: str) -> str:
    """Return the chart as one SVG element; `key` makes its ids unique within a page."""
    return _intervals(chart, key) if isinstance(chart, IntervalChart) else _curve(chart, key)


def element(name: str, *children: str, **attributes: object) -> str:
    """Return an element with escaped attributes, numbers to two places; its children are markup."""
    parts = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(round(value, 2) if isinstance(value, float) else value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{''.join(parts)}>{''.join(children)}</{name}>"


def text_at(content: str, x: float, y: float, **attributes: object) -> str:
    """Return an escaped text at a place."""
    return element("text", escape(content), x=x, y=y, fill="currentColor", **attributes)


def frame(title: str, description: str, height: int, key: str, body: Sequence[str]) -> str:
    """Return a chart with its title and a description for those who do not see it."""
    return element(
        "svg", element("title", escape(title), id=f"{key}-t"),
        element("desc", escape(description), id=f"{key}-d"), *body,
        xmlns="http://www.w3.org/2000/svg", class_="chart", viewBox=f"0 0 {WIDTH} {height}", width=WIDTH, height=height,
        role="img", aria_labelledby=f"{key}-t", aria_describedby=f"{key}-d", font_size=13,
    )  # fmt: skip


def axis_of(values: Sequence[float], *, share: bool) -> tuple[float, float, list[float]]:
    """Return the ends of an axis that holds the values, and its ticks. Zero belongs to it unless it is far away."""
    low, high = min(values), max(values)
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    within = share and low >= 0 and high <= 1
    low, high = low - pad if low != 0 else low, high + pad
    if within:
        low, high = max(low, 0.0), min(high, 1.0)
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    ticks = [(first + i) * step for i in range(12)]
    return low, high, [t for t in ticks if t <= high + 1e-9 * step]


def scale_of(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    """Return the map of an axis to pixels; what lies beyond an end is put there."""
    return lambda v: start + (min(max(v, low), high) - low) / (high - low) * (stop - start)


def _intervals(chart: IntervalChart, key: str) -> str:
    share = chart.unit == "share"
    limit = chart.limit
    bounds = [v for d in chart.dots for v in (d.value, d.low, d.high) if v is not None]
    low, high, ticks = axis_of(bounds + ([limit] if limit is not None else []), share=share)
    left, row = (_LEFT, _ROW) if chart.says_readings else (_LEFT + 170, _DENSE_ROW)
    place = scale_of(low, high, left, _RIGHT)
    top = 30 if limit is not None else 8
    bottom = top + row * len(chart.dots)
    body = [_grid(place(t), top, bottom, number(t, chart.unit)) for t in ticks]
    if limit is not None:
        label = f"limit {number(limit, chart.unit)}"
        body += _limit_line(place(limit), left, top, bottom, label, chart.higher_is_worse)
    for i, dot in enumerate(chart.dots):
        y = top + row * i
        body += _dot_row(dot, place, y + 18, "share" if share else "") if chart.says_readings else _line(dot, place, y)
    height = bottom + 26
    if chart.unit and not share:  # once, below the axis
        body.append(text_at(_cut(chart.unit, 50), WIDTH, height + 8, text_anchor="end", font_size=12, class_="quiet"))
        height += 14
    return frame(chart.title, describe(chart), height, key, body)


def _grid(x: float, top: float, bottom: float, label: str) -> str:
    line = element("line", x1=x, y1=top, x2=x, y2=bottom, stroke="currentColor", stroke_opacity=0.12)
    return line + text_at(label, x, bottom + 18, text_anchor="middle", font_size=12, class_="quiet")


def _limit_line(x: float, start: float, top: float, bottom: float, label: str, higher_is_worse: bool) -> list[str]:
    left, right = (x, _RIGHT + 8) if higher_is_worse else (start - 8, x)
    anchor = "start" if x < start + 80 else "end" if x > _RIGHT - 80 else "middle"
    text = f"{label}, worse →" if higher_is_worse else f"← worse, {label}"
    width = max(right - left, 0.0)
    return [
        element(
            "rect",
            x=left,
            y=top,
            width=width,
            height=bottom - top,
            fill="currentColor",
            fill_opacity=0.06,
            class_="zone",
        ),
        element(
            "line", x1=x, y1=top - 6, x2=x, y2=bottom, stroke="currentColor", stroke_width=1.5, stroke_dasharray="5 4"
        ),
        text_at(text, x, top - 12, text_anchor=anchor, font_size=12),
    ]


def _dot_row(dot: Dot, place: Callable[[float], float], y: float, unit: str) -> list[str]:
    """Write a label and, at the other end, its reading; below them the dot, since no label leaves room beside it."""
    ours = dot.role == "own"
    said = reading(dot.value, dot.low, dot.high, unit)
    label = _cut(dot.label, max(55 - len(said), 12))
    out = [
        text_at(label, 0, y, font_size=12, font_weight=600 if ours else 400),
        text_at(said, WIDTH, y, text_anchor="end", font_size=12, class_="quiet"),
    ]
    return [*out, *_dot(dot, place, y + 14)]


def _line(dot: Dot, place: Callable[[float], float], y: float) -> list[str]:
    """Write a label and the dot beside it."""
    return [text_at(_cut(dot.label, 26), 0, y + 13, font_size=11), *_dot(dot, place, y + 9)]


def _dot(dot: Dot, place: Callable[[float], float], y: float) -> list[str]:
    ours, tone, out = dot.role == "own", f"dot-{dot.role}", []
    if dot.low is not None and dot.high is not None:
        out.append(_whisker(place(dot.low), place(dot.high), y, 3.0 if ours else 1.75, tone))
    return [*out, _symbol(dot.role, place(dot.value), y, tone)]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _whisker(x1: float, x2: float, y: float, width: float, tone: str) -> str:
    path = f"M{x1:.2f} {y:.1f}H{x2:.2f}M{x1:.2f} {y - 5:.1f}V{y + 5:.1f}M{x2:.2f} {y - 5:.1f}V{y + 5:.1f}"
    return element("path", d=path, stroke="currentColor", stroke_width=width, fill="none", class_=tone)


def _symbol(role: Role, x: float, y: float, tone: str) -> str:
    """A disc for the target, a diamond for the baseline, squares for controls: told apart without colour."""
    if role == "own":
        return element("circle", cx=x, cy=y, r=6.5, fill="currentColor", class_=tone)
    size = 6 if role == "baseline" else 5
    turn = {"transform": f"rotate(45 {x:.2f} {y:.2f})"} if role == "baseline" else {}
    hollow = role != "found"
    return element(
        "rect", x=x - size, y=y - size, width=2 * size, height=2 * size, stroke="currentColor", stroke_width=1.75,
        fill="currentColor", class_=f"{tone} hollow" if hollow else tone, **turn,
    )  # fmt: skip


def _curve(chart: CurveChart, key: str) -> str:
    left, right, top, bottom = 56, WIDTH - 20, 30, 200
    ys = [v for p in chart.points for v in (p.y, p.low, p.high) if v is not None]
    y_low, y_high, y_ticks = axis_of(ys, share=False)
    x_low, x_high, x_ticks = axis_of([p.x for p in chart.points], share=False)
    across, up = scale_of(x_low, x_high, left, right), scale_of(y_low, y_high, bottom, top)
    body = [_grid(across(t), top, bottom, number(t)) for t in x_ticks]
    for t in y_ticks:
        body.append(element("line", x1=left, y1=up(t), x2=right, y2=up(t), stroke="currentColor", stroke_opacity=0.12))
        body.append(text_at(number(t), left - 8, up(t) + 4, text_anchor="end", font_size=12, class_="quiet"))
    line = " ".join(f"{across(p.x):.2f},{up(p.y):.2f}" for p in chart.points)
    body.append(
        element("polyline", points=line, fill="none", stroke="currentColor", stroke_width=1.5, class_="dot-own")
    )
    for p in chart.points:
        if p.low is not None and p.high is not None:
            stem = f"M{across(p.x):.2f} {up(p.low):.2f}V{up(p.high):.2f}"
            body.append(
                element("path", d=stem, stroke="currentColor", stroke_width=2, stroke_opacity=0.55, class_="dot-own")
            )
        body.append(element("circle", cx=across(p.x), cy=up(p.y), r=3.5, fill="currentColor", class_="dot-own"))
    body.append(text_at(_cut(chart.y_label, 58), 0, 14, font_size=12))
    body.append(text_at(_cut(chart.x_label, 58), right, bottom + 38, text_anchor="end", font_size=12))
    return frame(chart.title, describe(chart), bottom + 48, key, body)


def describe(chart: Chart) -> str:
    """Say in words what the chart shows, for those who do not see it."""
    if isinstance(chart, CurveChart):
        first, last = chart.points[0], chart.points[-1]
        return (
            f"{chart.y_label} over {chart.x_label}, {len(chart.points)} points: from {number(first.y)} at "
            f"{number(first.x)} to {number(last.y)} at {number(last.x)}."
        )
    said = "; ".join(f"{d.label}: {reading(d.value, d.low, d.high, chart.unit)}" for d in chart.dots)
    if chart.limit is None:
        return f"{said}."
    side = "above" if chart.higher_is_worse else "below"
    return f"{said}. Limit {number(chart.limit, chart.unit)}; values {side} it are worse."
