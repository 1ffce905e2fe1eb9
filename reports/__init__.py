"""Reports: renderings of a stored result in the formats that `formats` names. They compute nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardrails.core.errors import STOPS, ConfigurationError, GuardrailsError, did_you_mean
from guardrails.core.results import AuditResult

if TYPE_CHECKING:
    from .renderer import Renderer, Result

__all__ = ["formats", "render", "render_fragment"]

ALIASES = {"md": "markdown"}
"""Other names of formats."""
_PART = ".guardrails-report-"


def formats(kind: type[Result] = AuditResult) -> list[str]:
    """Return the names of the formats of one kind of result.

    >>> ", ".join(formats())
    'avid, controls, csv, cyclonedx, every-eval-ever, html, json, junit, markdown, model-card, oscal, sarif, summary'
    """
    from .registry import renderers

    return [format for format, accepted in renderers() if accepted is kind]


def render(
    result: Result, format: str, path: str | Path | None = None, *, run_folder: str | Path | None = None
) -> bytes:
    """Render a result, and write it if a path is given.

    Parameters
    ----------
    result : AuditResult, ScanResult, BenchResult, Comparison or Trend
        What to render.
    format : str
        One of `formats` of this kind of result; ``md`` is short for ``markdown``.
    path : str or Path, optional
        Where to write it. The file is written atomically.
    run_folder : str or Path, optional
        The run's folder: its ``media/`` holds the pictures that HTML embeds. Without it, no pictures are shown.

    Returns
    -------
    bytes
        The report; of a text format, UTF-8.

    Raises
    ------
    ConfigurationError
        For a format that this kind of result does not have, one that cannot hold this result, or where the path cannot
        be written.
    """
    from .registry import renderers
    from .renderer import KINDS

    kind = next((kind for kind in KINDS if isinstance(result, kind)), None)
    format = ALIASES.get(format, format)
    known = formats(AuditResult if kind is None else kind)
    if format not in known:
        others = [KINDS[other] for name, other in renderers() if name == format]
        if others and kind:
            raise ConfigurationError(
                f"the format '{format}' is for results of {', '.join(others)}, not of {KINDS[kind]}; "
                f"use {', '.join(known)}"
            )
        raise ConfigurationError(f"unknown report format '{format}'.{did_you_mean(format, known)}")
    if kind is None:
        raise ConfigurationError(
            f"a {type(result).__name__} is no result of an audit, a scan, a benchmark or a comparison"
        )
    content = _content(renderers()[format, kind], result, None if run_folder is None else Path(run_folder))
    if not isinstance(content, bytes):
        raise ConfigurationError(f"the renderer of '{format}' returned {type(content).__name__}, not bytes")
    if path is not None:
        _write(Path(path), content)
    return content


def _content(renderer: type[Renderer[Any]], result: Result, run_folder: Path | None) -> bytes:
    """Return what a renderer makes; what a plug-in raises is its own defect, and not the library's."""
    try:
        return renderer().render(result, run_folder=run_folder)
    except (GuardrailsError, *STOPS):
        raise
    except BaseException as error:
        if renderer.__module__.startswith(f"{__name__}."):
            raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        plug_in = f"the renderer of '{renderer.format}', a plug-in ({renderer.__module__}), failed"
        raise ConfigurationError(f"{plug_in}: {why}") from error


def render_fragment(result: AuditResult) -> str:
    """Return a short, self-contained HTML summary, as a notebook shows it."""
    from .html import render_fragment as fragment

    return fragment(result)


def _write(path: Path, content: bytes) -> None:
    if path.exists() and not path.is_file():  # replacing it would do away with a device
        raise ConfigurationError(f"the report cannot be written to {path}: it is no regular file")
    part = None
    try:
        _remove_left_over(path.parent)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f"{_PART}{os.getpid()}-", suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
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
