"""The archive: a USTAR file of which every byte is known from the names, sizes and hashes of its members.

``tar`` reads it. Headers and padding are the same in every archive, so that a changed bit is found wherever it is.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 20
MAX_BYTES = 8**11 - 1
"""What the size field of a USTAR header holds: 8 GiB."""


class ArchiveError(ValueError):
    """A part of an archive is not as it was written."""


def header(name: str, size: int) -> bytes:
    """Return the header of a member: everything in it follows from its name (ASCII, up to 100 characters) and size."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def padding(size: int) -> int:
    """Return how many zero bytes follow a content.

    >>> padding(1), padding(512)
    (511, 0)
    """
    return -size % BLOCK


def end(position: int) -> int:
    """Return how many zero bytes end an archive: two blocks, and more up to a whole record of 10,240 bytes."""
    least = 2 * BLOCK
    return least + -(position + least) % tarfile.RECORDSIZE


def add(archive: BinaryIO, name: str, size: int, content: BinaryIO) -> str:
    """Write a member; return its SHA-256.

    Raises
    ------
    ArchiveError
        Where the content is shorter or longer than `size`: it changed meanwhile.
    """
    archive.write(header(name, size))
    sha256 = hashlib.sha256()
    left = size
    for chunk in chunks(content, size + 1):
        left -= len(chunk)
        sha256.update(chunk)
        archive.write(chunk)
    if left:
        raise ArchiveError(f"{name} changed while it was read")
    archive.write(bytes(padding(size)))
    return sha256.hexdigest()


def read_first(archive: BinaryIO, name: str, most: int) -> bytes:
    """Return the content of the next member, of which the name is known and the size is not.

    Raises
    ------
    ArchiveError
        Where another member follows, or one of more than `most` bytes.
    """
    block = archive.read(BLOCK)
    size = _size(block)
    if size is None or size > most or block != header(name, size):
        raise ArchiveError(f"{name} does not stand where it was written")
    content = archive.read(size)
    if len(content) != size or archive.read(padding(size)) != bytes(padding(size)):
        raise ArchiveError(f"{name} is cut off, or altered after its end")
    return content


def _size(block: bytes) -> int | None:
    digits = block[124:135]
    return int(digits, 8) if len(digits) == 11 and all(48 <= digit < 56 for digit in digits) else None


def chunks(archive: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield up to `size` bytes in pieces."""
    while size and (chunk := archive.read(min(size, CHUNK))):
        size -= len(chunk)
        yield chunk
