"""The result of a finished audit, read from its run's folder or from its file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ..core.errors import ConfigurationError, ContentError
from ..core.results import AuditResult
from ..kit.io import shown
from ..kit.settings_file import read_bounded
from .run_folder import JOURNAL

MAX_RESULT_BYTES = 1 << 28


@dataclass(frozen=True)
class StoredAudit:
    """The result of an audit.

    Attributes
    ----------
    result : AuditResult
    folder : Path or None
        The run's folder, which may have a journal.
    sha256 : str or None
        Of the file ``result.json``.
    """

    result: AuditResult
    folder: Path | None = None
    sha256: str | None = None


def read_audit(run: str | Path) -> StoredAudit:
    """Read the result of an audit from its run's folder, or from a file.

    Raises
    ------
    ConfigurationError
        Where there is none, it is not one of this schema, or it contradicts itself.
    """
    from .audit.derivation import check_derivation  # it reads waivers and baselines by way of the settings

    path = Path(run)
    file = path / "result.json" if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        raise ConfigurationError(f"no result.json in {path}: {_instead(path)}")
    if not path.exists():
        raise ConfigurationError(f"there is no {path}: give the folder of an audit, or its result.json")
    try:
        content = read_bounded(file, max_bytes=MAX_RESULT_BYTES)
        result = AuditResult.from_json(content.decode("utf-8"))
        check_derivation(result)
    except ContentError as error:
        raise ConfigurationError(str(error)) from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.lines[0]}", *error.lines[1:]) from None
    except (ValidationError, UnicodeDecodeError) as error:
        why = first_mistake(error) if isinstance(error, ValidationError) else "not UTF-8 text"
        raise ConfigurationError(f"{file} is not the result of an audit: {why}") from error
    return StoredAudit(result, file.parent, hashlib.sha256(content).hexdigest())


def _instead(folder: Path) -> str:
    if (folder / JOURNAL).is_file():
        return f"the run is not finished; continue with: guardrails audit --resume {folder}"
    for name, command in (("summary.json", "scan"), ("bench.json", "bench")):
        if (folder / name).is_file():
            return f"it is the folder of guardrails {command}; give that of an audit"
    return "give the folder of an audit"


def first_mistake(error: ValidationError) -> str:
    """Return the first mistake in a document, with its place where it has one."""
    mistake = error.errors()[0]
    place, message = ".".join(map(str, mistake["loc"])), mistake["msg"].removeprefix("Value error, ")
    return f"{shown(place)}: {message}" if place else message
