"""The command line: one file per command, which parses, calls and prints.

No heavy package is imported here or at the top of a command's file, so ``guardrails --help`` responds at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from ..core.errors import ConfigurationError
from ._child import tell_parent
from ._endings import BROKE, PASSED, explain, let_signals_interrupt
from ._screen import occupy_descriptors, screens


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code: the console script ``guardrails``."""
    occupy_descriptors()
    let_signals_interrupt()
    code = BROKE
    try:
        code = run(arguments)
    finally:
        tell_parent(code)
        sys.exit(code)  # whatever happened: Python's own code is 1, which means that a finding failed


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    A user's mistake is one message on stderr, never a traceback; ``GUARDRAILS_DEBUG=1`` shows that too. Whatever else
    ends a command returns 5: see `_endings`.
    """
    try:
        with screens():
            try:
                # Threads of OpenMP that spin while they wait take a busy machine from each other: 80 s in place of 15.
                os.environ.setdefault("OMP_WAIT_POLICY", "passive")
                code = _command(sys.argv[1:] if arguments is None else arguments)
                sys.stdout.flush()  # a full disk is noticed here, and not after the exit code is set
            except BaseException as error:
                return explain(error)
    except KeyboardInterrupt as error:  # it came as the streams were put in place or back, or as an error was explained
        return explain(error)
    return code


def _command(arguments: Sequence[str]) -> int:
    """Parse and run one command. Everything is imported here, where whatever it raises is explained."""
    from ..core.install import check_install

    check_install()
    import typer

    from ._app import app

    _refuse_empty(arguments)
    command: Any = typer.main.get_command(app)
    try:
        # Not command(…): it would turn a closed pipe into exit code 1, which means that a finding failed.
        with command.make_context("guardrails", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        message = error.format_message() or "no command given; see: guardrails --help"
        raise ConfigurationError(message) from error
    return PASSED


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Refuse an empty argument, as of a variable that is not set: a path would be the current folder.

    Raises
    ------
    ConfigurationError
    """
    before = "guardrails"
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option.startswith("--") and equals and not value:
            raise ConfigurationError(f"{option} is empty; give it a value, or leave it out")
        if not argument:
            raise ConfigurationError(f"the argument after {before} is empty; give it a value, or leave it out")
        before = argument
