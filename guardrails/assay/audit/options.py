"""The options of probes that an audit was asked for, by ``PROBE.OPTION``: read, compared and written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...core.errors import ConfigurationError, did_you_mean
from ...core.options import ProbeOptions, Value, read_options
from ...core.registry import probes

T = TypeVar("T")
SHORT: dict[str, tuple[str, ...]] = {
    "descriptor": ("memorization.copies.descriptor",),
    "groups": ("fairness.groups.columns", "fairness.intersections.columns"),
    "recognizers": ("privacy.completion.recognizers", "privacy.pii.recognizers"),
}
"""Options of the command line, of a plan and of `audit` that stand for options of probes."""
LONGEST_NAME, LONGEST_VALUE = 200, 4096
"""Characters that are read. Longer names are no option's, and are not compared with those that there are."""
LARGEST_BITS = 64
"""Of an integer, as in TOML."""
PARTS = 3
"""Of a name: family, probe, option."""


def parse_assignments(given: Sequence[str]) -> dict[str, str]:
    """Return the values that ``--set`` was given. What follows the first ``=`` is the value, as it stands.

    >>> parse_assignments(["memorization.copies.descriptor=a=b.onnx"])
    {'memorization.copies.descriptor': 'a=b.onnx'}

    Raises
    ------
    ConfigurationError
        For text of another form, and for an option that is given two values.
    """
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not name or not equals:
            raise ConfigurationError(
                f"--set {_short(text)}: write an option and its value, as in memorization.copies.descriptor=FILE"
            )
        _put(values, name, value)
    return values


def given_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, by full name: those of ``options``, and the short forms.

    Parameters
    ----------
    given : mapping
        One layer of settings, as the command line or a plan. ``options`` may be nested: by probe, or by family and
        probe, as tables of TOML are.

    Raises
    ------
    ConfigurationError
        For an option that is given two values.
    """
    values: dict[str, Any] = {}
    options = given.get("options") or {}
    if not isinstance(options, Mapping):
        raise ConfigurationError("options: write them by name, as in {'memorization.copies.descriptor': 'FILE'}")
    for name, value in _flat(options):
        _put(values, name, value)
    for short, names in SHORT.items():
        for name in names:
            _put(values, name, given.get(short))
    return values


def read_given(given: Mapping[str, Any], *, open_files: bool = False) -> dict[str, ProbeOptions]:
    """Return the options of each probe of which some were given.

    Parameters
    ----------
    given : mapping
        Values by full name.
    open_files : bool
        As of `guardrails.core.options.read_options`.

    Raises
    ------
    ConfigurationError
        With every mistake, one a line.
    """
    by_probe: dict[str, dict[str, Any]] = {}
    wrong = []
    for name, value in given.items():
        probe, _, option = name.rpartition(".")
        if why := _unknown(name, probe) or _unreadable(value):
            wrong.append(f"{_short(name)}: {why}")
        else:
            by_probe.setdefault(probe, {})[option] = value
    options = {}
    for probe, values in by_probe.items():
        try:
            options[probe] = read_options(probes()[probe].Options, values, probe=probe, open_files=open_files)
        except ConfigurationError as error:
            wrong += error.lines
    if wrong:
        raise ConfigurationError(*_grouped(wrong))
    return options


def changed_options(options: Mapping[str, ProbeOptions]) -> dict[str, Value]:
    """Return the options that are not at their defaults, by full name, in the order of names."""
    changed = {f"{probe}.{name}": value for probe, one in options.items() for name, value in one.changed.items()}
    return dict(sorted(changed.items()))


def of_probe(options: Mapping[str, Value], probe: str) -> dict[str, Value]:
    """Return the options of one probe, by the option's own name."""
    return {name.rpartition(".")[2]: value for name, value in options.items() if name.rpartition(".")[0] == probe}


def option_files(options: Mapping[str, Value]) -> dict[str, Path]:
    """Return the files that options name, by the shortest name of each."""
    read = read_given(options)
    return shortened({f"{probe}.{name}": path for probe, one in read.items() for name, path in one.files.items()})


def code_run_by(options: Mapping[str, Value]) -> dict[str, str]:
    """Return which options run code or use the network, and how in words, by full name."""
    read = read_given(options)
    return {f"{probe}.{name}": how for probe, one in read.items() for name, how in one.runs_code().items()}


def shortened(values: Mapping[str, T], *, probe: str | None = None) -> dict[str, T]:
    """Return values with the short form where all options that it stands for, of one probe or of all, are the same."""
    left, short_values = dict(values), dict[str, T]()
    for short, names in SHORT.items():
        members = [name for name in names if probe is None or name.rpartition(".")[0] == probe]
        if members and all(name in left and left[name] == left[members[0]] for name in members):
            short_values[short] = left[members[0]]
            left = {name: value for name, value in left.items() if name not in members}
    return short_values | left


def flag(name: str) -> str:
    """Return how the command line calls a setting, by its shortest name."""
    return f"--set {name}" if "." in name else f"--{name.replace('_', '-')}"


def option_words(options: Mapping[str, Value], *, probe: str | None = None) -> list[str]:
    """Return the options of the command line that set these, for one probe or for all."""
    chosen = {name: value for name, value in options.items() if probe in (None, name.rpartition(".")[0])}
    words = []
    for name, value in shortened(chosen, probe=probe).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        words += ["--set", f"{name}={text}"] if "." in name else [f"--{name}", text]
    return words


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Set a value that was given; None is none."""
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if value is None:
        return
    if name in values and values[name] != value:
        raise ConfigurationError(f"{_short(name)} is given two values: {_short(values[name])} and {_short(value)}")
    values[name] = value


def _flat(options: Mapping[Any, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        name = (*before, str(key))
        if isinstance(value, Mapping) and len(name) < PARTS:
            yield from _flat(value, name)
        else:
            yield ".".join(name), value


def _unknown(name: str, probe: str) -> str:
    """Return why a name is that of no option, as far as that can be told without the probe's options."""
    if probe in probes() and len(name) <= LONGEST_NAME:
        return ""
    if name in probes():
        return f"is a probe; write PROBE.OPTION. {_options_of(name)}"
    known = [f"{id}.{option}" for id, cls in probes().items() for option in cls.Options.model_fields]
    return f"there is no such option.{did_you_mean(name[:LONGEST_NAME], known)}"


def _options_of(probe: str) -> str:
    names = ", ".join(probes()[probe].Options.model_fields)
    return f"Its options: {names}." if names else "It has no options."


def _unreadable(value: Any) -> str:
    """Return why a value cannot be read by any option."""
    if isinstance(value, int) and value.bit_length() >= LARGEST_BITS:
        return f"is an integer of {value.bit_length():,} bits; at most {LARGEST_BITS} are read"
    if not isinstance(value, str):
        return ""
    if not value:
        return "is empty; give it a value, or leave it out"
    if len(value) > LONGEST_VALUE:
        return f"has {len(value):,} characters; at most {LONGEST_VALUE:,} are read"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "is no text that can be stored (not valid UTF-8)"
    return "" if "\0" not in value else "holds a null character"


def _grouped(lines: Sequence[str]) -> list[str]:
    """Return messages, those of several options with one reason as one."""
    by_reason: dict[str, list[str]] = {}
    for line in lines:
        name, _, why = line.partition(": ")
        by_reason.setdefault(why, []).append(name)
    return [f"{', '.join(names)}: {why}" for why, names in by_reason.items()]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
