"""Recordings, through libsndfile: one channel at one rate, read in blocks and within bounds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ContentError
from .io import MAX_STREAMED, open_file
from .progress import step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

RATE = 16_000
MAX_SECONDS = 3600
MIN_RATE, MAX_RATE = 4_000, 384_000
MAX_CHANNELS = 64
MAX_SAMPLES = 4_000_000_000
"""Of all channels together: an hour of eleven at 96,000 a second."""
MAX_BLOCK = 8_000_000
"""Samples of all channels that are in memory at a time: a block has fewer seconds where there are more channels."""
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU")
"""Of libsndfile's formats those that say by themselves what they are."""
REACH = 10
"""Zero crossings of the resampling filter on each side: that of `scipy.signal.resample_poly`."""


def read_sound(path: str | os.PathLike[str], *, rate: int = RATE, max_seconds: float = MAX_SECONDS) -> Sound:
    """Read a recording as one channel.

    Parameters
    ----------
    path : path
        WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF, CAF or AU: known by content, whatever the name.
    rate : int
        Samples a second of the result.
    max_seconds : float
        Longest recording that is read.

    Returns
    -------
    array of float32, (N,)
        The mean of the channels, in −1 … 1 where the file is.

    Raises
    ------
    ContentError
        Where the file is missing, no recording, cut short within what it holds, empty, too long, of a rate or number
        of channels out of bounds, or holds samples that are not finite.
    """
    blocks = list(sound_blocks(path, rate=rate, max_seconds=max_seconds))
    if not blocks:
        raise ContentError(f"{path}: it holds no samples")
    return np.concatenate(blocks)


def sound_blocks(
    path: str | os.PathLike[str], *, rate: int = RATE, max_seconds: float = MAX_SECONDS, seconds: float = 10.0
) -> Iterator[Sound]:
    """Yield a recording in blocks of some seconds that join to what `read_sound` returns. Errors as there."""
    path = Path(path)
    with opened_sound(path) as file:
        source_rate = _checked(path, file, max_seconds)
        frames = min(int(seconds * source_rate), MAX_BLOCK // file.channels)
        yield from resampled(_mono(path, file, max_seconds, frames), source_rate, rate)


@contextmanager
def opened_sound(path: Path) -> Iterator[Any]:
    """Open a recording with soundfile, by its descriptor.

    libsndfile takes the name "-" for standard input, and the endings of some names for formats without a header.

    Raises
    ------
    ContentError
        Where there is no file, or libsndfile cannot read it, here or in the body of the ``with``.
    """
    import soundfile

    if not path.is_file():
        raise ContentError(f"{path}: no such file")
    with open_file(path, max_bytes=MAX_STREAMED) as opened:
        try:
            with soundfile.SoundFile(opened.fileno(), closefd=False) as file:
                yield file
        except (soundfile.SoundFileError, RuntimeError) as error:
            why = getattr(error, "error_string", error)  # without the number of the descriptor
            raise ContentError(f"{path}: not a recording that libsndfile reads ({why})") from None


def _checked(path: Path, file: Any, max_seconds: float) -> int:
    """Return the rate that a header states, once all that it states is within bounds."""
    rate, channels = int(file.samplerate), int(file.channels)
    if file.format not in FORMATS:
        raise ContentError(f"{path}: {file.format} is not read; give {', '.join(FORMATS)}")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise ContentError(f"{path}: {rate:,} samples a second are outside of {MIN_RATE:,}–{MAX_RATE:,}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise ContentError(f"{path}: {channels} channels are more than the limit of {MAX_CHANNELS}")
    if file.frames > max_seconds * rate:
        raise ContentError(f"{path}: {file.frames / rate:,.0f} s are more than the limit of {max_seconds:,.0f} s")
    if file.frames * channels > MAX_SAMPLES:
        raise ContentError(f"{path}: {file.frames * channels:,} samples are more than the limit of {MAX_SAMPLES:,}")
    return rate


def _mono(path: Path, file: Any, max_seconds: float, frames: int) -> Iterator[Sound]:
    """Yield the mean of the channels; what is decoded is counted, whatever the header says."""
    total = 0
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        step()
        total += len(block)
        if total > max_seconds * file.samplerate:
            raise ContentError(f"{path}: it goes on after the limit of {max_seconds:,.0f} s, which its header denies")
        if not np.isfinite(block).all():
            raise ContentError(f"{path}: it holds samples that are not finite")
        # Float files may hold anything finite: the mean of eight channels at the end of the range must not overflow.
        yield (block.astype(np.float64).mean(axis=1)).astype(np.float32)


def resampled(blocks: Iterator[Sound], source_rate: int, rate: int) -> Iterator[Sound]:
    """Yield blocks at another rate, with no more than a block and its surroundings in memory.

    The result is that of `scipy.signal.resample_poly` on the whole: each block is filtered together with as much of
    its neighbours as the filter reaches, and starts where an input and an output sample coincide.
    """
    from scipy.signal import resample_poly

    if source_rate == rate:
        yield from blocks
        return
    common = gcd(source_rate, rate)
    up, down = rate // common, source_rate // common
    around = down * -(-(REACH * max(up, down) // up + 1) // down)
    # `held` begins `skip` samples before what is still to be given; at the start and the end there is only silence.
    held, skip = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block])
        ready = (len(held) - skip - around) // down * down
        if ready <= 0:
            continue
        out = resample_poly(held[: skip + ready + around], up, down)
        yield out[skip * up // down : (skip + ready) * up // down].astype(np.float32)
        keep = min(around, skip + ready)
        held, skip = held[skip + ready - keep :], keep
    if len(held) > skip:
        yield resample_poly(held, up, down)[skip * up // down :].astype(np.float32)


def as_sound(samples: Any, source_rate: Any, name: str = "a recording", *, rate: int = RATE) -> Sound:
    """Return samples in memory as `read_sound` returns those of a file.

    Parameters
    ----------
    samples : array_like, (N,) or (N, channels)
        In −1 … 1, or integers: these are divided by the largest of their type.
    source_rate : int
        Their rate.
    name : str
        For messages.
    rate : int
        Of the result.

    Raises
    ------
    ContentError
        For samples of another shape or kind, none at all, ones that are not finite, or a rate, a number of channels or
        a length out of bounds.
    """
    x = np.asarray(samples)
    if x.ndim not in (1, 2) or x.dtype.kind not in "fiu":
        raise ContentError(f"{name}: samples are (N,) or (N, channels) of numbers, not {x.shape} of {x.dtype}")
    if (
        isinstance(source_rate, bool)
        or not isinstance(source_rate, int | np.integer)
        or not MIN_RATE <= source_rate <= MAX_RATE
    ):
        raise ContentError(f"{name}: a rate is a whole number in {MIN_RATE:,}–{MAX_RATE:,}, not {source_rate!r}")
    if not x.size:
        raise ContentError(f"{name}: it holds no samples")
    if x.ndim == 2 and x.shape[1] > MAX_CHANNELS:
        raise ContentError(f"{name}: {x.shape[1]} channels are more than the limit of {MAX_CHANNELS}")
    if len(x) > MAX_SECONDS * source_rate:
        raise ContentError(f"{name}: {len(x) / source_rate:,.0f} s are more than the limit of {MAX_SECONDS:,} s")
    scale = float(np.iinfo(x.dtype).max) if x.dtype.kind in "iu" else 1.0
    mono = x.reshape(len(x), -1).astype(np.float64).mean(axis=1) / scale
    if not np.isfinite(mono).all() or np.abs(mono).max() > np.finfo(np.float32).max:
        raise ContentError(f"{name}: it holds samples that are not finite")
    return np.concatenate(list(resampled(iter([mono.astype(np.float32)]), int(source_rate), rate)))
