"""Whether heads on other features, and on more sources, are better than those that ship: lineages and owners left out.

    python benchmarks/deepfake/heads.py FOLDER [FOLDER ...] [--fresh NAME] [--taught varied]

FOLDER and the cache are those of ``benchmarks/deepfake/elsewhere.py`` (GUARDRAILS_TEST_DATA, GUARDRAILS_PHOTOGRAPHS,
GUARDRAILS_ART); what is not described there is described first.
The heads are of the kind that ships, fitted to the pictures whose licence permits it, each after one of the draws
`--taught`; every other picture is only judged. Rows of the folder called `--fresh` are compared with the weights that
ship, which must not have learnt from it. Features are then chosen anew in each of five parts, without what is judged.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guardrails.core.seeding import derive_seed32
from guardrails.core.statistics import Interval
from guardrails.deepfake.fusion import ENCODED
from guardrails.deepfake.images.fitted_head import cross_folds, read
from guardrails.deepfake.images.kinds import LAYER, MARGIN, drawn_score
from guardrails.kit.detection.protocol import Placed, mean_area, mean_interval
from guardrails.kit.io import cache_folder, read_image
from guardrails.kit.pictures.faces import find_faces
from guardrails.training.exams.comparison import difference
from guardrails.training.exams.elsewhere import Material
from guardrails.training.exams.images import Kernels, Rows, families
from guardrails.training.exams.verdicts import by_kind, called, rates
from guardrails.training.material.corpora import Row, rows_of
from guardrails.training.material.described_histories import vectors
from guardrails.training.material.histories import DRAWS

Array = NDArray[np.float64]
Vectors = Mapping[str, NDArray[np.float32]]
Part = tuple[NDArray[np.intp], NDArray[np.intp], dict[str, Array], dict[str, Array]]

JUDGED = ("once", "again")
TRACES = ("spectrum", "blocks", "upsampling", "residuals", "colour")
MIDDLE = tuple(f"{view}/{layer}" for view in ("whole", "centre") for layer in (7, 8, 9))
LATE = ("whole/10", "whole/11")
SHIPPED = "traces, middle tokens"
CANDIDATES = {
    SHIPPED: (*TRACES, *MIDDLE),
    "middle tokens": MIDDLE,
    "late tokens": LATE,
    "middle and late tokens, whole": (*(name for name in MIDDLE if name.startswith("whole")), *LATE),
    "late tokens of both views": (*LATE, "centre/10", "centre/11"),
    "late tokens, middle patches": (*LATE, *(f"whole/{n} {of}" for n in (7, 8, 9) for of in ("mean", "deviation"))),
    "traces, late tokens": (*TRACES, *LATE),
    "traces": TRACES,
    "traces, noise, history": (*TRACES, "noise", "history"),
}
FOLDS = 5


class Exam:
    """Rows that are learnt from after one draw each, and judged after every draw of `JUDGED`."""

    def __init__(self, rows: Sequence[Row], taught: Sequence[str]) -> None:
        self.rows = rows
        self.labels = np.array([row.label for row in rows], dtype=np.int64)
        self.groups = np.array([row.group for row in rows])
        self.sources = [row.source if row.label else row.group for row in rows]
        self.art = np.array([row.kind == "art" for row in rows])
        self.learnt = np.array([row.learnt for row in rows])
        draw = [taught[derive_seed32(0, "taught", row.name) % len(taught)] if row.learnt else JUDGED[0] for row in rows]
        self.taught = _stacked([vectors(row, d) for row, d in zip(rows, draw, strict=True)])
        self.shown = {d: _stacked([vectors(row, d) for row in rows]) for d in JUDGED}
        self._kernels: dict[tuple[str, str], Kernels] = {}

    def of(self, name: str) -> Rows:
        """Return the rows with the blocks of a candidate."""
        blocks = {block: self.taught[block].astype(np.float64) for block in CANDIDATES[name]}
        every = np.ones(len(self.rows), dtype=bool)
        return Rows(blocks, self.labels, self.groups.tolist(), self.sources, self.learnt, every, self.art)

    def left_out(self, name: str) -> dict[str, dict[str, Placed]]:
        """Leave out each lineage with each fold of owners."""
        part = self.of(name).photographs()
        return {d: families(part, {b: shown[b] for b in part.blocks}) for d, shown in self.shown.items()}

    def scores(self, name: str, draw: str, fit: NDArray[np.intp], left: NDArray[np.intp]) -> Array:
        """Fit to the rows of `fit` that may be learnt from, and score others."""
        key = (name, draw)
        if key not in self._kernels:
            part = self.of(name)
            self._kernels[key] = Kernels(part, {block: self.shown[draw][block] for block in part.blocks})
        return self._kernels[key].score(fit[self.learnt[fit]], left)

    def crossed(self, name: str, draw: str, at: NDArray[np.intp]) -> Array:
        """Score rows by heads fitted to four fifths of their lineages and owners."""
        fold, out = self.folds(at), np.empty(len(at))
        for k in range(FOLDS):
            out[fold == k] = self.scores(name, draw, at[fold != k], at[fold == k])
        return out

    def folds(self, at: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return a fold for each row, in which whole lineages and owners are."""
        return cross_folds(self.labels[at], self.groups[at].tolist(), FOLDS)

    def mean_within(self, name: str, at: NDArray[np.intp]) -> float:
        """Return the mean AUC over lineages inside the folds of some rows, and over draws: what chooses."""
        fold, areas = self.folds(at), []
        for draw in JUDGED:
            scores = self.crossed(name, draw, at)
            for k in range(FOLDS):
                real = scores[(fold == k) & (self.labels[at] == 0) & ~self.art[at]]
                for lineage in sorted(set(self.groups[at[(fold == k) & (self.labels[at] == 1)]])):
                    made = scores[(fold == k) & (self.labels[at] == 1) & (self.groups[at] == lineage)]
                    areas.append(float(_above(made, real).mean()))
        return float(np.mean(areas))

    def nested(self, names: Sequence[str]) -> tuple[list[str], list[Part]]:
        """Choose a candidate in each part without what is judged there; rows to calibrate on are permitted ones."""
        every = np.arange(len(self.rows))
        outer, chosen, parts = self.folds(every), [], []
        for k in range(FOLDS):
            left, rest = every[outer == k], every[outer != k]
            means = {name: self.mean_within(name, rest) for name in names}
            chosen.append(max(means, key=lambda name: means[name]))
            known = rest[self.learnt[rest]]
            scores = {draw: self.scores(chosen[-1], draw, rest, left) for draw in JUDGED}
            parts.append((left, known, scores, {draw: self.crossed(chosen[-1], draw, known) for draw in JUDGED}))
        return chosen, parts

    def kinds(self, draw: str) -> list[str]:
        """Return ``face``, ``drawn`` or ``other`` as the library tells them: faces on the file as it is."""
        faces = _faces(self.rows)
        drawn = [drawn_score(x) > MARGIN for x in self.shown[draw][LAYER]]
        return ["face" if n else "drawn" if d else "other" for n, d in zip(faces, drawn, strict=True)]


def _stacked(several: Sequence[Vectors]) -> dict[str, NDArray[np.float32]]:
    return {name: np.stack([one[name] for one in several]) for name in several[0] if name != "faces"}


def _faces(rows: Sequence[Row]) -> list[int]:
    place = cache_folder() / "faces.json"
    known = json.loads(place.read_text()) if place.is_file() else {}
    known |= {row.name: len(find_faces(read_image(row.path))) for row in rows if row.name not in known}
    place.write_text(json.dumps(known))
    return [known[row.name] for row in rows]


def _above(made: Array, real: Array) -> Array:
    return np.asarray((made[:, None] > real) + 0.5 * (made[:, None] == real), dtype=np.float64)


def among(by: Mapping[str, Placed], asked: NDArray[np.bool_]) -> dict[str, Placed]:
    """Return the comparisons among some of the rows."""
    out = {}
    for name, placed in by.items():
        made, real = asked[placed.generated], asked[placed.real]
        if made.any():
            out[name] = Placed(placed.above[np.ix_(made, real)], placed.generated[made], placed.real[real])
    return out


def shown(one: Interval) -> str:
    return f"{one.value:+.3f} [{one.low:+.2f}, {one.high:+.2f}]"


def show_areas(exam: Exam, names: Sequence[str], fresh: str) -> None:
    """Print each candidate's areas, less those of the features that ship, and beside the shipped weights."""
    results = {name: exam.left_out(name) for name in names}
    head = read()[0][ENCODED].head
    new = np.array([fresh in row.path.parts for row in exam.rows])
    faces = np.array(_faces(exam.rows)) > 0
    parts = {"all": new, "no face found": new & ~faces, "with a face": new & faces}
    for draw in JUDGED:
        blocks = {name: exam.shown[draw][name.replace("//", "/")].astype(np.float64) for name in head.mean}
        fixed = head.score(blocks)
        for name, by_draw in results.items():
            by = by_draw[draw]
            less = difference(by, results[SHIPPED][draw], exam.sources)
            print(f"{draw:<6} {name:<32} {len(by)} lineages {shown(mean_area(by, exam.sources))}"
                  f"  less the features that ship {shown(less)}")  # fmt: skip
            print("      ", {k: round(float(p.above.mean()), 2) for k, p in by.items()})
            for what, asked in parts.items():
                one = among(by, asked)
                other = {k: Placed(_above(fixed[p.generated], fixed[p.real]), p.generated, p.real)
                         for k, p in one.items()}  # fmt: skip
                n = f"{sum(len(p.generated) for p in one.values())} of {len(one)}"
                n += f" against {len(next(iter(one.values())).real)}"
                both = [shown(mean_area(x, exam.sources)) for x in (one, other)]
                print(f"       {fresh}, {what}: {both[0]}, weights that ship {both[1]},"
                      f" difference {shown(difference(one, other, exam.sources))} n {n}", flush=True)  # fmt: skip


def show_verdicts(exam: Exam, chosen: Sequence[str], parts: Sequence[Part]) -> None:
    """Print areas and verdicts of what was chosen in each part."""
    print("chosen in each part:", *chosen, sep="\n    ")
    material = Material(exam.rows, {}, ())
    for draw in JUDGED:
        lineages = {}
        for left, _, scores, _ in parts:
            real = (exam.labels[left] == 0) & ~exam.art[left]
            for name in sorted(set(exam.groups[left[exam.labels[left] == 1]])):
                made = (exam.labels[left] == 1) & (exam.groups[left] == name)
                lineages[name] = float(_above(scores[draw][made], scores[draw][real]).mean())
        print(draw, shown(mean_interval([(np.array(list(lineages.values())), list(lineages))])),
              {name: round(x, 2) for name, x in lineages.items()})  # fmt: skip
        kinds = exam.kinds(draw)
        for alpha in (0.05, 0.1):
            calls = called(material, parts, kinds, by_kind(alpha), draw)
            one, told = rates(material, calls, kinds), np.array(kinds)
            print(f"  {alpha:.0%} by kind: false {shown(one.mean)} worst {one.worst} recall {shown(one.recall)}"
                  f" of all {one.of_all:.2f} wrong {one.wrong:.2f}")  # fmt: skip
            for kind in ("face", "drawn", "other"):
                real, made = (calls[(exam.labels == y) & (told == kind)] for y in (0, 1))
                print(f"    {kind}: {real.sum():.0f} of {len(real)} real, {made.sum():.0f} of {len(made)} generated"
                      f" {shown(one.by_kind[kind]) if kind in one.by_kind else ''}", flush=True)  # fmt: skip


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--fresh", default="media2", help="a folder that the shipped weights have not learnt from")
    arguments.add_argument("--taught", nargs="+", choices=tuple(DRAWS), default=list(JUDGED))
    arguments.add_argument("--only", nargs="+", choices=tuple(CANDIDATES), default=list(CANDIDATES))
    options = arguments.parse_args()
    exam = Exam([row for row in rows_of(options.folders) if row.kind != "swap"], options.taught)
    print(f"{len(exam.rows)} pictures; learnt from after {options.taught}: {exam.learnt.sum()}, of"
          f" {len(set(exam.groups[exam.learnt & (exam.labels == 1)]))} lineages and"
          f" {len(set(exam.groups[exam.learnt & (exam.labels == 0)]))} owners", flush=True)  # fmt: skip
    show_areas(exam, list(dict.fromkeys([SHIPPED, *options.only])), options.fresh)
    show_verdicts(exam, *exam.nested(options.only))
    return 0


if __name__ == "__main__":
    sys.exit(main())
