"""A reference generator of pictures whose groups are known, with a model that reads them: ``labelled:gan-art``.

A control. Its groups are the eight styles in which it should paint equally often; its dial ``collapse`` leaves fewer.
The model that reads them knows the mean colour layout of each style, from fresh paintings, and takes the nearest. Its
error is measured on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from generators.base import find_generator, stem
from generators.gan_art import paintings

from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed
from ..core.subject import Subject
from ..core.targets import Access, Modality
from ..kit.pictures.attribute_model import AttributeModel, LabelledPictures
from ..kit.pictures.features import image_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "gan-art"
KNOWN, LABELLED = 400, 800
"""Paintings from which the model knows the styles, and on which its error is measured."""


class LabelledPaintings:
    """Paintings of eight styles; what a probe needs to compare their shares.

    Attributes
    ----------
    attribute_model : AttributeModel
    labelled : LabelledPictures
        Fresh paintings that the model has not seen.
    """

    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS})
    available = None

    def __init__(self, settings: Mapping[str, float | str]) -> None:
        self.name = f"labelled:{stem(NAME, settings)}"
        self.generator: Any = find_generator(NAME).load(**settings)
        self.attribute_model, self.labelled = _nearest_style(), _paintings(LABELLED, "labelled")

    def identity(self) -> dict[str, str]:
        """Return the hash of the generator's weights."""
        return {"generator": self.name.removeprefix("labelled:"), "sha256": str(self.generator.card.get("sha256", ""))}

    def sample_images(self, n: int, *, seed: int) -> list[NDArray[np.uint8]]:
        """Return n paintings."""
        return list(self.generator.sample(n, seed=seed))


def labelled_subject(name: str, settings: Mapping[str, float | str]) -> Subject[Any]:
    """Return ``labelled:gan-art`` with the doses of its dials.

    Raises
    ------
    ConfigurationError
        For another generator.
    """
    if name != NAME:
        raise ConfigurationError(f"labelled:{name}: only {NAME} has groups that are known")
    return Subject(target=LabelledPaintings(settings))


@cache
def _nearest_style() -> AttributeModel:
    known = _paintings(KNOWN, "known")
    features, styles = image_features(known.pictures), np.array(known.groups)
    means = np.stack([features[styles == style].mean(axis=0) for style in paintings.STYLES])

    def read(pictures: Sequence[Any]) -> list[str | None]:
        apart = ((image_features(pictures)[:, None] - means) ** 2).sum(axis=2)
        return [paintings.STYLES[i] for i in apart.argmin(axis=1)]

    return AttributeModel("nearest mean colour layout", paintings.STYLES, read, {"paintings": str(KNOWN)})


@cache
def _paintings(n: int, what: str) -> LabelledPictures:
    rng = np.random.default_rng(derive_seed(0, "labelled paintings", what))
    drawn = paintings.draw(n, rng, styles=np.arange(n) % len(paintings.STYLES))
    return LabelledPictures(list(drawn.images), tuple(paintings.STYLES[i] for i in drawn.styles))
