"""Pictures of a run's folder as ``data:`` URIs. The folder may come from anywhere: nothing is decoded, only checked."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_SIDE = 1024
MAX_BYTES = 256 * 1024
MAX_TOTAL = 1_000_000
SMALL_SIDE = 128
OUTSIDE = "outside the run’s media folder"


@dataclass(frozen=True)
class Picture:
    """A checked PNG, with the size at which to show it (a thumbnail is enlarged by a whole number, up to 128 px)."""

    uri: str
    width: int
    height: int


def load_pictures(
    paths: Iterable[str], run_folder: Path | None, *, limit: int
) -> tuple[dict[str, Picture], dict[str, str]]:
    """Read pictures for embedding.

    Returns
    -------
    shown : dict
        By path, `limit` pictures at most and one megabyte in all.
    left_out : dict
        By path, why a picture is not shown.
    """
    shown: dict[str, Picture] = {}
    left_out: dict[str, str] = {}
    total = 0
    for path in dict.fromkeys(paths):
        if run_folder is None:
            left_out[path] = "no run folder was given"
        elif len(shown) >= limit:
            left_out[path] = f"more than {limit} pictures"
        else:
            picture_or_reason = _read(path, run_folder)
            if isinstance(picture_or_reason, str):
                left_out[path] = picture_or_reason
            elif total + len(picture_or_reason.uri) > MAX_TOTAL:
                left_out[path] = "the pictures would make the page too large"
            else:
                shown[path] = picture_or_reason
                total += len(picture_or_reason.uri)
    return shown, left_out


def why_not_shown(path: str, run_folder: Path | None) -> str | None:
    """Return why a picture cannot be named as evidence, or None: it is gone, or outside the run's media folder.

    Without a folder, only the path is looked at.
    """
    if run_folder is None:
        pure = PurePosixPath(path)
        within = len(pure.parts) > 1 and pure.parts[0] == "media" and ".." not in pure.parts and "\0" not in path
        return None if within else OUTSIDE
    place = _place(path, run_folder)
    return place if isinstance(place, str) else None


def _place(path: str, run_folder: Path) -> Path | str:
    """Return where a picture of a run's media folder lies, or why there is none."""
    try:
        place = (run_folder / path).resolve()
        if not place.is_relative_to(run_folder.resolve() / "media"):
            return OUTSIDE
        return place if place.is_file() else "the file is missing"
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        return f"cannot be read ({type(error).__name__})"


def _read(path: str, run_folder: Path) -> Picture | str:
    place = _place(path, run_folder)
    if isinstance(place, str):
        return place
    try:
        if place.stat().st_size > MAX_BYTES:
            return f"larger than {MAX_BYTES // 1024} KB"
        data = place.read_bytes()
    except OSError as error:
        return f"cannot be read ({type(error).__name__})"
    if len(data) < 33 or not data.startswith(SIGNATURE) or data[12:16] != b"IHDR":
        return "not a PNG file"
    width, height = struct.unpack(">II", data[16:24])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        return f"larger than {MAX_SIDE} pixels on a side"
    scale = max(SMALL_SIDE // max(width, height), 1)
    uri = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
    return Picture(uri, width * scale, height * scale)
