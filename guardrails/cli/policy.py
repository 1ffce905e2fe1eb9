"""``guardrails policy``: what a policy gates, whether it is one, and what it evidences of a framework."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..core.errors import ConfigurationError
from ._console import echo_json
from ._screen import show

app = typer.Typer(help="Check a policy, or show what it can evidence.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="The name of a shipped policy or a TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """Check a policy, or show what it can evidence."""


@app.command("check")
def check(policy: Name, as_json: AsJson = False) -> None:
    """Print what a policy gates, which rows of another policy it changes, and what may be a mistake.

    Exit codes: 0 an audit can use it; 2 it has mistakes, all of which are named.
    """
    from ..assay.policy.check import mistakes_in, notes_on, rows
    from ..assay.policy.policy import load_policy

    read = load_policy(policy)
    if wrong := mistakes_in(read):
        count = f"{len(wrong)} mistake{'s' if len(wrong) > 1 else ''}"
        raise ConfigurationError(f"{count} in policy {policy}:", *(f"  {line}" for line in wrong))
    table, notes = rows(read), notes_on(read)
    if as_json:
        values = {"name": read.name, "sha256": read.sha256, "extends": list(read.extends), "rows": table}
        echo_json(values | {"controls": len(read.controls), "notes": notes})
        return
    extends = f", extends {' and '.join(read.extends)}" if read.extends else ""
    n = len(read.controls)
    controls = f", {n} control{'s' if n > 1 else ''} of frameworks" if n else ""
    show(f"policy {read.name}{extends}: {sum(row['gated'] for row in table)} thresholds{controls}")
    show(*map(_line, table))
    if notes:
        show("notes:", *(f"  {note}" for note in notes))


@app.command("coverage")
def coverage(policy: Name, as_json: AsJson = False) -> None:
    """Print, for each framework control of a policy, which installed probes give evidence for it and what is missing.

    Exit codes: 0; 2 it has mistakes, all of which are named.
    """
    from ..assay.policy.check import mistakes_in
    from ..assay.policy.coverage import coverage as covered
    from ..assay.policy.policy import load_policy

    read = load_policy(policy)
    if wrong := mistakes_in(read):
        raise ConfigurationError(f"mistakes in policy {policy}:", *(f"  {line}" for line in wrong))
    controls = covered(read)
    if as_json:
        echo_json({"name": read.name, "sha256": read.sha256, "note": NOTE, "controls": controls})
        return
    if not controls:
        show(f"policy {read.name} names no controls of a framework; try one of: guardrails list policies")
        return
    show(*(f"{name}, {edition}" for name, edition in dict.fromkeys((c["framework"], c["edition"]) for c in controls)))
    for evidence, title in TITLES.items():
        chosen = [control for control in controls if control["evidence"] == evidence]
        show(f"{title}: {len(chosen)} of {len(controls)}")
        for control in chosen:
            show(*_control(control))
    show(NOTE)


NOTE = "Evidence, not legal advice."
TITLES = {
    "probes": "Controls for which installed probes give evidence",
    "no probe": "Controls for which no installed probe gives evidence",
    "not by a test": "Controls that no technical test can evidence",
}


def _control(control: dict[str, Any]) -> list[str]:
    lines = [f"  {control['id']} {control['title']} ({control['framework']}; confidence {control['confidence']})"]
    if control["probes"]:
        lines.append(f"    probes: {', '.join(control['probes'])}")
    if control["absent"]:
        lines.append(f"    not installed: {', '.join(control['absent'])}")
    if control["gap"]:
        lines.append(f"    gap: {control['gap']}")
    return lines


def _line(row: dict[str, Any]) -> str:
    if not row["gated"]:
        return f"  {row['probe']}/{row['metric']}: not gated ({row['from']})"
    required = "" if row["required"] else ", not required"
    return f"  {row['probe']}/{row['metric']}: limit {row['limit']:g}, {row['severity']}{required} ({row['from']})"
