"""``guardrails index``: make a corpus searchable, once, for every audit that uses it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import JournalError
from ._console import echo_json, only_data_on_stdout, progress, say


def index(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPUS",
            help=(
                "Files (.jsonl, .parquet, .csv: the texts of 'text'; .abc: each tune; .smi: each line; others: one"
                " document) or folders of .txt, .md, .abc and .smi."
            ),
        ),
    ],
    out: Annotated[Path, typer.Option(help="A new or empty folder, or one to go on with.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Build an exact index of a text corpus; give its folder to guardrails audit as --corpus.

    A build that was stopped goes on when the same command is given again.
    """
    from ..memorization.index_folder import build_index

    with progress() as report, only_data_on_stdout():
        try:
            made = build_index(corpus, out, progress=report)
        except KeyboardInterrupt as error:
            again = f"guardrails index {shlex.join(map(str, corpus))} --out {shlex.quote(str(out))}"
            raise JournalError(f"interrupted; go on with: {again}") from error
    if as_json:
        echo_json(
            {"folder": str(out), **{key: made[key] for key in ("documents", "bytes", "shards", "near_duplicates")}}
        )
    near = made["near_duplicates"]
    say(f"indexed {made['documents']:,} documents, {made['bytes']:,} bytes, in {out}")
    families = f"{near['families']:,} families, the largest of {near['largest']:,}"
    say(f"{near['documents']:,} of them have a near-duplicate: {families}")
    say(f"next: guardrails audit TARGET --corpus {shlex.quote(str(out))}")
