"""``guardrails policy``: what a policy gates, and whether it is one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..core.errors import ConfigurationError
from ._console import echo_json
from ._screen import show

app = typer.Typer(help="Check a policy.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Check a policy."""


@app.command("check")
def check(
    policy: Annotated[str, typer.Argument(metavar="NAME|FILE", help="The name of a shipped policy or a TOML file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what a policy gates, which rows of another policy it changes, and which metrics no probe measures.

    Exit codes: 0 an audit can use it; 2 it has mistakes, all of which are named.
    """
    from ..assay.policy.check import mistakes_in, rows
    from ..assay.policy.policy import load_policy

    read = load_policy(policy)
    if wrong := mistakes_in(read):
        count = f"{len(wrong)} mistake{'s' if len(wrong) > 1 else ''}"
        raise ConfigurationError(f"{count} in policy {policy}:", *(f"  {line}" for line in wrong))
    table = rows(read)
    if as_json:
        echo_json({"name": read.name, "sha256": read.sha256, "extends": list(read.extends), "rows": table})
        return
    extends = f", extends {' and '.join(read.extends)}" if read.extends else ""
    show(f"policy {read.name}{extends}: {sum(row['gated'] for row in table)} thresholds")
    show(*map(_line, table))


def _line(row: dict[str, Any]) -> str:
    if not row["gated"]:
        return f"  {row['probe']}/{row['metric']}: not gated ({row['from']})"
    required = "" if row["required"] else ", not required"
    return f"  {row['probe']}/{row['metric']}: limit {row['limit']:g}, {row['severity']}{required} ({row['from']})"
