"""The sheet of `tabular`: rows, marginals beside those of the law, and what each dial does."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from generators.tabular.model import GAP, SHARE, Tabular

mpl.use("Agg")
import matplotlib.pyplot as plt

ROWS = 20_000
REAL, MADE = "#b8b8b8", "#1f5fa8"


def draw(folder: Path) -> list[Path]:
    """Write the picture; return the file."""
    clean = Tabular.load()
    made, real = clean.sample(ROWS, seed=1), clean.reference_items(ROWS, seed=1)
    figure = plt.figure(figsize=(11, 8.2), dpi=90)
    top, middle, bottom = figure.add_gridspec(3, 1, height_ratios=(1.15, 1, 1), hspace=0.42)
    _rows(figure.add_subplot(top), made.head(6))
    for place, column in zip(middle.subgridspec(1, 5, wspace=0.12), made.select_dtypes("number"), strict=True):
        axes = figure.add_subplot(place)
        low, high = np.quantile(real[column], [0, 0.995])
        whole = max(1, round((high - low) / 30)) if column in ("age", "years_employed", "score") else (high - low) / 30
        bins = np.arange(low - 0.5, high + whole, whole) if isinstance(whole, int) else np.arange(low, high, whole)
        axes.hist(real[column], bins, color=REAL, label="the law")
        axes.hist(made[column], bins, color=MADE, histtype="step", lw=1.3, label="tabular")
        axes.set(title=column, yticks=[])
        if column == "income":
            axes.set_xticks([20_000, 60_000], ["20k", "60k"])
        if column == "age":
            axes.legend(fontsize=7, loc="upper right", frameon=False)
    left, centre, right = (figure.add_subplot(place) for place in bottom.subgridspec(1, 3, wspace=0.3))
    for rows, colour in ((real, REAL), (made, MADE)):
        by_age = (rows.income / 1000).groupby(rows.age // 4 * 4 + 1.5).agg(["mean", "size"])
        centre.plot(by_age["mean"][by_age["size"] > 50], color=colour, lw=2)
    centre.set(title="mean income by age: what it misses", xlabel="age", ylabel="thousands", ylim=(0, 40))
    _approvals(left)
    right.bar([f"{dose:g}" for dose in (0.0, *SHARE)], [_leak(dose) for dose in (0.0, *SHARE)], color=MADE)
    right.set(title="share of rows that are training rows", xlabel="leak", ylim=(0, 1))
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    path = folder / "docs" / "pictures" / "tabular.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)
    return [path]


def _rows(axes: plt.Axes, rows: object) -> None:
    axes.axis("off")
    axes.set_title("rows of the clean generator")
    table = axes.table(rows.values.tolist(), colLabels=list(rows), loc="center", cellLoc="center")  # type: ignore[attr-defined]
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.scale(1, 1.35)
    table.auto_set_column_width(list(range(rows.shape[1])))  # type: ignore[attr-defined]
    for (row, _), cell in table.get_celld().items():
        cell.set(edgecolor="#dddddd", facecolor="#eef2f7" if row == 0 else "white")


def _approvals(axes: plt.Axes) -> None:
    doses = (0.0, *GAP)
    for offset, group, colour in ((-0.2, "A", MADE), (0.2, "B", "#d08a2e")):
        rates = []
        for dose in doses:
            rows = Tabular.load(group_bias=dose).sample(ROWS, seed=2)
            rates.append((rows.decision[rows.group == group] == "approved").mean())
        axes.bar(np.arange(len(doses)) + offset, rates, 0.38, color=colour, label=f"group {group}")
    axes.set_xticks(range(len(doses)), [f"{dose:g}" for dose in doses])
    axes.set(title="approved", xlabel="group_bias", ylim=(0, 1))
    axes.legend(fontsize=8, ncols=2, frameon=False)


def _leak(dose: float) -> float:
    return float(Tabular.load(leak=dose).card["truth"]["leak"]["value"])
