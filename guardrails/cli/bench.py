"""``guardrails bench``: detectors of pictures and of speech, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._console import only_data_on_stdout, progress
from ._new_folder import new_folder
from ._screen import note, show

Globs = list[str]


def bench(
    out: Annotated[Path, typer.Option(help="A new or empty folder for bench.json, .csv, .md and .html.")],
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders with manifest.csv (pictures or recordings), or with real/SOURCE/ and generated/FAMILY/.",
            show_default=False,
        ),
    ] = None,
    detectors: Annotated[
        Globs | None,
        typer.Option(
            help="An id, a glob, or ID:ARGUMENT; repeatable. (default: all that work here)", show_default=False
        ),
    ] = None,
    generators: Annotated[
        Globs | None,
        typer.Option(
            help="Reference generators of pictures. (default: all; none if DATA is given)", show_default=False
        ),
    ] = None,
    perturbations: Annotated[
        Globs | None,
        typer.Option(
            help="Such as jpeg=70, blur=2, resize=0.5, crop=0.7, noise=0.05, or a glob. (default: none)",
            show_default=False,
        ),
    ] = None,
    leave_one_family_out: Annotated[
        bool, typer.Option("--leave-one-family-out", help="Also fit to all families but one, and score that one.")
    ] = False,
    n: Annotated[
        int, typer.Option("-n", "--n", min=20, help="Pictures per generator, and equally many real ones.")
    ] = 64,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same tables.")] = 0,
) -> None:
    """Compare image detectors over generators and changes, and speech detectors over recordings; print tables.

    Both classes of pictures pass through one random crop and JPEG first, and recordings are read at one rate, so that
    the format of files is not what is measured.
    """
    from reports import render
    from reports.bench import summary_markdown
    from reports.cost import use_line

    from ..assay.bench.run import bench as run

    with new_folder(out):
        with progress() as report, only_data_on_stdout():
            result = run(
                data or [], detectors=detectors or [], generators=generators or [], perturbations=perturbations or [],
                leave_one_family_out=leave_one_family_out, n=n, seed=seed, progress=report,
            )  # fmt: skip
        formats = {"bench.json": "json", "bench.csv": "csv", "bench.md": "markdown", "bench.html": "html"}
        for name, format in formats.items():
            (out / name).write_bytes(render(result, format))
    show(*summary_markdown(result).splitlines())
    show(*(str(out / name) for name in formats))
    if result.cost is not None:
        show(f"used: {use_line(result.cost)}")
    for row in result.left_out[:5]:
        note(f"left out: {row.what}: {row.why}")
    if len(result.left_out) > 5:
        note(f"left out: {len(result.left_out) - 5} more, see bench.json")
