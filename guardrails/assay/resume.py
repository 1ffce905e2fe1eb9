"""When a run may be resumed: by the same code, of the same inputs; what runs code has to be named again.

A run's folder may come from anyone. It can name any file of this machine to be read, but what it names is not imported,
run or fetched unless the user names it too.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..core.errors import ConfigurationError, JournalError
from ..core.results import InputRecord
from ..targets import CHAT
from .audit.inputs import Inputs, Records, changes
from .audit.journal import Journal
from .audit.options import code_run_by, flag, option_files, option_words, read_given, shortened
from .audit.plan import DATA, OBJECT, Settings
from .audit.scope import Scope
from .log import salvage
from .run_folder import JOURNAL
from .sources import sources_sha256

DATA_ONLY = ("reference", "real", "package", "dir", "jsonl", "table", "diffusers")
"""Schemes of targets that run no code but the library's own, and reach no network."""


def stored_settings(journal: Journal, folder: Path) -> Settings:
    """Return the settings that a run began with.

    Raises
    ------
    ConfigurationError
        Where it was cut off before it wrote them.
    JournalError
        Where they are not those of an audit.
    """
    stored = journal.get("settings")
    if stored is None:
        raise ConfigurationError(
            f"the run in {folder} was cut off before it began; start it again, in this folder or another"
        )
    try:
        settings = Settings.model_validate(stored)
        read_given(settings.options)
    except (ValidationError, ConfigurationError) as error:
        if journal.get("sources") not in (None, sources_sha256()):  # an earlier version wrote others
            raise _other_code(folder) from None
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.lines[0]
        raise JournalError(f"{journal.path}: not the settings of an audit: {why}") from None
    return settings


def _other_code(folder: Path) -> ConfigurationError:
    return ConfigurationError(f"guardrails or a library changed since the run in {folder} began; start a new one")


def to_be_named(settings: Settings) -> dict[str, str]:
    """Return which settings of a run have to be named again to resume it, and why."""
    named = {}
    if settings.target and not settings.target.startswith(OBJECT):
        scheme, _, rest = settings.target.removeprefix(CHAT).partition(":")
        if scheme == "python":
            named["target"] = "imports a module of this machine"
        elif scheme == "hf" and not os.path.isdir(rest):
            named["target"] = "asks a hub for a model"
        elif scheme not in (*DATA_ONLY, "hf"):
            named["target"] = "may run code or reach a network"
    how = {name: (settings.options[name], how) for name, how in code_run_by(settings.options).items()}
    named |= {name: how for name, (_, how) in shortened(how).items()}
    if settings.endpoint.api_key_env:
        named["api_key_env"] = "holds a secret, which is sent to the target"
    return named


def resume_command(settings: Settings, folder: Path) -> str:
    """Return the command that resumes a run."""
    named = to_be_named(settings)
    words = ["guardrails", "audit"]
    words += [str(settings.target)] if "target" in named else []
    words += option_words({name: settings.options[name] for name in code_run_by(settings.options)})
    words += ["--api-key-env", str(settings.endpoint.api_key_env)] if "api_key_env" in named else []
    return shlex.join([*words, "--resume", str(folder)])


def check_named(settings: Settings, named: Mapping[str, str | None], folder: Path) -> None:
    """Refuse what is named otherwise than when the run began, and what runs code and is not named.

    Raises
    ------
    ConfigurationError
    """
    for name in ("target", *DATA, "api_key_env"):
        now, begun = named.get(name), _setting(settings, name)
        if now is not None and now != begun:
            label = "the target" if name == "target" else flag(name)
            given = begun is not None and begun.startswith(OBJECT)
            how = "give the same object to resume it" if given else "leave it out with --resume"
            raise ConfigurationError(
                f"the run in {folder} was begun with {label} {begun or 'left out'}, not {now}; {how}, or start a"
                " new run"
            )
    missing = {name: why for name, why in to_be_named(settings).items() if named.get(name) is None}
    for name, why in missing.items():
        label = "target" if name == "target" else flag(name)
        raise ConfigurationError(
            f"the {label} of the run in {folder}, {_setting(settings, name)}, {why}; nothing was run. If you trust it, "
            f"name it again: {resume_command(settings, folder)}"
        )


def _setting(settings: Settings, name: str) -> str | None:
    """Return a setting that may have to be named again."""
    options = shortened(settings.options)
    if name in options:
        return str(options[name])
    value: str | None = getattr(settings.endpoint if name == "api_key_env" else settings, name)
    return value


def check_asked(settings: Settings, asked: Mapping[str, Any], folder: Path) -> None:
    """Refuse options that differ from those that the run began with: they would have no effect.

    Raises
    ------
    ConfigurationError
    """
    for name, value in asked.items():
        if name == "options":
            _check_options(settings, value, folder)
            continue
        if name == "endpoint" and isinstance(value, Mapping):  # those that are not given again are as they were
            value = {**settings.endpoint.model_dump(), **value}
        try:
            now = getattr(Settings.model_validate({name: value}), name)
        except ValidationError:
            now = value
        begun = getattr(settings, name, None)
        if now != begun:
            raise _differs(name, begun, now, folder)


def _check_options(settings: Settings, given: Mapping[str, Any], folder: Path) -> None:
    """Refuse options of probes that differ from those that the run began with; the defaults count as given."""
    now, begun = read_given(given), read_given(settings.options)
    different = {}
    for name in given:
        probe, _, option = name.rpartition(".")
        before = getattr(begun.get(probe, type(now[probe])()), option)
        if (after := getattr(now[probe], option)) != before:
            different[name] = before, after
    for name, (before, after) in shortened(different).items():
        raise _differs(name, before, after, folder)


def _differs(name: str, begun: Any, now: Any, folder: Path) -> ConfigurationError:
    return ConfigurationError(
        f"the run in {folder} was begun with {name} = {_option(begun)}, not {_option(now)}; leave it out to"
        " resume the run, or start a new one"
    )


def _option(value: Any) -> str:
    value = str(value) if isinstance(value, os.PathLike) else value
    return repr(list(value) if isinstance(value, tuple) else getattr(value, "value", value))


def check_unchanged(journal: Journal, inputs: Inputs, folder: Path) -> None:
    """Refuse to resume where something is not as it was when the run began.

    Raises
    ------
    ConfigurationError
        Where guardrails, a library or an input changed since, or an input changed while the run was under way.
    JournalError
        Where the journal does not say what they were.
    """
    if journal.get("sources") != sources_sha256():
        raise _other_code(folder)
    if changed := journal.get("changed"):
        raise ConfigurationError(f"{changed}; the run cannot be resumed: start a new one")
    before, now = stored_records(journal), inputs.records()
    if changed := changes(before, now, f"since the run in {folder} began"):
        here = f" (relative paths begin at the current folder, {os.getcwd()})" if before.keys() - now.keys() else ""
        raise ConfigurationError(f"{changed}; put it back{here}, or start a new run")
    settings = stored_settings(journal, folder)
    for name in DATA:
        if (getattr(settings, name) or "").startswith(OBJECT) and name not in now:
            raise ConfigurationError(
                f"--{name} {getattr(settings, name)}: whether it is what the run in {folder} began with cannot be told;"
                " start a new run, with a list of texts or arrays or a path"
            )


def stored_records(journal: Journal) -> Records:
    """Return the inputs as the journal has them. Errors as `check_unchanged`."""
    try:
        return {str(k): InputRecord.model_validate(v) for k, v in dict(journal.get("inputs")).items()}
    except (ValidationError, TypeError, ValueError):
        raise JournalError(f"{journal.path}: it does not say what the run was given; start a new run") from None


def check_opened(journal: Journal, scope: Scope, folder: Path) -> None:
    """Refuse a policy or a target that is not the one that the run began with.

    Raises
    ------
    ConfigurationError
    """
    settings = scope.settings
    if journal.get("policy") != scope.policy.sha256:
        raise ConfigurationError(
            f"policy {settings.policy} changed since the run in {folder} began; put it back, or start a new run"
        )
    if settings.target is not None and scope.subject.target.identity() != journal.get("identity"):
        raise ConfigurationError(
            f"target {settings.target}: changed since the run in {folder} began; put it back, or start a new run"
        )


def what_is_read(settings: Settings) -> str:
    """Return in words what a resumed run reads."""
    given = {name: getattr(settings, name) for name in ("target", *DATA)} | option_files(settings.options)
    parts = [value if name == "target" else f"{flag(name)} {value}" for name, value in given.items() if value]
    policy = [f"--policy {settings.policy}"] if os.path.exists(settings.policy) else []
    return ", ".join([*parts, *policy]) or "the reference generators"


def salvaged(folder: Path) -> str | None:
    """Restore a damaged journal up to the damage; return what became of it in words, or None where it is whole.

    Raises
    ------
    ConfigurationError, JournalError
        See `log.salvage`.
    """
    outcome = salvage(folder / JOURNAL)
    if outcome is None:
        return None
    dropped = "those after it" if outcome.dropped is None else f"{outcome.dropped:,} from it on"
    return (
        f"{folder / JOURNAL}: {outcome.why}: {outcome.kept:,} rows before it are kept, {dropped} are dropped;"
        f" the damaged file is {JOURNAL}.damaged"
    )


def journal_of(folder: Any) -> Path:
    """Return the folder of a run that can be resumed.

    Raises
    ------
    ConfigurationError
    """
    path = Path(folder)
    if not (path / JOURNAL).is_file():
        raise ConfigurationError(f"{path} holds no run to resume (no {JOURNAL})")
    return path
