"""What the default model learns from and is judged on: pictures with their family, their source and whether to learn.

Real and generated pictures come from folders, the library's own generators and what they learnt, photographs that
packages ship, and patches of these with their reconstructions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import ConfigurationError
from ...core.seeding import derive_seed, derive_seed32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

PHOTOGRAPH, ART = "photograph", "art"
GENERATORS = ("gan-art", "diffusion-photo")
"""Of the library's own: vae-medical is kept back for controls."""
SAMPLES = 16
REBUILT, PATCHES = 16, 2
"""Photographs of which patches are rebuilt, and patches of each."""
PHOTOGRAPHS = ("astronaut", "coffee", "rocket", "chelsea", "camera", "moon", "brick", "gravel", "grass", "motorcycle",
               "hubble_deep_field")  # fmt: skip
COLUMNS = ("label", "family", "source", "source_path", "licence")
"""Of a manifest."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
FORBIDDEN = re.compile(
    r"\bNC\b|non-?commercial|research use|NVIDIA|no licence|third part|press|film|BSDS|COCO|ADE20K|Flickr|Unsplash"
    r"|\bunclear\b",
    re.IGNORECASE,
)
"""In a licence: what shipped weights may not learn from."""


@dataclass(frozen=True)
class Example:
    """One picture to learn from, or only to be judged on.

    Attributes
    ----------
    name : str
        Seeds its random crop and encoding: a patch and its reconstruction have the same.
    label : int
        1 = generated.
    family : str
        Lineage of generators, `PHOTOGRAPH`, or `ART` for what is real and no photograph.
    source : str
        What must not be on both sides of a split: the collection of a photograph, the file that outputs were cut from.
    read : callable
        Returns the picture, (H, W, 3) uint8; raises ContentError.
    path : Path, optional
        Of its file, where there is one.
    learnt : bool
        False for what may only be evaluated on.
    """

    name: str
    label: int
    family: str
    source: str
    read: Callable[[], Image]
    path: Path | None = None
    learnt: bool = True

    @property
    def group(self) -> str:
        """What is weighed as one, and left out as one: the family of a generated picture, the source of a real one."""
        return self.family if self.label else self.source


def permitted(licence: str) -> bool:
    """Whether weights that ship may learn from a picture.

    >>> permitted("MIT (repository)"), permitted("CC BY-NC 4.0"), permitted("MIT (repository); Flickr photographs")
    (True, False, False)
    """
    return not FORBIDDEN.search(licence)


def of_folder(folder: Path, label: int) -> list[Example]:
    """Return the pictures of a folder, whose name is the family or source; with a manifest, its rows of the label.

    A manifest is a CSV file with the columns path, label (``real`` or ``generated``), family, source, source_path and
    licence: a row whose licence does not permit to learn from it is only evaluated on.

    Raises
    ------
    ConfigurationError
        Where there is no such folder, no picture of the label in it, or its manifest lacks a column.
    """
    from ...kit.io import read_image
    from ...kit.pictures.manifest import NAME, read_manifest

    def example(path: Path, family: str, source: str, *, learnt: bool = True) -> Example:
        name = path.relative_to(folder).as_posix()
        return Example(name, label, family, source, lambda: read_image(path), path, learnt)

    if (folder / NAME).is_file():
        examples = [
            example(folder / row["path"], *_place(row, label), learnt=permitted(row["licence"]))
            for row in read_manifest(folder, COLUMNS)
            if row["label"] == ("generated" if label else "real")
        ]
    else:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        name = folder.resolve().name
        examples = [
            example(path, name if label else PHOTOGRAPH, f"{name}/{path.name}" if label else name) for path in files
        ]
    if not examples:
        raise ConfigurationError(f"{folder}: no {'generated' if label else 'real'} pictures there")
    return examples


def _place(row: Mapping[str, str], label: int) -> tuple[str, str]:
    """Family and source. Files cut from one picture are one source; photographs share the folder they came in."""
    if label:
        return row["family"], f"{row['source']}/{row['source_path']}"
    return ART if row["family"] == ART else PHOTOGRAPH, str(Path(row["path"]).parent.name)


def distinct(examples: Sequence[Example]) -> list[Example]:
    """Keep the first of several files with the same bytes: none is in two sources.

    Raises
    ------
    ConfigurationError
        Where files are given as real and as generated.
    """
    first: dict[str, Example] = {}
    both = []
    for e in examples:
        key = e.name if e.path is None else hashlib.sha256(e.path.read_bytes()).hexdigest()
        if first.setdefault(key, e).label != e.label:
            both.append(e.path or e.name)
    if both:
        more = f", and {len(both) - 1} others are" if len(both) > 1 else " is"
        raise ConfigurationError(f"{both[0]}{more} given as real and as generated: one of the two is wrong")
    return list(first.values())


def built_in(given: Sequence[Example], *, seed: int) -> list[Example]:
    """Return what is learnt beside the given pictures: photographs of packages, generators, reconstructions."""
    packaged = of_pictures(photographs())
    learnt = [e for e in given if e.learnt and e.family == PHOTOGRAPH]
    return [*packaged, *of_generators(seed=seed), *of_reconstructions([*learnt, *packaged], seed=seed)]


def photographs() -> Iterator[tuple[str, Image]]:
    """Yield scikit-image's photographs: each one a source."""
    from skimage import data

    for name in PHOTOGRAPHS:
        picture = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        if picture.ndim == 2:
            picture = np.repeat(picture[..., None], 3, axis=2)
        yield f"scikit-image {name}", np.ascontiguousarray(picture[..., :3])


def of_pictures(pictures: Iterable[tuple[str, Image]]) -> list[Example]:
    """Return photographs given as (source, picture)."""
    return [_held(f"{source}/{i}", 0, PHOTOGRAPH, source, picture) for i, (source, picture) in enumerate(pictures)]


def of_generators(*, seed: int, n: int = SAMPLES) -> Iterator[Example]:
    """Yield outputs of the library's own generators, and as many real pictures of what they learnt."""
    from ...targets.reference import load

    for name in GENERATORS:
        generator = load(name).generator
        drawn = [generator.reference_items(n, seed=derive_seed(seed, name)), generator.sample(n, seed=seed)]
        for label, pictures in enumerate(drawn):
            for i, picture in enumerate(pictures):
                yield _held(
                    f"{name}/{i}", label, name if label else PHOTOGRAPH, f"real:{name}" if not label else name, picture
                )


def of_reconstructions(photographs: Sequence[Example], *, seed: int) -> Iterator[Example]:
    """Yield patches of photographs and, beside each, its reconstruction in one of several ways."""
    from .reconstructed_pictures import patches, ways

    rng = np.random.default_rng(seed)
    chosen = [photographs[i] for i in rng.permutation(len(photographs))[:REBUILT]]
    cut = [
        (f"{p.name}/{i}", p.source, patch)
        for p in chosen
        for i, patch in enumerate(patches(p.read(), PATCHES, seed=derive_seed32(seed, p.name)))
    ]
    several = list(ways([patch for _, _, patch in cut], seed=seed).items())
    for i, (name, source, patch) in enumerate(cut):
        way, rebuild = several[i % len(several)]
        yield _held(name, 0, PHOTOGRAPH, source, patch)
        yield _held(name, 1, way, f"{way}/{source}", rebuild([patch])[0])


def _held(name: str, label: int, family: str, source: str, picture: Image) -> Example:
    return Example(name, label, family, source, lambda: picture)
