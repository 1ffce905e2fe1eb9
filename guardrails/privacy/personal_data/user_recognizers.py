r"""The user's own kinds of personal data, from a TOML file: patterns with a checksum and context words, no code.

::

    presidio = ["person", "location"]        # names and places by Presidio, which the extra of that name installs

    [[recognizer]]
    kind = "staff-number"
    pattern = 'EMP-\d{8}'
    checksum = "luhn"                        # of the digits and letters of a match; one of `CHECKSUMS`
    context = ["staff", "employee"]          # one of these must begin within 48 characters before or 24 after

A file is somebody else's: patterns are short, and together they have a second for a text. A text on which that is not
enough is an error, never one in which nothing was found. What may stand in a pattern:
`guardrails.privacy.personal_data.timed_patterns`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...core.errors import ConfigurationError, ContentError
from ...core.options import ProbeOptions, opened_by
from ...kit.io import shown
from ...kit.settings_file import parse_toml, read_bounded
from .national_numbers import bare, stdnum_check
from .recognizer import Finder, Recognizer, words
from .timed_patterns import Clock, TimedPattern

CHECKSUMS = {
    "luhn": "luhn",
    "verhoeff": "verhoeff",
    "damm": "damm",
    "mod-11-2": "iso7064.mod_11_2",
    "mod-11-10": "iso7064.mod_11_10",
    "mod-37-2": "iso7064.mod_37_2",
    "mod-37-36": "iso7064.mod_37_36",
    "mod-97-10": "iso7064.mod_97_10",
    "iban": "iban",
}
"""Names of checksums, and the modules of python-stdnum that compute them (ISO 7064, ISO 7812, ISO 13616)."""

MOST_BYTES, MOST_RECOGNIZERS = 100_000, 100


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(pattern=r"^[a-z][a-z0-9-]{1,29}$")
    pattern: str = Field(min_length=1, max_length=500)
    checksum: str | None = None
    context: tuple[str, ...] = Field(default=(), max_length=50)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    presidio: tuple[str, ...] = Field(default=(), max_length=10)
    recognizer: tuple[_Entry, ...] = Field(default=(), max_length=MOST_RECOGNIZERS)


def load_recognizers(path: str | Path) -> tuple[Finder, ...]:
    """Read recognizers from a TOML file.

    Parameters
    ----------
    path : str or Path
        A file as in this module's docstring.

    Returns
    -------
    tuple of Finder
        For `scanner.scan`, in the order of the file, Presidio last.

    Raises
    ------
    ConfigurationError
        With every mistake of the file at once.
    MissingExtraError
        Where the file asks for Presidio and it, or its language model, is not installed.
    """
    try:
        content = read_bounded(path, max_bytes=MOST_BYTES)
        file = _File.model_validate(parse_toml(content, shown(path)))
    except ContentError as error:
        raise ConfigurationError(f"recognizers {error}") from None
    except ValidationError as error:
        wrong = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:20]]
        raise ConfigurationError(f"recognizers {path}:", *wrong) from error
    recognizers: list[Finder] = []
    wrong, clock = [], Clock()
    for number, entry in enumerate(file.recognizer):
        try:
            recognizers.append(_recognizer(entry, clock))
        except ConfigurationError as error:
            wrong.append(f"  recognizer.{number} ({entry.kind}): {error}")
    if not wrong and not file.recognizer and not file.presidio:
        wrong.append("  it holds no [[recognizer]] and no presidio = […]")
    if wrong:
        raise ConfigurationError(f"recognizers {path}:", *wrong)
    if file.presidio:
        from .presidio_names import finders

        recognizers += finders(file.presidio)
    return tuple(recognizers)


class RecognizerOptions(ProbeOptions):
    """The options of probes that look for personal data."""

    recognizers: Annotated[Path, opened_by(load_recognizers)] | None = Field(
        None, description="a TOML file with kinds of personal data of your own"
    )


def recognizers_of(options: RecognizerOptions) -> tuple[Finder, ...]:
    """Return the recognizers of the file that the options name."""
    path = options.recognizers
    return () if path is None else _loaded(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _loaded(path: Path, changed: int) -> tuple[Finder, ...]:
    return load_recognizers(path)


def _recognizer(entry: _Entry, clock: Clock) -> Recognizer:
    pattern = TimedPattern(entry.pattern, entry.kind, clock)
    if not all(0 < len(word) <= 50 for word in entry.context):
        raise ConfigurationError("context words have 1 to 50 characters")
    return Recognizer(
        name=f"the user's {entry.kind}",
        kind=entry.kind,
        pattern=pattern,
        check=_check(entry.checksum),
        context=words(*map(re.escape, entry.context)) if entry.context else None,
    )


def _check(checksum: str | None) -> Callable[[str], bool]:
    if checksum is None:
        return lambda value: True
    if checksum not in CHECKSUMS:
        raise ConfigurationError(f"there is no checksum '{checksum}'. Known: {', '.join(CHECKSUMS)}.")
    module = CHECKSUMS[checksum]

    def check(value: str) -> bool:
        # The letters and digits that belong to the checksum: a prefix such as EMP- does not, for one of digits.
        number = bare(value).upper()
        digits = (
            number if "37" in checksum or checksum in ("iban", "mod-97-10") else re.sub(r"[^0-9X]|X(?!$)", "", number)
        )
        return stdnum_check(module)(digits)

    return check
