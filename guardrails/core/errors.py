"""The errors that guardrails raises on purpose.

::

    GuardrailsError
    ├── ConfigurationError       a wrong option, plan, policy, dial or name
    │   └── ChangedInputError    an input is not the one that the run began with
    ├── TargetError              the audited model or folder cannot be used
    │   └── EndpointError        a served model failed or refused
    ├── ContentError             one bad file or row: the run goes on without it
    ├── NotApplicable            the probe has nothing to say about this modality
    ├── InstallConflictError     another package shadows ours
    ├── MissingExtraError        an optional package is absent: says what to type
    └── JournalError             the journal of a run cannot be read or written

Each message is one or two lines: what, where, what to do. The command line prints it without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

STOPS = (KeyboardInterrupt, GeneratorExit, MemoryError)
"""What no part of a run may take for a failure of one item. Code of others raises anything else: a Rust extension's
panic is a `BaseException`, and a module may call ``sys.exit(0)``, which would read as *passed*."""


class GuardrailsError(Exception):
    """The root of every error raised on purpose.

    Parameters
    ----------
    *lines : str
        The message, one argument for each line: a line break inside one is not ours, and is shown as a space.
    """

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines of the message."""
        return tuple(map(str, self.args)) or ("",)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class ConfigurationError(GuardrailsError):
    """A wrong option, plan, policy, dial or name (exit code 2)."""


class ChangedInputError(ConfigurationError):
    """An input is not the one that the run began with: no failure of an item, since no further one can be asked."""


class TargetError(GuardrailsError):
    """The audited model, folder or file cannot be used.

    Parameters
    ----------
    *lines : str
        The message.
    partial : bool
        Whether the other items of the same call were answered: their answers are handed out when asked for again.
    """

    def __init__(self, *lines: str, partial: bool = False) -> None:
        super().__init__(*lines)
        self.partial = partial


class EndpointError(TargetError):
    """A served model failed or refused."""


class ContentError(GuardrailsError):
    """One file or row that cannot be read; the run goes on without it."""


class NotApplicable(GuardrailsError):  # noqa: N818  a statement about the probe, not a failure
    """The probe has nothing to say about this target."""


class InstallConflictError(GuardrailsError):
    """Another distribution's package shadows one of ours."""


class MissingExtraError(GuardrailsError):
    """An optional package is absent.

    Parameters
    ----------
    package : str
        The import that failed.
    command : str
        What the user has to type.
    """

    def __init__(self, package: str, command: str) -> None:
        super().__init__(f"{package} is not available; to get it, type: {command}")


class JournalError(GuardrailsError):
    """The journal of a run cannot be read or written (exit code 5)."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for a near miss, else a list of what is known.

    >>> did_you_mean("extractoin", ["extraction", "exposure"])
    " Did you mean 'extraction'?"
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f" Did you mean '{close[0]}'?" if close else f" Known: {', '.join(names) or 'none'}."
