"""Reports: renderings of an `AuditResult`. They compute nothing, and any of them can be made again from stored JSON."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path

from guardrails.core.errors import ConfigurationError, did_you_mean
from guardrails.core.results import AuditResult

__all__ = ["formats", "render", "render_fragment"]

_PART = ".guardrails-report-"
_MODULES = {"html": ".html", "json": ".json_", "markdown": ".markdown"}


def formats() -> list[str]:
    """Return the names of the formats.

    >>> formats()
    ['html', 'json', 'markdown']
    """
    return sorted(_MODULES)


def render(
    result: AuditResult, format: str, path: str | Path | None = None, *, run_folder: str | Path | None = None
) -> str:
    """Render a result, and write it where a path is given.

    Parameters
    ----------
    result : AuditResult
        What to render.
    format : str
        One of `formats`.
    path : str or Path, optional
        Where to write it. The file appears whole or not at all.
    run_folder : str or Path, optional
        The run's folder: its ``media/`` holds the pictures that HTML embeds. Without it none are shown.

    Returns
    -------
    str
        The report.

    Raises
    ------
    ConfigurationError
        For an unknown format, or where the path cannot be written.
    """
    if format not in _MODULES:
        raise ConfigurationError(f"unknown report format '{format}'.{did_you_mean(format, _MODULES)}")
    module = import_module(_MODULES[format], __name__)
    text = str(module.render(result, run_folder=None if run_folder is None else Path(run_folder)))
    if path is not None:
        _write(Path(path), text)
    return text


def render_fragment(result: AuditResult) -> str:
    """Return a short, self-contained HTML summary, as a notebook shows it."""
    from .html import render_fragment as fragment

    return fragment(result)


def _write(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():  # replacing it would do away with a device
        raise ConfigurationError(f"the report cannot be written to {path}: it is no regular file")
    part = None
    try:
        _remove_left_over(path.parent)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f"{_PART}{os.getpid()}-", suffix=".part")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except OSError as error:
        raise ConfigurationError(f"the report cannot be written to {path}: {error.strerror}") from error
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)


def _remove_left_over(folder: Path) -> None:
    """Remove the parts of reports whose writer was killed."""
    if os.name != "posix":  # elsewhere a process cannot be asked whether it lives without ending it
        return
    for part in folder.glob(f"{_PART}*.part"):
        number = part.name.removeprefix(_PART).partition("-")[0]
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            part.unlink(missing_ok=True)
        except (OSError, ValueError, OverflowError):  # it lives and is another user's; it is no part of ours
            continue
