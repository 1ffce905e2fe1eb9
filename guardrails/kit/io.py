"""Bounded readers for untrusted pictures, and the few writers that reports and probes share.

Every limit is checked before anything is decoded, so a hostile file costs a header and no memory.
"""

from __future__ import annotations

import base64
import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..core.errors import ContentError
from .pictures.bounds import CHUNK, MAX_PIXELS, Metered, check_before_opening, check_opened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image as PillowImage

    Image = NDArray[np.uint8]

MAX_FILE = 1_000_000_000
MAX_STREAMED = 1 << 40
"""Bytes of a file of which only parts are in memory at a time."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM", "JPEG2000")
"""Of Pillow's formats those that are read, where the installed Pillow has their decoders."""


def cache_folder() -> Path:
    """Return the folder for what can be computed again: ``GUARDRAILS_CACHE``, else ``~/.cache/guardrails``."""
    return Path(os.environ.get("GUARDRAILS_CACHE") or Path.home() / ".cache" / "guardrails")


@cache
def readable_formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that the installed Pillow can decode."""
    from PIL import Image as Pillow
    from PIL import features

    Pillow.init()
    optional = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}
    return tuple(f for f in FORMATS if f in Pillow.OPEN and (f not in optional or features.check(optional[f])))


class Picture(NamedTuple):
    """A decoded picture, upright, with the format of its file and whether that holds further frames or pages."""

    pixels: Image
    format: str
    several: bool


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture as RGB, upright; transparency is laid over white, 16-bit samples become 8-bit.

    Parameters
    ----------
    path : path
        A file in one of `FORMATS`, told by its content. Of several frames or pages the first is read:
        see `guardrails.kit.pictures.frames`.
    max_pixels : int
        A picture whose header states more is not decoded.

    Returns
    -------
    array of uint8, (H, W, 3)

    Raises
    ------
    ContentError
        Where the file is missing, no such picture, damaged, cut short or too large.
    """
    return read_picture(path, max_pixels=max_pixels).pixels


def read_picture(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture as `read_image` does, and say what file it came from. Errors as there."""
    import numpy as np

    with opened_picture(path, max_pixels=max_pixels) as picture:
        several = bool(getattr(picture, "is_animated", False))
        pixels = np.ascontiguousarray(np.asarray(_to_rgb(_upright(picture)), dtype=np.uint8))
        return Picture(pixels, picture.format or "", several)


@contextmanager
def opened_picture(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Iterator[PillowImage.Image]:
    """Open a picture with Pillow, within the bounds of `picture_bounds`; nothing is decoded yet.

    Every picture of a stranger is opened here. What Pillow raises in the body of the ``with`` becomes a ContentError.

    Raises
    ------
    ContentError
        As `read_image`.
    """
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    name = shown(path)
    with warnings.catch_warnings(), open_file(path) as file:
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and of sizes that we bound ourselves
        try:
            size = os.fstat(file.fileno()).st_size
            source: Any = Metered(file, check_before_opening(file, size))
            with Pillow.open(source, formats=readable_formats()) as picture:
                check_opened(picture, file, max_pixels=max_pixels)
                source.allow(2 * size + CHUNK)
                yield picture
        except ContentError as error:
            raise error if name in str(error) else ContentError(f"{name}: {error}") from None
        except UnidentifiedImageError:
            formats = ", ".join(readable_formats())
            raise ContentError(f"{name}: not a picture in a format that is read ({formats})") from None
        except Pillow.DecompressionBombError:
            raise ContentError(f"{name}: more pixels than the limit of {max_pixels:,}") from None
        except MemoryError:
            raise ContentError(f"{name}: it needs more memory than there is") from None
        except Exception as error:  # decoders of damaged files raise anything: OSError, SyntaxError, struct.error, …
            raise ContentError(f"{name}: damaged or cut short ({error})") from None


def _upright(picture: PillowImage.Image) -> PillowImage.Image:
    """Turn a picture as its metadata says, once: Pillow turns TIFF in loading it, and then takes the tag away."""
    from PIL import Image as Pillow

    picture.load()
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except ContentError:  # out of bounds
        raise
    except Exception:  # damaged EXIF: the pixels are still good
        orientation = 1
    turn = {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_270,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_90,
    }.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: PillowImage.Image) -> PillowImage.Image:
    import numpy as np
    from PIL import Image as Pillow

    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise ContentError("samples of more than 16 bits; save it with 8 or 16")
        picture = Pillow.fromarray((values // 257).astype(np.uint8))
    elif picture.mode == "F":
        raise ContentError("floating-point samples of unknown range; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def check_file(path: Path, *, max_bytes: int | None = None) -> None:
    """Raise ContentError for what is no regular file, cannot be opened, or is larger than `max_bytes` (`MAX_FILE`)."""
    try:
        about = path.stat()
    except OSError as error:
        if path.is_symlink():
            raise ContentError(f"{shown(path)}: a link that leads to no file ({error.strerror})") from None
        why = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise ContentError(f"{shown(path)}: {why}") from None
    limit = MAX_FILE if max_bytes is None else max_bytes
    if not stat.S_ISREG(about.st_mode):
        raise ContentError(f"{shown(path)}: not a regular file")
    if about.st_size > limit:
        raise ContentError(f"{shown(path)}: {about.st_size:,} bytes are more than the limit of {limit:,}")
    if not os.access(path, os.R_OK):
        raise ContentError(f"{shown(path)}: cannot be read (Permission denied)")


def open_regular(path: str | os.PathLike[str]) -> io.FileIO:
    """Open a regular file to read, without waiting: a pipe may have taken its place.

    Raises
    ------
    ContentError
        For a pipe, a socket, a device or a folder.
    OSError
        Where it cannot be opened.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ContentError("not a regular file (a pipe, a socket or a device)")
    return io.FileIO(number, "rb")


def open_file(path: str | os.PathLike[str], *, max_bytes: int | None = None) -> BinaryIO:
    """Open a regular file for reading bytes; a pipe that takes its place meanwhile is not waited for.

    Raises
    ------
    ContentError
        As `check_file`.
    """
    check_file(Path(path), max_bytes=max_bytes)
    try:
        return io.BufferedReader(open_regular(path))
    except OSError as error:
        raise ContentError(f"{shown(path)}: cannot be read ({error.strerror})") from None
    except ContentError:
        raise ContentError(f"{shown(path)}: not a regular file") from None


def shown(name: str | os.PathLike[str]) -> str:
    r"""Return a file's name as it can be printed and stored: control characters and stray bytes are written out.

    >>> shown("a\nb\x1b[31m.png")
    'a\\nb\\x1b[31m.png'
    """
    text = os.fspath(name)
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def resize(image: Image, size: int | tuple[int, int]) -> Image:
    """Return the picture at another size, averaged over what each new pixel covers.

    Parameters
    ----------
    image : array of uint8
        (H, W, 3) or (H, W).
    size : int or (height, width)
        An int makes a square.
    """
    import numpy as np
    from PIL import Image as Pillow

    height, width = (size, size) if isinstance(size, int) else size
    return np.array(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BOX), dtype=np.uint8)


def encode_png(image: Image) -> bytes:
    """Return the picture as a PNG file without metadata; the same pixels give the same bytes."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def thumbnail(image: Image, size: int = 64) -> str:
    """Return a PNG no larger than size x size, in base64: small enough for a journal row."""
    height, width = image.shape[:2]
    scale = min(1.0, size / max(height, width))
    small = resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))
    return base64.b64encode(encode_png(small)).decode("ascii")
