"""``guardrails index``: make a corpus searchable, once, for every audit that uses it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import JournalError
from ._console import echo_json, only_data_on_stdout, progress
from ._new_folder import locked_folder
from ._screen import note


def index(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPUS",
            help=(
                "Files (.jsonl, .json, .csv, .tsv, .parquet: their records' texts; .abc: each tune; .smi: each line;"
                " others: one document) or folders of them."
            ),
        ),
    ],
    out: Annotated[Path, typer.Option(help="A new or empty folder, or one with an unfinished index.")],
    text_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The field of records that holds the text, such as body or data.text."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Build an exact index of a text corpus; give its folder to guardrails audit as --corpus.

    A build that was stopped goes on when the same command is given again.
    """
    from ..kit.text.stored_corpus import is_index
    from ..memorization.text.index_folder import LOCK, build_index

    with locked_folder(out, LOCK, is_ours=is_index), progress() as report, only_data_on_stdout():
        try:
            made = build_index(corpus, out, text_field=text_field, progress=report)
        except KeyboardInterrupt as error:
            field = ["--text-field", text_field] if text_field else []
            again = f"guardrails index {shlex.join([*map(str, corpus), '--out', str(out), *field])}"
            raise JournalError(f"interrupted; continue with: {again}") from error
    if as_json:
        echo_json(
            {
                "folder": str(out),
                **{key: made[key] for key in ("documents", "bytes", "shards", "near_duplicates", "read_as")},
            }
        )
    note(f"read as: {made['read_as']}")
    near = made["near_duplicates"]
    note(f"indexed {made['documents']:,} documents, {made['bytes']:,} bytes, in {out}")
    families = f"{near['families']:,} families, the largest of {near['largest']:,}"
    note(f"{near['documents']:,} of them have a near-duplicate: {families}")
    note(f"next: guardrails audit TARGET --corpus {shlex.quote(str(out))}")
