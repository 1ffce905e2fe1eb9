"""Heads on lineages of generators and owners of real pictures that they have not seen: areas, false alarms, verdicts.

    python benchmarks/deepfake/elsewhere.py describe FOLDER [FOLDER ...] [--draws once again untouched] [--seconds 200]
    python benchmarks/deepfake/elsewhere.py judge FOLDER [FOLDER ...] [--draws …] [--only NAME ...] [--apart]
    python benchmarks/deepfake/elsewhere.py all FOLDER [FOLDER ...]

FOLDER has a ``manifest.csv``: the public media corpora (``media`` and ``media2`` in GUARDRAILS_TEST_DATA), and what
``scripts/fetch_photographs.py`` brings (GUARDRAILS_PHOTOGRAPHS, GUARDRAILS_ART). `describe` keeps the vectors of every
picture in the cache (``GUARDRAILS_CACHE``), about .35 s a picture and draw on one thread with the encoder that
``make models`` brings; what is stopped after `--seconds` of the processor's time goes on from there. `judge` reads
them; `all` does both. Rows set apart choose nothing: `--apart` shows them, once, for what was chosen before.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from guardrails.core.errors import ContentError
from guardrails.deepfake.images.kinds import LAYER, MARGIN, drawn_score
from guardrails.kit.detection.protocol import area, mean_area
from guardrails.training.exams.elsewhere import Exam, Material, logistic, robust
from guardrails.training.exams.verdicts import by_kind, called, marginal, rates, tolerant
from guardrails.training.material.corpora import Row, rows_of
from guardrails.training.material.described_histories import place_of, vectors
from guardrails.training.material.histories import DRAWS

TRACES = ("spectrum", "blocks", "upsampling", "residuals", "colour")
MIDDLE = tuple(f"{view}/{layer}" for view in ("whole", "centre") for layer in (7, 8, 9))
LATE = ("whole/10", "whole/11")
PENALTY = 3e-3
CANDIDATES = {
    "size and bytes": ([("size",)], logistic(PENALTY)),
    "traces": ([TRACES], logistic(PENALTY)),
    "traces, robust": ([TRACES], robust(1e-2)),
    "traces, noise, history": ([(*TRACES, "noise", "history")], logistic(PENALTY)),
    "middle tokens": ([MIDDLE], logistic(PENALTY)),
    "late tokens": ([LATE], logistic(PENALTY)),
    "late tokens and traces": ([LATE, TRACES], logistic(PENALTY)),
}
RULES = {"5% of a new source": marginal(0.05), "5%, by kind": by_kind(0.05), "tolerant": tolerant(0.1)}
JUDGED = ("once", "again", "untouched")


def describe(rows: Sequence[Row], draws: Sequence[str], seconds: float) -> int:
    """Keep vectors; the exit status is 3 where time ran out."""
    for draw in draws:
        for row in rows:
            if time.process_time() > seconds:
                return 3
            try:
                vectors(row, draw)
            except ContentError as error:
                print(f"left out: {error}", file=sys.stderr)
    return 0


def material_of(rows: Sequence[Row], draws: Sequence[str], taught: Sequence[str]) -> Material:
    """Read the vectors of the rows that have been described after every draw; those apart need none that is learnt."""
    needed = {row: [d for d in draws if d in JUDGED or not row.apart] for row in rows if row.kind != "swap"}
    whole = [row for row, wanted in needed.items() if all(place_of(row, draw, 0).is_file() for draw in wanted)]
    print(f"{len(whole)} of {len(needed)} pictures, {sum(row.apart for row in whole)} apart", flush=True)
    blocks = {}
    for draw in draws:
        each = [vectors(row, draw) if draw in needed[row] else {} for row in whole]
        shapes = {name: x.shape for name, x in next(one for one in each if one).items()}
        blocks[draw] = {
            name: np.stack([one.get(name, np.zeros(shape, np.float32)) for one in each])
            for name, shape in shapes.items()
        }
    return Material(whole, blocks, taught)


def kinds_of(material: Material) -> list[str]:
    """Return ``face``, ``drawn`` or ``other``, as the library tells them on the untouched file, without a manifest."""
    untouched = material.draws["untouched"]
    faces, vectors = untouched["faces"][:, 0], untouched[LAYER]
    drawn = [drawn_score(vector) > MARGIN for vector in vectors]
    return ["face" if n else "drawn" if d else "other" for n, d in zip(faces, drawn, strict=True)]


def show_areas(name: str, exam: Exam, draws: Sequence[str], unit: str, *, apart: bool) -> None:
    """Print the area of each lineage or family and their mean, after each draw."""
    m = exam.material
    clusters = [row.group if not row.label else row.source for row in m.rows]
    by_draw = exam.set_apart(draws) if apart else exam.left_out(draws, unit)
    for draw, placed in by_draw.items():
        mean = mean_area(placed, clusters)
        print(
            f"{name:<24} {draw:<9} mean of {len(placed)}: {mean.value:.3f} [{mean.low:.2f}, {mean.high:.2f}]",
            flush=True,
        )
        for lineage, one in sorted(placed.items(), key=lambda item: -len(item[1].generated)):
            of = area(one, clusters)
            n = f"n {len(one.generated)} against {len(one.real)}"
            print(f"    {lineage:<24} {of.value:.3f} [{of.low:.2f}, {of.high:.2f}]  {n}", flush=True)


def show_verdicts(name: str, exam: Exam, draws: Sequence[str]) -> None:
    """Print the rates of every rule after each draw."""
    kinds, parts = kinds_of(exam.material), exam.nested(draws)
    for rule, calls in RULES.items():
        for draw in draws:
            one = rates(exam.material, called(exam.material, parts, kinds, calls, draw), kinds)
            source, share, n = one.worst
            more = "  ".join(f"{k} {v.value:.3f} [{v.low:.2f}, {v.high:.2f}]" for k, v in one.by_kind.items())
            print(
                f"{name:<24} {rule:<20} {draw:<9} false {one.mean.value:.3f} [{one.mean.low:.2f}, {one.mean.high:.2f}]"
                f" worst {share:.2f} {source} n {n}  {more}  recall {one.recall.value:.2f} of all {one.of_all:.2f}"
                f" wrong {one.wrong:.2f}",
                flush=True,
            )


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("what", choices=("describe", "judge", "all"))
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--draws", nargs="+", choices=tuple(DRAWS), default=list(JUDGED))
    arguments.add_argument("--seconds", type=float, default=200)
    arguments.add_argument("--only", nargs="+", choices=tuple(CANDIDATES), default=list(CANDIDATES))
    arguments.add_argument(
        "--unit", choices=("lineage", "family"), default="lineage", help="what is left out at a time"
    )
    arguments.add_argument("--apart", action="store_true", help="judge what was set apart, and nothing else")
    options = arguments.parse_args()
    rows = rows_of(options.folders)
    if options.what != "judge":
        status = describe(rows, options.draws, options.seconds if options.what == "describe" else np.inf)
        if options.what == "describe":
            return status
    taught = [draw for draw in options.draws if draw != "untouched"]
    judged = [draw for draw in options.draws if draw in JUDGED]
    material = material_of(rows, options.draws, taught)
    for every in (False, True):
        print(f"\n{'every row' if every else 'rows that a licence permits'} learnt from")
        for name in options.only:
            members, fit = CANDIDATES[name]
            exam = Exam(material, members, fit, every=every)
            show_areas(name, exam, judged, options.unit, apart=options.apart)
            if not options.apart and "untouched" in options.draws:
                show_verdicts(name, exam, judged)
    if "untouched" not in options.draws:
        print("\nno verdicts: the kind of a picture is told on the draw `untouched`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
