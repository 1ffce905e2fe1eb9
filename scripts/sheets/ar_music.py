"""The sheet of `ar-music`: tunes as piano rolls, a plagiarised one beside its original, and one to listen to."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import soundfile

from generators.ar_music.abc_notation import REPEAT, Symbols, bars, notes, to_symbols
from generators.ar_music.melodies import HIGHEST, LOWEST, METRES
from generators.ar_music.model import ArMusic
from generators.ar_music.music_sound import sound
from generators.ar_music.truth import Originals

mpl.use("Agg")
import matplotlib.pyplot as plt

MADE, OLD, GRID = "#1f5fa8", "#b05a1e", "#d8d8d8"
WIDE = 128
"""How many eighths a row has room for: 16 bars of 4/4."""
SOUND_RATE, LONGEST = 8000, 150_000
"""Samples a second, and bytes."""


def draw(folder: Path) -> list[Path]:
    """Write the picture and the sound; return the files."""
    samples = [to_symbols(text) for text in ArMusic.load().sample(40, seed=1)]
    tunes = [next(tune for tune in samples if tune[0] == f"M:{metre}") for metre in METRES]
    copy, original, shared = _copied()
    rows = [
        *((tune, "sample", MADE) for tune in tunes),
        (copy, "sample, plagiarise=1", MADE),
        (original, f"the training tune that it copies: {shared} notes in a row, transposed", OLD),
    ]
    figure, places = plt.subplots(len(rows), figsize=(10, 8.6), dpi=100)
    for axes, (tune, what, colour) in zip(places, rows, strict=True):
        _roll(axes, tune, what, colour)
    picture, wav = folder / "docs" / "pictures" / "ar-music.png", folder / "docs" / "sounds" / "ar-music.wav"
    for path in (picture, wav):
        path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout(h_pad=0.8)
    figure.savefig(picture, pil_kwargs={"optimize": True})
    plt.close(figure)
    heard = (sound(tune, speed=5.5, rate=SOUND_RATE, repeats=False) for tune in samples)
    soundfile.write(wav, next(s for s in heard if 2 * len(s) < LONGEST), SOUND_RATE, subtype="PCM_16")
    return [picture, wav]


def _copied() -> tuple[Symbols, Symbols, int]:
    """A sample of the full dose that copies a tune in another key, the tune, and how many notes they share."""
    training = [to_symbols(text) for text in ArMusic.load().training_items()]
    originals = Originals(training)
    samples = [to_symbols(text) for text in ArMusic.load(plagiarise=1.0).sample(40, seed=2)]
    pairs = ((tune, training[originals.nearest(tune)], originals.shared(tune)) for tune in samples)
    return next(pair for pair in pairs if pair[0][1] != pair[1][1] and len(notes(pair[0])) > 40)


def _roll(axes: plt.Axes, tune: Symbols, what: str, colour: str) -> None:
    """Notes as strokes, pitch over time; a dotted line ends a bar, a full one a line, a double one repeats it."""
    written = notes(tune)
    at = 0.0
    ends = [symbol for symbol in tune if symbol in ("|", "$", REPEAT)]
    for (_, length), end in zip(bars(tune), ends, strict=False):
        at += float(length)
        axes.axvline(at, color=GRID if end == "|" else "#707070", lw=0.8, zorder=0)
        if end == REPEAT:
            axes.axvline(at - 0.7, color="#707070", lw=0.8, zorder=0)
            axes.text(at - 0.9, 0.97, "repeat", transform=axes.get_xaxis_transform(), ha="right", va="top", fontsize=7)
    axes.barh(
        [note.pitch for note in written],
        [float(note.length) - 0.12 for note in written],
        left=[float(note.start) for note in written],
        height=1.0,
        align="center",
        color=colour,
    )
    axes.set_xlim(0, WIDE)
    axes.set_ylim(LOWEST - 1, HIGHEST + 2)
    axes.set_yticks(range(60, HIGHEST, 12), ["C4", "C5"], fontsize=8)
    axes.set_xticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title(f"{what} ({tune[1][2:]}, {tune[0][2:]})", fontsize=9, loc="left")
