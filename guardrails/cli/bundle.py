"""``guardrails bundle`` and ``guardrails verify``: a run in one signed archive, and the check that it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._console import echo_json
from ._screen import note, show

if TYPE_CHECKING:
    from ..assay.bundle.verify import Verification


def bundle(
    run: Annotated[Path, typer.Argument(help="The folder of a finished audit.")],
    out: Annotated[Path, typer.Option(help="The archive to write: a new .tar file.")],
    key: Annotated[
        Path | None,
        typer.Option(help="A private Ed25519 key (PEM or OpenSSH). Without one the signature proves integrity alone."),
    ] = None,
    withhold_samples: Annotated[
        bool, typer.Option("--withhold-samples", help="Leave out the outputs of the target; their digests stay.")
    ] = False,
) -> None:
    """Put a finished audit into one signed archive that can be checked offline."""
    from ..assay.bundle.write import bundle as write_bundle

    made = write_bundle(run, out, key=key, withhold_samples=withhold_samples)
    show(f"{made.sha256}  {made.file}")
    note(f"{made.files:,} files; signed by the key {made.key_id}")
    if made.withheld:
        note(f"{made.withheld:,} files with samples are withheld; their digests are signed")
    if key is None:
        note("the key was made for this bundle and thrown away: the signature proves integrity, not who signed")
    note(f"check it with: guardrails verify {made.file}")


def verify(
    path: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A bundle, or the folder of a finished audit.")],
    key: Annotated[Path | None, typer.Option(help="The public Ed25519 key of whoever should have signed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Check that nothing in a bundle or a run was altered, and that its findings follow from its measurements.

    Exit code 1 where something was altered or contradicts itself.
    """
    from ..assay.bundle.verify import verify as verified

    seen = verified(path, key=key)
    if as_json:
        echo_json(
            {
                "path": str(path),
                "altered": not seen.ok,
                "problems": seen.problems,
                "checked": seen.checked,
                "remarks": seen.remarks,
                "sha256": seen.sha256,
                "key_id": seen.key_id,
                "verdict": seen.result.verdict if seen.result else None,
            }
        )
    else:
        _tell(path, seen)
    if not seen.ok:
        raise typer.Exit(1)


def _tell(path: Path, seen: Verification) -> None:
    for line in seen.checked:
        show(f"checked   {line}")
    for line in seen.remarks:
        show(f"remark    {line}")
    for line in seen.problems:
        show(f"PROBLEM   {line}")
    if seen.ok and seen.result is not None:
        whole = "no contradiction was found" if seen.sha256 is None else "nothing was altered"
        show(f"{path}: {whole}; its verdict is {seen.result.verdict}")
    else:
        count = len(seen.problems)
        show(f"{path}: {count} problem{'' if count == 1 else 's'}; do not rely on it")
