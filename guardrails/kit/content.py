"""What a file holds, by its content and not by its name: kind, format, and what its header states."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import ContentError
from ..core.targets import Modality
from .io import opened_picture, readable_formats, shown
from .text.files import text_encoding

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = 4096
"""How many bytes of a file's beginning decide what it is."""
SIGNATURES: tuple[tuple[int, bytes, Modality, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", Modality.IMAGE, "PNG"),
    (0, b"\xff\xd8\xff", Modality.IMAGE, "JPEG"),
    (0, b"GIF87a", Modality.IMAGE, "GIF"),
    (0, b"GIF89a", Modality.IMAGE, "GIF"),
    (8, b"WEBPVP8", Modality.IMAGE, "WEBP"),
    (0, b"II*\x00", Modality.IMAGE, "TIFF"),
    (0, b"MM\x00*", Modality.IMAGE, "TIFF"),
    (0, b"II+\x00", Modality.IMAGE, "TIFF"),  # BigTIFF
    (0, b"MM\x00+", Modality.IMAGE, "TIFF"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", Modality.IMAGE, "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", Modality.IMAGE, "JPEG 2000"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", Modality.IMAGE, "JPEG XL"),
    (0, b"\x00\x00\x01\x00", Modality.IMAGE, "ICO"),
    (0, b"8BPS\x00\x01", Modality.IMAGE, "Photoshop"),
    (8, b"WAVE", Modality.AUDIO, "WAV"),
    (0, b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", Modality.AUDIO, "W64"),
    (0, b"fLaC", Modality.AUDIO, "FLAC"),
    (0, b"ID3", Modality.AUDIO, "MP3"),
    (8, b"AIFF", Modality.AUDIO, "AIFF"),
    (8, b"AIFC", Modality.AUDIO, "AIFF"),
    (0, b"caff", Modality.AUDIO, "CAF"),
    (0, b".snd", Modality.AUDIO, "AU"),
    (8, b"AVI ", Modality.VIDEO, "AVI"),
    (0, b"\x1aE\xdf\xa3", Modality.VIDEO, "Matroska"),
    (0, b"FLV\x01", Modality.VIDEO, "FLV"),
    (0, b"\x00\x00\x01\xba", Modality.VIDEO, "MPEG"),
    (0, b"0&\xb2u\x8ef\xcf\x11", Modality.VIDEO, "ASF"),
)
OTHERS = {b"%PDF-": "PDF", b"%!PS": "PostScript", b"PK\3\4": "ZIP", b"\x1f\x8b": "gzip"}
"""Files of no kind that is looked into, by their first bytes; some of them would pass for text."""
OUTER: dict[bytes, tuple[bytes, ...]] = {
    b"WEBPVP8": (b"RIFF",), b"WAVE": (b"RIFF", b"RIFX", b"RF64", b"BW64"), b"AVI ": (b"RIFF",),
    b"AIFF": (b"FORM",), b"AIFC": (b"FORM",),
}  # fmt: skip
"""What may stand at the very beginning where a signature stands at byte 8."""
AVIF_BRANDS = frozenset({b"avif", b"avis"})
STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"heif", b"mif1", b"msf1", b"hevc"})
SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"F4A "})
TRANSPORT = 188
PORTABLE = re.compile(rb"P[1-6]\s(?:\s|#[^\n]*\n)*\d+\s(?:\s|#[^\n]*\n)*\d+\s")
SUFFIXES = {
    Modality.IMAGE: frozenset(
        [
            "png",
            "jpg",
            "jpeg",
            "jfif",
            "webp",
            "bmp",
            "tif",
            "tiff",
            "gif",
            "heic",
            "heif",
            "avif",
            "jp2",
            "jxl",
            "pbm",
            "pgm",
            "ppm",
            "pnm",
        ]
    ),
    Modality.AUDIO: frozenset(["wav", "w64", "rf64", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "m4a", "aac"]),
    Modality.VIDEO: frozenset(["mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "ts", "flv", "wmv", "ogv"]),
    Modality.TEXT: frozenset(["txt", "md", "json", "jsonl", "csv", "html", "xml"]),
}


class Content(NamedTuple):
    """What a file holds. The modality is None where nothing is known of it."""

    modality: Modality | None
    format: str


def content_of(head: bytes) -> Content:
    r"""Say what a file holds from its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes of the file, or all of a shorter one.

    Returns
    -------
    Content
        Text is what decodes as UTF-8, UTF-16 or, where little is beyond ASCII, cp1252, without control characters.

    Examples
    --------
    >>> content_of(b"\x89PNG\r\n\x1a\n...").format, content_of("naïve".encode()).modality.value
    ('PNG', 'text')
    """
    if not head:
        return Content(None, "empty")
    for place, magic, modality, format in SIGNATURES:
        if head.startswith(magic, place) and head.startswith(OUTER.get(magic, b"")):
            return Content(modality, "RF64" if head.startswith((b"RF64", b"BW64")) else format)
    if other := next((name for magic, name in OTHERS.items() if head.startswith(magic)), None):
        return Content(None, other)
    for look in (_bitmap, _iso, _ogg, _portable, _marked, _frames, _transport, _text):
        if content := look(head):
            return content
    return Content(None, "unknown")


def _bitmap(head: bytes) -> Content | None:
    """BM alone begins many a text: the size of the header that follows has to be one of those that exist."""
    known = head.startswith(b"BM") and head[15:18] == b"\0\0\0" and head[14] in (12, 40, 52, 56, 108, 124)
    return Content(Modality.IMAGE, "BMP") if known else None


def _iso(head: bytes) -> Content | None:
    """ISO base media files: the brand says whether it is a picture, a recording or a video."""
    if head[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide"):
        return None
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    others = {head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), 256), 4)}
    if brand in AVIF_BRANDS or (brand in STILL_BRANDS and others & AVIF_BRANDS):
        return Content(Modality.IMAGE, "AVIF")
    if brand in STILL_BRANDS:
        return Content(Modality.IMAGE, "HEIF")
    return Content(Modality.AUDIO, "M4A") if brand in SOUND_BRANDS else Content(Modality.VIDEO, "MP4")


def _ogg(head: bytes) -> Content | None:
    if not head.startswith(b"OggS"):
        return None
    return Content(Modality.VIDEO, "Ogg") if b"\x80theora" in head[:200] else Content(Modality.AUDIO, "Ogg")


def _frames(head: bytes) -> Content | None:
    """MPEG audio without tags: eleven bits of synchronization, a layer, a bit rate, a sample rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return Content(Modality.AUDIO, "AAC")
    layer, rate, frequency = head[1] & 0x06, head[2] >> 4, head[2] >> 2 & 3
    return Content(Modality.AUDIO, "MP3") if layer and 0 < rate < 15 and frequency < 3 else None


def _transport(head: bytes) -> Content | None:
    packets = head[: 4 * TRANSPORT : TRANSPORT]
    return Content(Modality.VIDEO, "MPEG-TS") if len(packets) >= 3 and set(packets) == {0x47} else None


def _portable(head: bytes) -> Content | None:
    """PBM, PGM, PPM, plain or raw: P1 to P6, a width and a height, with comments between them."""
    return Content(Modality.IMAGE, "PPM") if PORTABLE.match(head) else None


def _marked(head: bytes) -> Content | None:
    """Text that begins with a mark of UTF-16 or UTF-32, which may look like a frame of MPEG audio."""
    return _text(head) if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")) else None


def _text(head: bytes) -> Content | None:
    encoding = text_encoding(head, cut=len(head) >= HEAD)
    return Content(Modality.TEXT, encoding) if encoding else None


def promised(name: str) -> Modality | None:
    """Return the kind of content that a name's suffix promises.

    >>> promised("a.PNG").value
    'image'
    """
    suffix = name.rpartition(".")[2].lower()
    return next((kind for kind, suffixes in SUFFIXES.items() if "." in name and suffix in suffixes), None)


def misnamed(name: str, content: Content) -> str | None:
    """Return what to say where a name promises another kind of content than there is, or None.

    >>> misnamed("notes.png", Content(Modality.TEXT, "UTF-8"))
    'called .png, but its content is text (UTF-8)'
    """
    suffix = name.rpartition(".")[2].lower()
    if promised(name) in (None, content.modality):
        return None
    what = f"{content.modality} ({content.format})" if content.modality else content.format
    return f"called .{suffix}, but its content is {what}"


def facts_of(path: Path, content: Content) -> dict[str, Any]:
    """Return what a file's header states, JSON only; of a video the first frame is read too.

    Of a picture: ``width``, ``height``, ``mode``, ``animated`` where it has several frames, ``orientation`` where EXIF
    turns it. Of a video: ``width``, ``height``, ``rate``, ``frames`` and ``seconds`` as its header has them. Of a
    recording: ``rate``, ``channels``, ``seconds``. Of anything else nothing.

    Raises
    ------
    ContentError
        Where the header cannot be read or states more than is ever decoded.
    """
    read = {Modality.IMAGE: _of_picture, Modality.VIDEO: _of_video, Modality.AUDIO: _of_recording}
    reader: Callable[[Path, Content], dict[str, Any]] | None = read.get(content.modality) if content.modality else None
    if reader is None:
        return {}
    try:
        return reader(path, content)
    except ContentError as error:
        raise ContentError(str(error).removeprefix(f"{shown(path)}: ").removeprefix(f"{path}: ")) from None
    except Exception as error:  # damaged headers make decoders raise anything
        raise ContentError(f"damaged or cut short ({_brief(error)})") from None


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][:200]


def _of_picture(path: Path, content: Content) -> dict[str, Any]:
    if not is_read(content):
        raise ContentError(not_read(content))
    with opened_picture(path) as picture:
        facts: dict[str, Any] = {"width": picture.width, "height": picture.height, "mode": picture.mode}
        if getattr(picture, "is_animated", False):  # how many frames would mean reading them all
            facts["animated"] = True
        return facts | _orientation(picture)


def is_read(content: Content) -> bool:
    """Whether the installed Pillow reads a picture's format."""
    return content.format.replace(" ", "") in readable_formats()


def not_read(content: Content) -> str:
    """Say that a picture's format is not read, and which are."""
    return f"{content.format}, which is not read here: give {', '.join(readable_formats())}"


def _orientation(picture: Any) -> dict[str, Any]:
    try:
        turned = picture.getexif().get(0x0112, 1)
    except ContentError:  # out of bounds
        raise
    except Exception:  # damaged EXIF: the pixels are still good
        return {}
    return {"orientation": turned} if isinstance(turned, int) and 1 < turned <= 8 else {}


def _of_video(path: Path, content: Content) -> dict[str, Any]:
    from .video import Shots

    shots = Shots(path, max_frames=1)
    first = next(iter(shots), None)
    if first is None:
        raise ContentError("a video of which no frame can be read")
    facts: dict[str, Any] = {"width": first[1].shape[1], "height": first[1].shape[0]}
    if shots.stated is not None:
        facts["rate"] = round(shots.stated, 3)
    if shots.claimed is not None:
        facts["frames"] = shots.claimed
    if "rate" in facts and "frames" in facts:
        facts["seconds"] = round(facts["frames"] / facts["rate"], 3)
    return facts


def _of_recording(path: Path, content: Content) -> dict[str, Any]:
    from .sound import opened_sound

    with opened_sound(path) as about:
        if about.frames < 1 or about.samplerate < 1:
            raise ContentError("a recording without samples")
        seconds = round(about.frames / about.samplerate, 3)
        return {"rate": about.samplerate, "channels": about.channels, "seconds": seconds}
