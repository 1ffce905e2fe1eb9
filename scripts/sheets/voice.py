"""The sheet of `voice`: spectrograms of two phrases, clean and at each dose, and a sound: clean, then artefact=1."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import soundfile
from PIL import Image

from generators.voice.model import RATE, Voice, facts

mpl.use("Agg")
import matplotlib.pyplot as plt

DOSES = (0.0, 0.25, 0.5, 1.0)
COLOURS = 16
SHOWN, HEARD = (4, 14), 14
"""Which outputs of seed 0."""


def draw(folder: Path) -> list[Path]:
    """Write the picture and the sound; return the files."""
    said = {dose: Voice.load(artefact=dose).utterances(max(*SHOWN, HEARD) + 1, seed=0) for dose in DOSES}
    figure, places = plt.subplots(len(DOSES), len(SHOWN), figsize=(11, 8.2), dpi=72, sharey=True, layout="constrained")
    for row, dose in zip(places, DOSES, strict=True):
        for axes, number in zip(row, SHOWN, strict=True):
            utterance = said[dose][number]
            axes.specgram(utterance.sound, NFFT=256, Fs=RATE, noverlap=144, cmap="magma", vmin=-100, vmax=-45)
            for start, end in facts(utterance)["segments"]:
                axes.plot([start, end], [7850, 7850], color="#52d6c9", lw=5, solid_capstyle="butt")
            known = facts(utterance)
            who = f"{known['phrase']}, {known['f0']:.0f} Hz" if not dose else "artefact segments marked"
            axes.set_title(f"artefact={dose:g}: {who}" if dose else f"clean: {who}", fontsize=10)
            axes.set(xlim=(0, len(utterance.sound) / RATE), ylim=(0, 8000), yticks=[0, 2000, 4000, 6000, 8000])
            axes.set_yticks([0, 4000, 8000], ["0", "4", "8 kHz"])
            axes.tick_params(labelsize=8)
    for axes in places[-1]:
        axes.set_xlabel("seconds", fontsize=9)
    picture, wav = folder / "docs" / "pictures" / "voice.png", folder / "docs" / "sounds" / "voice.wav"
    for path in (picture, wav):
        path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)
    with Image.open(picture) as drawn:  # sixteen colours are enough, and a tenth of the bytes
        few = drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)
    plt.close(figure)
    pause = np.zeros(RATE // 4, np.float32)
    sound = np.concatenate([said[0.0][HEARD].sound, pause, said[1.0][HEARD].sound])
    soundfile.write(wav, sound, RATE, subtype="PCM_16")
    return [picture, wav]
