"""What kind a picture is of, as far as it matters for what a calibration can say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .picture import Picture

PHOTOGRAPH, FACE, DRAWING = "photograph", "a picture with a face", "a drawn picture"
WEIGHTS = Path(__file__).parents[1] / "weights" / "kind.safetensors"
"""A logistic regression on the last block of the default encoder, drawn pictures against photographs;
`scripts/fit_kind.py` makes it."""
LAYER = "whole/9"
MARGIN = -1.0
"""Score from which a picture counts as drawn. Of sources left out of the fit 152 of 153 drawn pictures score so and 11
of 186 photographs; of sources that chose nothing 15 of 15 drawn backgrounds and 12 of 317 photographs."""


@dataclass(frozen=True)
class Scope:
    """What a calibration that ships may speak of.

    Attributes
    ----------
    kinds : frozenset of str
        Those of which it has sources, and the library a control.
    why : str
        What is known of the others: goes into the reasons of what is withheld.
    """

    kinds: frozenset[str]
    why: str

    @classmethod
    def of(cls, stated: Mapping[str, Any] | None) -> Scope | None:
        """Read what `stated` wrote under ``scope``."""
        return None if stated is None else cls(frozenset(stated["kinds"]), str(stated["why"]))

    @staticmethod
    def stated(scope: Scope | None) -> dict[str, Any]:
        """Return ``scope`` as a card has it; nothing for none."""
        return {} if scope is None else {"scope": {"kinds": sorted(scope.kinds), "why": scope.why}}

    def withheld(self, kind: str) -> str:
        """Return why no verdict is given on a kind.

        >>> Scope(frozenset(), "no control of it ships").withheld("speech")
        'no verdict on speech: no control of it ships'
        """
        return f"no verdict on {kind}: {self.why}"


def kind_of(picture: Picture) -> str:
    """Return `FACE`, `DRAWING` or `PHOTOGRAPH`, by the cascade of `kit.faces` and the default encoder.

    Raises
    ------
    MissingExtraError
        Where the encoder is not installed.
    """
    from ...kit.pictures.faces import find_faces
    from .encoder import SHA256, default_encoder

    pixels = picture.pixels
    if picture.kept(("faces", None), lambda: find_faces(pixels)):
        return FACE
    vector = picture.kept(("features", SHA256), lambda: default_encoder().blocks(pixels))[LAYER]
    return DRAWING if drawn_score(vector) > MARGIN else PHOTOGRAPH


def drawn_score(vector: NDArray[np.floating[Any]]) -> float:
    """Return the logit of "drawn" of a vector (768,) of the encoder's block `LAYER`."""
    weights = _weights()
    return float(vector @ weights["coefficients"] + weights["intercept"][0])


@cache
def _weights() -> dict[str, NDArray[np.float32]]:
    from safetensors.numpy import load_file

    weights: dict[str, NDArray[np.float32]] = load_file(WEIGHTS)
    return weights
