from __future__ import annotations

import math
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from reports.charts import WIDTH, CurveChart, CurvePoint, Dot, IntervalChart, describe, drawable, svg

NS = "{http://www.w3.org/2000/svg}"
numbers = st.floats(-1e140, 1e140, allow_nan=False)
triples = st.lists(numbers, min_size=3, max_size=3).map(sorted)


def parsed(chart):
    text = svg(chart, "k")
    assert "nan" not in text.replace("dominant", "").lower()
    assert "style=" not in text
    return ElementTree.fromstring(text)


def in_frame(root):
    height = float(root.get("height"))
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            if element.get(name) is not None:
                assert -1 <= float(element.get(name)) <= WIDTH + 1
        for name in ("y", "y1", "y2", "cy"):
            if element.get(name) is not None:
                assert -1 <= float(element.get(name)) <= height + 1


def test_a_chart_shows_the_reading_the_limit_the_baseline_and_the_controls():
    dots = (
        Dot("this target", 0.11, 0.08, 0.15),
        Dot("baseline", 0.0, 0.0, 0.01, "baseline"),
        Dot("faulty", 0.9, 0.87, 0.94, "found"),
        Dot("clean", 0.0, role="clear"),
    )
    root = parsed(IntervalChart("Copies", "share", dots, 0.01))
    assert root.find(f"{NS}title").text == "Copies"
    assert "this target: 11% [8%, 15%]" in root.find(f"{NS}desc").text
    assert "Limit 1%; values above it are worse." in root.find(f"{NS}desc").text
    assert len(root.findall(f"{NS}circle")) == 1
    assert [r.get("class") for r in root.findall(f"{NS}rect")] == [
        "zone",
        "dot-baseline hollow",
        "dot-found",
        "dot-clear hollow",
    ]
    assert [t.text for t in root.findall(f"{NS}text") if "limit" in t.text] == ["limit 1%, worse →"]
    in_frame(root)


def test_many_dots_have_a_line_each_and_fit_a_page():
    few, many = (IntervalChart("t", "share", tuple(Dot(f"d{i}", 0.5) for i in range(n)), 0.4) for n in (12, 60))
    assert few.says_readings
    assert [t.text for t in parsed(few).findall(f"{NS}text")].count("50%") >= 12
    assert not many.says_readings
    root = parsed(many)
    in_frame(root)
    assert [t.text for t in root.findall(f"{NS}text") if t.text.startswith("d")] == [f"d{i}" for i in range(60)]
    assert float(root.get("height")) / WIDTH < 279 / 90  # of a page of A4, and of a chart on it: 30 times 8.5 points


def test_the_worse_side_is_left_where_less_is_worse():
    chart = IntervalChart("Coverage", "", (Dot("a", 0.8, 0.7, 0.9),), 0.6, higher_is_worse=False)
    root = parsed(chart)
    zone, line = root.find(f"{NS}rect[@class='zone']"), root.findall(f"{NS}line")[-1]
    assert math.isclose(float(zone.get("x")) + float(zone.get("width")), float(line.get("x1")), abs_tol=0.02)
    assert "values below it are worse" in describe(chart)


@settings(deadline=None)
@given(st.lists(triples, min_size=1, max_size=5), st.none() | numbers, st.sampled_from(["share", "", "nats"]))
def test_any_drawable_values_stay_in_the_frame(rows, limit, unit):
    values = [v for row in rows for v in row] + ([] if limit is None else [limit])
    if drawable(values):
        in_frame(parsed(IntervalChart("t", unit, tuple(Dot("d", v, low, high) for low, v, high in rows), limit)))


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9))
def test_any_drawable_curve_stays_in_the_frame(points):
    if drawable(x for x, _ in points) and drawable(y for _, y in points):
        in_frame(parsed(CurveChart("t", "x", "y", tuple(CurvePoint(x, y) for x, y in points))))


def test_what_no_axis_can_hold_is_not_drawn():
    assert not drawable([])
    assert not drawable([1e200, 0.0])
    assert not drawable([1.0, 1.0 + 1e-15])
    assert drawable([3.0])


def test_labels_are_escaped():
    root = parsed(IntervalChart("<b>&", "", (Dot("</text><script>", 1.0),)))
    assert root.find(f"{NS}title").text == "<b>&"
    assert not list(root.iter(f"{NS}script"))
