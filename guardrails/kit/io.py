"""Bounded readers for untrusted pictures and text, and the few writers that reports and probes share.

Every limit is checked before anything is decoded, so a hostile file costs a header and no memory.
"""

from __future__ import annotations

import base64
import io
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ..core.errors import ContentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image as PillowImage

    Image = NDArray[np.uint8]

MAX_PIXELS = 50_000_000
MAX_LINE = 10_000_000
MAX_FILE = 1_000_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
TEXT_SUFFIXES = frozenset({".txt", ".md"})


def cache_folder() -> Path:
    """Return the folder for what can be computed again: ``GUARDRAILS_CACHE``, else ``~/.cache/guardrails``."""
    return Path(os.environ.get("GUARDRAILS_CACHE") or Path.home() / ".cache" / "guardrails")


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture as RGB, upright; transparency is laid over white, 16-bit samples become 8-bit.

    Parameters
    ----------
    path : path
        A PNG, JPEG, WebP, BMP or TIFF file, or a GIF, of which the first frame is read.
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
    import numpy as np
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    path = Path(path)
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and of sizes that we bound ourselves
        try:
            with Pillow.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise ContentError(f"{path}: {width} x {height} pixels are more than the limit of {max_pixels:,}")
                return np.ascontiguousarray(np.asarray(_to_rgb(_upright(picture)), dtype=np.uint8))
        except ContentError:
            raise
        except UnidentifiedImageError:
            raise ContentError(f"{path}: not a picture in a format that is read ({', '.join(FORMATS)})") from None
        except Pillow.DecompressionBombError:
            raise ContentError(f"{path}: more pixels than the limit of {max_pixels:,}") from None
        except Exception as error:  # decoders of damaged files raise anything: OSError, SyntaxError, struct.error, …
            raise ContentError(f"{path}: damaged or cut short ({error})") from None


def _upright(picture: PillowImage.Image) -> PillowImage.Image:
    from PIL import Image as Pillow

    try:
        orientation = picture.getexif().get(0x0112, 1)
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
    picture.load()
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: PillowImage.Image) -> PillowImage.Image:
    import numpy as np
    from PIL import Image as Pillow

    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ContentError("samples of more than 16 bits; save it with 8 or 16")
        picture = Pillow.fromarray((values // 257).astype(np.uint8))
    elif picture.mode == "F":
        raise ContentError("floating-point samples of unknown range; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


class ImageFolder(Sequence["Image"]):
    """The pictures below a folder, in the order of their names, each read when asked for.

    Hidden files and folders are left out; a folder reached twice through links is listed once. Files without a
    picture's suffix are in `ignored`.

    Parameters
    ----------
    folder : path
    names : sequence of str, optional
        Only these, relative to the folder; default all.

    Attributes
    ----------
    names : tuple of str
        Paths relative to the folder, with forward slashes.
    ignored : tuple of str
    """

    def __init__(
        self, folder: str | os.PathLike[str], names: Sequence[str] | None = None, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.folder = Path(folder)
        self.max_pixels = max_pixels
        found = list(names) if names is not None else sorted(_files_below(self.folder))
        self.names = tuple(n for n in found if Path(n).suffix.lower() in IMAGE_SUFFIXES)
        self.ignored = tuple(n for n in found if Path(n).suffix.lower() not in IMAGE_SUFFIXES)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> ImageFolder: ...
    def __getitem__(self, index: int | slice) -> Image | ImageFolder:
        if isinstance(index, slice):
            return ImageFolder(self.folder, self.names[index], max_pixels=self.max_pixels)
        return read_image(self.folder / self.names[index], max_pixels=self.max_pixels)

    @cached_property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """(name, reason) of every file that cannot be read. Decodes each file once."""
        found = []
        for name in self.names:
            try:
                read_image(self.folder / name, max_pixels=self.max_pixels)
            except ContentError as error:
                found.append((name, str(error)))
        return tuple(found)

    def readable(self) -> ImageFolder:
        """Return the folder without its problems; `problems` of the returned one still names them."""
        bad = {name for name, _ in self.problems}
        folder = ImageFolder(self.folder, [n for n in self.names if n not in bad], max_pixels=self.max_pixels)
        folder.problems = self.problems
        return folder


def _files_below(folder: Path) -> Iterator[str]:
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith("."):
                yield (Path(here) / name).relative_to(folder).as_posix()


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ContentError(f"{path}: no such file")
    if not path.is_file():
        raise ContentError(f"{path}: not a regular file")
    if path.stat().st_size > MAX_FILE:
        raise ContentError(f"{path}: {path.stat().st_size:,} bytes are more than the limit of {MAX_FILE:,}")


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) for each line of a JSONL file that is not blank, one line in memory at a time.

    Raises
    ------
    ContentError
        With file and line, for a line that is not JSON, not UTF-8 or longer than 10 MB.
    """
    path = Path(path)
    _check_file(path)
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise ContentError(f"{path}, line {number}: longer than {MAX_LINE:,} bytes")
            text = _decode(line, f"{path}, line {number}")
            if not text.strip():
                continue
            try:
                yield number, json.loads(text)
            except (ValueError, RecursionError) as error:
                what = getattr(error, "msg", None) or "nested too deeply"
                raise ContentError(f"{path}, line {number}: not JSON ({what})") from None


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ContentError(
            f"{where}: byte 0x{byte:02x} at {error.start} is not UTF-8; save the file as UTF-8"
        ) from None


def read_documents(path: str | os.PathLike[str]) -> list[str]:
    """Read text documents.

    Parameters
    ----------
    path : path
        A ``.jsonl`` file (a line is a JSON string, or an object with the key ``text``), any other text file (one
        document), or a folder, of which every ``.txt`` and ``.md`` file below is one document, in the order of names.

    Returns
    -------
    list of str
        Documents that are blank are left out.

    Raises
    ------
    ContentError
        With file and line, where something is missing, too large, not UTF-8 or not of this shape.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(name for name in _files_below(path) if Path(name).suffix.lower() in TEXT_SUFFIXES)
        texts = [_read_text(path / name) for name in names]
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        texts = [text_of(value, f"{path}, line {number}") for number, value in read_jsonl(path)]
    else:
        texts = [_read_text(path)]
    return [text for text in texts if text.strip()]


def text_of(value: Any, where: str) -> str:
    """Return the text of one JSONL value: the value where it is a string, else its key ``text``.

    Raises
    ------
    ContentError
        Where it is neither.
    """
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        keys = f"; its keys are {', '.join(map(repr, list(value)[:8]))}" if isinstance(value, dict) else ""
        raise ContentError(f"{where}: neither a JSON string nor an object with a string under 'text'{keys}")
    return text


def _read_text(path: Path) -> str:
    _check_file(path)
    return _decode(path.read_bytes(), str(path))


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
