"""``guardrails waivers``: whether files of waivers are complete and still hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import ConfigurationError
from ._screen import show

app = typer.Typer(help="Check waivers.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Check waivers."""


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="TOML files of waivers.")]) -> None:
    """Print every waiver with its owner and the days that it still holds.

    Exit codes: 0 an audit can use them; 2 one has a mistake or has expired, all of which are named.
    """
    from datetime import UTC, datetime

    from ..assay.policy.waivers import load_waivers

    now = datetime.now(UTC)
    wrong: list[str] = []
    for file in files:
        try:
            read = load_waivers(file, now=now)
        except ConfigurationError as error:
            wrong += error.lines
            continue
        for waiver in read.waivers:
            days = (waiver.end - now).days
            left = f"{days} day{'' if days == 1 else 's'} left"
            show(f"{file}: {waiver.describe()}, owner {waiver.owner}, until {waiver.expires.isoformat()} ({left})")
    if wrong:
        raise ConfigurationError(*wrong)
