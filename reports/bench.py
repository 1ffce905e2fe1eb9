"""A benchmark of detectors: CSV, Markdown and a page, from the result of ``guardrails bench``. Nothing is computed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails.core.results.bench import AcrossRow, BenchResult, CalibrationRow, FamilyRow, MeanRow, VerdictsRow

from .charts import CurveChart, CurvePoint, svg
from .cost import use_line
from .exchange.csv_ import cell
from .renderer import Renderer
from .text import visible

_LEFT_OUT = "Each column's family was left out of what the row was fitted to."
SHADES = 10
"""Steps of colour between an AUC of 0 and one of 1; the middle is chance."""


@dataclass(frozen=True)
class Cell:
    """One field of a heat map."""

    text: str
    shade: int | None
    title: str


@dataclass(frozen=True)
class Grid:
    """A heat map: a table whose fields are coloured by their AUC."""

    title: str
    what: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


class BenchMarkdown(Renderer[BenchResult]):
    """The tables of a paper."""

    format = "markdown"
    accepts = BenchResult
    title = "the tables of a paper: means, the matrix of families, robustness, calibration"

    def render(self, result: BenchResult, *, run_folder: Path | None = None) -> bytes:
        return to_markdown(result).encode()


class BenchHtml(Renderer[BenchResult]):
    """One self-contained page."""

    format = "html"
    accepts = BenchResult
    title = "heat maps, curves and tables as one self-contained page"

    def render(self, result: BenchResult, *, run_folder: Path | None = None) -> bytes:
        return to_html(result).encode()


class BenchCsv(Renderer[BenchResult]):
    """Every row of every table."""

    format = "csv"
    accepts = BenchResult
    title = "every row of every table, for spreadsheets and data frames"

    def render(self, result: BenchResult, *, run_folder: Path | None = None) -> bytes:
        return to_csv(result).encode()


def to_csv(result: BenchResult) -> str:
    """Return every row of every table, with the table's name; columns that a table lacks are empty."""
    rows = [{"table": name, **row} for name, table in result.tables.model_dump().items() for row in table]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, list | tuple):
        return cell(" ".join(f"{x:g}" if isinstance(x, int | float) else str(x) for x in value))
    return cell(value)


def summary_markdown(result: BenchResult) -> str:
    """Return what sums a benchmark up, as Markdown: means, verdicts and calibration, by data set and by kind."""
    return "\n".join(f"## {title}\n\n{_table(columns, rows)}\n" for title, columns, rows in summary_tables(result))


def to_markdown(result: BenchResult) -> str:
    """Return the tables of a paper: mean and worst AUC, the matrix of families, robustness, calibration."""
    parts = [f"# Detectors compared\n\n{_in_markdown(_said(result))}\n"]
    for title, columns, rows in _tables(result):
        parts.append(f"## {title}\n\n{_table(columns, rows)}\n")
    for grid in _grids(result):
        rows = [
            [name, *(cell.title if cell.shade is not None else cell.text for cell in cells)]
            for name, cells in grid.rows
        ]
        parts.append(f"## {_in_markdown(grid.title)}: AUC\n\n{grid.what}\n\n{_table(['', *grid.columns], rows)}\n")
    left = [f"- {_in_markdown(row.what)}: {_in_markdown(row.why)}" for row in result.left_out]
    parts.append("## What was left out\n\n" + ("\n".join(left) or "Nothing.") + "\n")
    parts.append(f"## Provenance\n\n{_in_markdown(_provenance(result))}\n")
    return "\n".join(parts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [map(_in_markdown, columns), ["---"] * len(columns), *(map(_in_markdown, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def to_html(result: BenchResult) -> str:
    """Return the page: it loads nothing and runs nothing."""
    from .html import _environment, _markup, _style, csp_hash

    style = _style()
    page = {
        "said": _said(result),
        "grids": list(_grids(result)),
        "tables": [(t, c, [[visible(str(x)) for x in row] for row in r]) for t, c, r in _tables(result)],
        "curves": [(c.title, _markup(svg(c, f"curve-{i}"))) for i, c in enumerate(_curves(result))],
        "provenance": _provenance(result),
        "left_out": [(visible(row.what), visible(row.why)) for row in result.left_out],
    }
    template = _environment().get_template("bench.html.j2")
    return template.render(page=page, style=_markup(style), style_hash=csp_hash(style))


def _said(result: BenchResult) -> str:
    s = result.settings
    items = ", ".join(f"{row.family} {row.n}" for row in result.data)
    baseline = " deepfake.metadata reads the original files: its score shows how much their metadata reveal."
    return visible(
        f"{len(s.detectors)} detectors, {len(s.perturbations)} changes, seed {s.seed}. Items: {items}."
        f" Before anything else {s.encoded}. Intervals are 95%, over sources."
        " A shipped detector may have been trained on some of these items or families: its card names them."
        f"{baseline if 'deepfake.metadata' in s.detectors else ''}"
    )


def _provenance(result: BenchResult) -> str:
    h, v, s = result.hashes, result.versions, result.settings
    asked = [
        *s.data, *(f"--detectors {name}" for name in s.detectors),
        *(f"--generators {name}" for name in s.generators),
        *(f"--perturbations {name}" for name in s.perturbations if name != "none"),
        *(["--leave-one-family-out"] if s.leave_one_family_out else []), f"-n {s.n}", f"--seed {s.seed}",
    ]  # fmt: skip
    return visible(
        f"guardrails bench {' '.join(asked)}. Sources {h.sources}, data {h.data}; "
        + ", ".join(f"{k} {v[k]}" for k in sorted(v))
        + (f". It used {use_line(result.cost)}." if result.cost else "")
    )


def summary_tables(result: BenchResult) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield the title, the columns and the rows of means, verdicts and calibration."""
    tables = result.tables
    for rows, title in (
        (tables.means, "As shipped: mean over families"),
        (tables.left_out_means, "With each family left out"),
    ):
        if rows:
            yield title, [*WHERE, "families", "generated", "real", "mean AUC", "worst family", "its AUC"], [
                [
                    *_where(r), str(r.families), _count(r.n_generated), _count(r.n_real),
                    _interval(r.mean_auc, r.mean_low, r.mean_high), r.worst,
                    _interval(r.worst_auc, r.worst_low, r.worst_high),
                ]
                for r in rows
            ]  # fmt: skip
    if tables.verdicts:
        columns = [
            "items",
            "n",
            "of",
            "synthetic",
            "nothing found",
            "abstained",
            "mean share synthetic",
            "largest share",
        ]
        yield "Verdicts on real items of so many sources, and on generated ones of so many families", [
            *WHERE, *columns
        ], [
            [
                *_where(r), r.label, str(r.n), str(r.units), str(r.synthetic), str(r.nothing_found), str(r.abstain),
                _interval(*r.share), f"{r.worst}: {_interval(*r.worst_share)}" if r.worst else "–",
            ]
            for r in tables.verdicts
        ]  # fmt: skip
    if rated := [r for r in tables.calibration if r.n]:
        yield "Calibration of the probabilities that were given", [*WHERE, "n", "debiased error", "Brier score"], [
            [
                *_where(r), str(r.n), _interval(r.error, r.error_low, r.error_high),
                _interval(r.brier, r.brier_low, r.brier_high),
            ]
            for r in rated
        ]  # fmt: skip


WHERE = ("detector", "change", "data", "kind")


def _where(row: MeanRow | VerdictsRow | CalibrationRow) -> list[str]:
    return [row.detector, row.perturbation, row.data or "all", row.kind or "all"]


def _count(n: int | None) -> str:
    return "–" if n is None else str(n)


def _tables(result: BenchResult) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    tables = result.tables
    yield from summary_tables(result)
    columns = ["detector", "family", "generated", "real", "AUC", "TPR at 5% FPR", "called synthetic", "of real ones"]
    plain = [r for r in tables.shipped if r.perturbation == "none"]
    yield "As shipped, each family", columns, [
        [
            r.detector, r.family, str(r.n_generated), str(r.n_real),
            _interval(r.auc, r.auc_low, r.auc_high), _interval(r.tpr5, r.tpr5_low, r.tpr5_high),
            _interval(*r.called_synthetic), _interval(*r.called_synthetic_of_real),
        ]
        for r in plain
    ]  # fmt: skip
    if left := [r for r in tables.left_out if r.perturbation == "none"]:
        yield "With each family left out, each family", columns[:6], [
            [
                r.detector, r.family, str(r.n_generated), str(r.n_real),
                _interval(r.auc, r.auc_low, r.auc_high), _interval(r.tpr5, r.tpr5_low, r.tpr5_high),
            ]
            for r in left
        ]  # fmt: skip
    yield (
        "Real items called synthetic, by source",
        ["detector", "source", "n", "share", "abstained"],
        [
            [
                r.detector,
                r.source,
                str(r.n),
                _interval(r.fpr, r.low, r.high),
                _interval(*r.abstains),
            ]
            for r in tables.false_alarms
        ],
    )
    yield (
        "How strong the changes were, as measured",
        ["change", "n", "mean", "smallest", "largest"],
        [[r.perturbation, str(r.n), _number(r.mean), _number(r.smallest), _number(r.largest)] for r in tables.severity],
    )


def _grids(result: BenchResult) -> Iterator[Grid]:
    tables = result.tables
    for every, title, what in (
        (tables.shipped, "As shipped", "Rows: detectors with the weights that they came with. Columns: families."),
        (
            tables.left_out,
            "With each family left out",
            "Each column's family was left out of what its row was fitted to.",
        ),
    ):
        plain = {(r.detector, r.family): r for r in every if r.perturbation == "none"}
        if plain:
            yield _grid(title, what, plain)
    across = tables.across
    for detector in dict.fromkeys(r.detector for r in across):
        what = (
            "Rows: the one family that it was fitted to. Columns: families that it was tried on. A dash: too few"
            " pictures or sources, since nothing that it was fitted to is scored."
        )
        mine = {(r.fitted_to, r.family): r for r in across if r.detector == detector}
        yield _grid(f"From one family to another: {visible(detector)}", what, mine)


def _grid(title: str, what: str, rows: Mapping[tuple[str, str], FamilyRow | AcrossRow]) -> Grid:
    """Return a heat map of rows by (name of the line, family)."""
    columns = tuple(dict.fromkeys(family for _, family in rows))
    lines = tuple(
        (visible(name), tuple(_shaded(rows.get((name, column))) for column in columns))
        for name in dict.fromkeys(name for name, _ in rows)
    )
    return Grid(title, what, tuple(visible(c) for c in columns), lines)


def _shaded(row: FamilyRow | AcrossRow | None) -> Cell:
    if row is None or row.auc is None:
        return Cell("–", None, "" if row is None else visible(row.reason))
    shade = min(int(row.auc * SHADES), SHADES - 1)
    return Cell(_number(row.auc), shade, _interval(row.auc, row.auc_low, row.auc_high))


def _curves(result: BenchResult) -> Iterator[CurveChart]:
    """The mean AUC of each detector over the strengths of each kind of change that has two or more."""
    tables = result.tables
    for rows, title in ((tables.means, "as shipped"), (tables.left_out_means, "with each family left out")):
        for detector in dict.fromkeys(r.detector for r in rows):
            kinds: dict[str, list[CurvePoint]] = {}
            for row in rows:
                kind, _, strength = row.perturbation.partition("=")
                if row.detector == detector and strength and not (row.data or row.kind):
                    kinds.setdefault(kind, []).append(
                        CurvePoint(float(strength), row.mean_auc, row.mean_low, row.mean_high)
                    )
            for kind, points in kinds.items():
                if len(points) > 1:
                    ordered = tuple(sorted(points, key=lambda p: p.x))
                    yield CurveChart(f"{visible(detector)}, {title}: {kind}", kind, "mean AUC", ordered)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(value: float | None = None, low: float | None = None, high: float | None = None) -> str:
    return "–" if value is None or low is None or high is None else f"{value:.3f} [{low:.2f}, {high:.2f}]"


def _in_markdown(text: Any) -> str:
    """Return text on one line that is shown as it is; names are folders' and may be anyone's."""
    shown = visible(str(text)).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|`]|\](?=[(\[:]))", r"\\\1", shown)
