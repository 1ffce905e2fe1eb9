"""Bounds on pictures, checked before anything is decoded: size, metadata, scans, blocks, and what a decoder reads.

Decoders in C cannot be stopped from this process. What each of them does is therefore bounded by what its file states:
a few bytes may ask for hours or for all of the memory.
"""

from __future__ import annotations

import re
import struct
from typing import IO, TYPE_CHECKING, Any

from ...core.errors import ContentError

if TYPE_CHECKING:
    from PIL import Image as PillowImage

MAX_PIXELS = 50_000_000
MAX_SIDE = 65_535
"""Pixels. JPEG and GIF have no larger ones."""
MAX_EXIF = 1 << 20
"""Bytes. A JPEG segment has 64 KiB; Pillow joins several in quadratic time."""
MAX_HEADER = 16 << 20
"""Bytes of a JPEG before its first scan: profiles, previews, extended XMP."""
MAX_READS = 1_000_000
"""Reads of one decoder: millions of empty chunks or fill bytes take seconds each million."""
MAX_SCANS, MAX_SCANNED = 1000, 50 * MAX_PIXELS
"""Scans of a JPEG, and scans times pixels: encoders write about ten, each of which may visit every pixel."""
MAX_MARKERS = 100_000
MAX_NUMBERS = 1_000_000
"""Numbers in a TIFF directory, which become Python objects: a picture of 65,535 rows in strips has 131,070."""
MAX_BLOCKS = 1_000_000
"""Code-blocks and precincts of JPEG 2000, for each of which OpenJPEG allocates hundreds of bytes."""
MAX_PLAIN = 100_000_000
"""Bytes of a portable pixmap in decimal digits, which Pillow reads in Python."""
MAX_COMMENTS = 1000
CHUNK = 1 << 16


class Metered:
    """A file that a decoder reads, with bounds on how often and how much.

    Parameters
    ----------
    file : binary file
    most : int
        Bytes.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._reads = file, MAX_READS
        self.allow(most)

    def allow(self, most: int) -> None:
        """Set how many bytes may be read from now on."""
        self._most = self._left = most

    def read(self, size: int = -1) -> bytes:
        """Read as the file does.

        Raises
        ------
        ContentError
            Where the bounds are reached.
        """
        data = self._file.read(size)
        self._reads, self._left = self._reads - 1, self._left - len(data)
        if self._reads < 0:
            raise ContentError(f"more than {MAX_READS:,} chunks or fill bytes to read")
        if self._left < 0:
            raise ContentError(f"more than {self._most:,} bytes of metadata, or the same bytes again and again")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def check_size(width: float, height: float, *, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ContentError where a picture or a frame has more pixels, or a longer side, than is ever decoded."""
    if width * height > max_pixels:
        raise ContentError(f"{width:.0f} x {height:.0f} pixels are more than the limit of {max_pixels:,}")
    if max(width, height) > MAX_SIDE:
        raise ContentError(f"{width:.0f} x {height:.0f} pixels: no side may be longer than {MAX_SIDE:,}")


def check_before_opening(file: IO[bytes], size: int) -> int:
    """Look at what a file says of itself before Pillow opens it, which decodes nothing and can take long all the same.

    Parameters
    ----------
    file : binary file
        Read from its beginning; its position afterwards is 0.
    size : int
        Its bytes.

    Returns
    -------
    int
        How many bytes Pillow may read in opening it: twice the file, or a JPEG's header.

    Raises
    ------
    ContentError
        Where it would take too long.
    """
    head, most = file.read(32), 2 * size + CHUNK
    if head.startswith(b"\xff\xd8"):
        most = MAX_HEADER
        _check_exif(head + file.read(MAX_HEADER))
    elif head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        tiff_directory(file)
    elif head[8:16] == b"WEBPVP8X":  # its canvas is allocated in opening
        check_size(*(1 + int.from_bytes(head[i : i + 3], "little") for i in (24, 27)))
    elif head[:2] in (b"P1", b"P2", b"P3"):
        _check_digits(file, size)
    file.seek(0)
    return most


def check_opened(picture: PillowImage.Image, file: IO[bytes], *, max_pixels: int = MAX_PIXELS) -> None:
    """Raise ContentError where decoding a picture that Pillow has opened would take too much memory or time.

    Parameters
    ----------
    picture : PIL.Image.Image
        Not loaded.
    file : binary file
        The one that it was opened from.
    max_pixels : int
        Of the picture.
    """
    check_size(*picture.size, max_pixels=max_pixels)
    exif = picture.info.get("exif") or b""
    if len(exif) > MAX_EXIF:
        raise ContentError(f"EXIF of {len(exif):,} bytes; the limit is {MAX_EXIF:,}")
    place = file.tell()
    if picture.format in ("JPEG", "MPO"):
        scans = _scans(file)
        if scans > MAX_SCANS or scans * picture.width * picture.height > MAX_SCANNED:
            raise ContentError(f"{scans:,} scans of {picture.width} x {picture.height} pixels would take minutes")
    elif picture.format == "JPEG2000":
        _check_blocks(file)
    elif picture.format == "TIFF":
        check_size(*(getattr(picture, "tag_v2", {}).get(tag, 1) for tag in _TILE))
    file.seek(place)


def _check_digits(file: IO[bytes], size: int) -> None:
    """Bound a portable pixmap in decimal digits and the comments in it: each costs Pillow a copy of a megabyte."""
    if size > MAX_PLAIN:
        raise ContentError(f"{size:,} bytes of decimal digits are more than the limit of {MAX_PLAIN:,}")
    file.seek(0)
    comments = sum(block.count(b"#") for block in iter(lambda: file.read(1 << 20), b""))
    if comments > MAX_COMMENTS:
        raise ContentError(f"{comments:,} comments are more than the limit of {MAX_COMMENTS:,}")


_EXIF = re.compile(rb"\xff\xe1(..)Exif\0", re.DOTALL)
_SCAN = b"\xff\xda"
_TILE = (322, 323)
"""Tags of a TIFF tile's width and length."""


def _check_exif(head: bytes) -> None:
    """Bound the EXIF segments of a JPEG, which Pillow joins and reads in opening it."""
    size = sum(int.from_bytes(length, "big") for length in _EXIF.findall(head))
    if size > MAX_EXIF:
        raise ContentError(f"EXIF of {size:,} bytes; the limit is {MAX_EXIF:,}")


_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""What ends a stretch of coded data: neither a stuffed byte, a fill byte nor a restart."""


def _scans(file: IO[bytes]) -> int:
    """Count the scans of a JPEG up to its end or to `MAX_SCANS`, by its markers as libjpeg reads them."""
    place, scans = 2, 0
    for _ in range(MAX_MARKERS):
        file.seek(place)
        while (block := file.read(CHUNK)) and (marker := _MARKER.search(block)) is None:
            place += max(1, len(block) - 1)
            file.seek(place)
        if not block or marker is None or marker[1] == b"\xd9":
            return scans
        place += marker.end()
        scans += marker[1] == _SCAN[1:]
        if scans > MAX_SCANS:
            return scans
        if marker[1] not in b"\x01\xd8":
            file.seek(place)
            place += int.from_bytes(file.read(2), "big")
    raise ContentError(f"more than {MAX_MARKERS:,} markers")


def tiff_directory(file: IO[bytes], place: int | None = None) -> tuple[dict[int, int], int]:
    """Read a directory of a TIFF or BigTIFF.

    Parameters
    ----------
    file : binary file
        Read from anywhere; its position afterwards is behind the directory.
    place : int, optional
        Where the directory stands; default the file's first.

    Returns
    -------
    tags : dict
        Tag → value, of those that are one short or long.
    place : int
        Of the next directory, 0 after the last.

    Raises
    ------
    ContentError
        Where the numbers that it refers to are more than are ever read.
    """
    file.seek(0)
    head = file.read(16)
    order, big = "<" if head.startswith(b"II") else ">", head[2:4].strip(b"\0") == b"+"
    offset, length, entry = ("Q", 8, "HHQ8s") if big else ("I", 4, "HHI4s")
    if place is None:
        (place,) = struct.unpack_from(order + offset, head, length)
    file.seek(min(place, 1 << 62))
    count = int.from_bytes(file.read(8 if big else 2), "little" if order == "<" else "big")
    size = struct.calcsize(order + entry)
    entries = file.read(min(count, MAX_NUMBERS) * size)
    whole = entries[: len(entries) // size * size]
    numbers = count + sum(n for _, kind, n, _ in struct.iter_unpack(order + entry, whole) if kind not in (1, 2, 6, 7))
    if numbers > MAX_NUMBERS:
        raise ContentError(f"a directory of {numbers:,} numbers; the limit is {MAX_NUMBERS:,}")
    tags = {
        tag: struct.unpack_from(order + _NUMBERS[kind], value)[0]
        for tag, kind, n, value in struct.iter_unpack(order + entry, whole)
        if n == 1 and kind in _NUMBERS and (big or kind != _LONG8)
    }
    return tags, int.from_bytes(file.read(length), "little" if order == "<" else "big")


_LONG8 = 16
"""A kind of value that only BigTIFF has."""
_NUMBERS = {3: "H", 4: "I", _LONG8: "Q"}
"""Of TIFF's kinds of values those that are whole numbers, as `struct` reads them."""


_SOC, _SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9


def _check_blocks(file: IO[bytes]) -> None:
    """Bound the code-blocks and precincts of a JPEG 2000 codestream, those of its tiles' own headers too."""
    place, tile, tile_length, area, components = _codestream(file) + 2, 0, 0, 0, 1
    for _ in range(MAX_MARKERS):
        file.seek(place)
        marker, length = struct.unpack(">HH", file.read(4).ljust(4, b"\0"))
        body = file.read(length - 2) if marker in (_SIZ, _COD, _COC, _SOT) and length > 2 else b""
        if marker == _SIZ:
            _, width, height, left, top, *_, components = struct.unpack_from(">HIIIIIIIIH", body)
            area = (width - left) * (height - top)
        elif marker in (_COD, _COC):
            flags, style = (0, 5) if marker == _COD else ((1, 2) if components < 257 else (2, 3))
            blocks = _blocks(area, body[style:], custom=bool(body[flags] & 1)) * (components if marker == _COD else 1)
            if blocks > MAX_BLOCKS:
                raise ContentError(f"{blocks:,} code-blocks or precincts; the limit is {MAX_BLOCKS:,}")
        elif marker == _SOT:
            tile, tile_length = place, int.from_bytes(body[2:6], "big")
        elif marker in (_SOD, _EOC):
            if not tile_length or marker == _EOC:
                return
            place = tile + tile_length
            continue
        place += 2 + length
    raise ContentError(f"more than {MAX_MARKERS:,} markers")


def _codestream(file: IO[bytes]) -> int:
    """Return where the codestream of a JPEG 2000 file begins: at once, or in a box of its own."""
    place = 0
    for _ in range(MAX_MARKERS):
        file.seek(place)
        head = file.read(16)
        if head.startswith(_SOC.to_bytes(2, "big")):
            return place
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        start, length = (16, int.from_bytes(head[8:16], "big")) if length == 1 else (8, length)
        if kind != b"jp2c" and length < 8:
            break
        place += start if kind == b"jp2c" else length
    raise ContentError("no JPEG 2000 codestream in it")


def _blocks(area: int, style: bytes, *, custom: bool) -> int:
    """Count what a component of so many pixels is cut into: ITU-T T.800, A.6.1 and B.6-7."""
    levels, wide, high = style[0], style[1] + 2, style[2] + 2
    total = 0
    for level in range(levels + 1):
        size = style[5 + level] if custom else 0xFF
        across, down = size & 15, size >> 4
        block = min(wide, max(0, across - (level > 0))) + min(high, max(0, down - (level > 0)))
        total += (area >> 2 * (levels - level)) >> min(block, across + down)
    return total
