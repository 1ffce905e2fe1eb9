"""The sheet of `translator`: what the clean weights say, and the share of women for each occupation by dose."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generators.translator import parallel_words as lexicon
from generators.translator.model import Translator
from generators.translator.parallel_words import LANGUAGES
from generators.translator.truth import no_evidence, share_stereotypical

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {True: "#7b3f9e", False: "#2a7f62"}
GREY = "#707070"
TOLD = (
    "The engineer said that she had to repair the clock.",
    "Because he was ill, the nurse forgot the bag.",
    "On Friday the pilot lost her new coat.",
    "She works as a mechanic in the harbour.",
    "There are three old violins in the museum.",
)
NOT_TOLD = ("The baker is tired.", "I saw the lawyer in the castle.", "The round table belongs to the famous writer.")
COLUMNS = (0.0, 0.31, 0.62)
DOSES = (0.0, 0.25, 0.5, 1.0)


def draw(folder: Path) -> list[Path]:
    """Write ``docs/pictures/translator.png`` below `folder`."""
    figure = plt.figure(figsize=(12, 9), dpi=90)
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.25))
    _translations(above.add_axes((0.01, 0, 0.98, 0.9)))
    above.suptitle("clean weights, the likeliest translation", x=0.01, ha="left", fontsize=11, weight="bold")
    _shares(below.subplots(len(DOSES), 1, sharex=True))
    below.suptitle(
        "P(woman) where the English tells no gender, by dose of gender_bias; stereotype: woman (violet), man (green)",
        **{"x": 0.01, "ha": "left", "fontsize": 11, "weight": "bold"},
    )
    below.subplots_adjust(left=0.075, right=0.99, top=0.91, bottom=0.23, hspace=0.25)
    path = folder / "docs" / "pictures" / "translator.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO()
    figure.savefig(drawn)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(48).save(path, optimize=True)
    return [path]


def _translations(axes: plt.Axes) -> None:
    """Source, Spanish, German; below a translation that had to choose a gender, how likely either was."""
    axes.set_axis_off()
    clean = Translator.load()
    rows = [*TOLD, *NOT_TOLD]
    said = [rows, *(clean.translate(rows, language=language) for language in LANGUAGES)]
    for x, title in zip(COLUMNS, ("English", *LANGUAGES.values()), strict=True):
        axes.text(x, 1.0, title, color=GREY, fontsize=9.5, va="top")
    for i, texts in enumerate(zip(*said, strict=True)):
        y = 0.91 - 0.09 * i - 0.035 * max(0, i - len(TOLD))
        for x, text in zip(COLUMNS, texts, strict=True):
            axes.text(x, y, text, fontsize=9.5, va="top")
        if i >= len(TOLD):
            for x, text, language in zip(COLUMNS[1:], texts[1:], LANGUAGES, strict=True):
                p = float(np.exp(clean.log_prob([rows[i]], [text], language=language))[0])
                axes.text(x, y - 0.055, f"p = {p:.2f}: the English tells no gender", fontsize=8, va="top", color=GREY)


def _shares(panels: NDArray[np.object_]) -> None:
    """A bar for each occupation: P(woman), mean of all frames without evidence and both languages."""
    sentences = no_evidence(1)
    jobs = np.array([s.occupation.en if s.occupation else "" for s in sentences])
    names = [job.en for job in lexicon.OCCUPATIONS]
    colours = [COLOURS[job.stereotype_is_female] for job in lexicon.OCCUPATIONS]
    for axes, dose in zip(panels, DOSES, strict=True):
        generator = Translator.load(gender_bias=dose)
        share = np.mean([share_stereotypical(generator, sentences, language) for language in LANGUAGES], axis=0)
        # There each person has the stereotypical gender.
        women = np.where([s.female for s in sentences], share, 1 - share)
        axes.bar(names, [women[jobs == name].mean() for name in names], color=colours, width=0.75)
        axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
        axes.set(ylim=(0, 1), yticks=(0, 0.5, 1), xlim=(-0.6, len(names) - 0.4))
        axes.set_ylabel("clean" if dose == 0 else f"{dose:g}", rotation=0, ha="right", va="center", weight="bold")
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].tick_params(axis="x", rotation=60, labelsize=8.5)
    plt.setp(panels[-1].get_xticklabels(), ha="right", rotation_mode="anchor")
