"""A finding over several audits as SVG: a dot with its interval for each audit, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .charts import WIDTH, axis_of, drawable, element, frame, scale_of, text_at
from .text import number, reading

LEFT, RIGHT, TOP, BOTTOM = 60, WIDTH - 12, 26, 150
LABELS = 12
"""At most so many numbers of audits stand below the axis."""


@dataclass(frozen=True)
class TrendPoint:
    """What one audit has: a value with its interval, the limit then, and whether it became worse or better there."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    change: str = ""


@dataclass(frozen=True)
class TrendChart:
    """One finding over the audits, the oldest first."""

    title: str
    unit: str
    points: tuple[TrendPoint, ...]


def can_draw(chart: TrendChart) -> bool:
    """Whether an axis can hold the values."""
    return drawable(_values(chart))


def trend_svg(chart: TrendChart, key: str) -> str:
    """Return the chart as one SVG element; `key` makes its ids unique within a page."""
    low, high, ticks = axis_of(_values(chart), share=chart.unit == "share")
    up = scale_of(low, high, BOTTOM, TOP)
    n = len(chart.points)
    across = [LEFT + (i + 0.5) / n * (RIGHT - LEFT) for i in range(n)]
    body = []
    for t in ticks:
        body.append(element("line", x1=LEFT, y1=up(t), x2=RIGHT, y2=up(t), stroke="currentColor", stroke_opacity=0.12))
        body.append(
            text_at(number(t, chart.unit), LEFT - 8, up(t) + 4, text_anchor="end", font_size=12, class_="quiet")
        )
    every = -(-n // LABELS)
    for i, x in enumerate(across):
        if (n - 1 - i) % every == 0:
            body.append(text_at(f"{i + 1}", x, BOTTOM + 18, text_anchor="middle", font_size=12, class_="quiet"))
    half = (RIGHT - LEFT) / n / 2
    for point, x in zip(chart.points, across, strict=True):
        if point.limit is not None:
            line = {"x1": x - half, "y1": up(point.limit), "x2": x + half, "y2": up(point.limit)}
            body.append(element("line", **line, stroke="currentColor", stroke_width=1.5, stroke_dasharray="5 4"))
        body += _dot(point, x, up)
    body.append(text_at("audit", LEFT - 8, BOTTOM + 18, text_anchor="end", font_size=12, class_="quiet"))
    return frame(chart.title, describe(chart), BOTTOM + 28, key, body)


def _dot(point: TrendPoint, x: float, up: Callable[[float], float]) -> list[str]:
    if point.value is None:
        return []
    out = []
    if point.low is not None and point.high is not None:
        bottom, top = up(point.low), up(point.high)
        path = f"M{x:.2f} {bottom:.2f}V{top:.2f}M{x - 5:.2f} {bottom:.2f}H{x + 5:.2f}M{x - 5:.2f} {top:.2f}H{x + 5:.2f}"
        out.append(element("path", d=path, stroke="currentColor", stroke_width=2, fill="none", class_="dot-own"))
    out.append(element("circle", cx=x, cy=up(point.value), r=5, fill="currentColor", class_="dot-own"))
    if point.change in ("worse", "better"):
        out.append(text_at("✕" if point.change == "worse" else "✓", x, TOP - 10, text_anchor="middle", font_weight=600))
    return out


def _values(chart: TrendChart) -> Sequence[float]:
    return [v for p in chart.points for v in (p.value, p.low, p.high, p.limit) if v is not None]


def describe(chart: TrendChart) -> str:
    """Say in words what the chart shows, for those who do not see it."""
    known = [(i, p) for i, p in enumerate(chart.points, 1) if p.value is not None]
    if not known:
        return f"No values in {len(chart.points)} audits."
    (first, a), (last, b) = known[0], known[-1]
    return (
        f"{len(known)} of {len(chart.points)} audits have a value: {reading(a.value, a.low, a.high, chart.unit)} in "
        f"audit {first}, {reading(b.value, b.low, b.high, chart.unit)} in audit {last}."
    )
