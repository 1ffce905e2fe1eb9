"""Generated pictures, detected by the features of an encoder that was trained on another task."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..core.detector import Detection
from ..core.errors import ConfigurationError, ContentError
from .images.base import ImageDetector
from .images.encoder import Encoder, encoder_of
from .images.picture import Picture
from .images.saved_detector import Kept, check_network, is_kept, keep, read_kept

if TYPE_CHECKING:
    from .images.encoder import Blocks
    from .images.fitted_head import Fitted


class Features(ImageDetector):
    """The middle blocks of a pretrained encoder, and a linear head on them.

    After UnivFD (Ojha et al. 2023, arXiv 2302.10174), which uses the last layer. The last layer mostly encodes what a
    picture shows, the middle layers how it was made. Two views are encoded, one picture at a time: the whole picture
    resized to the encoder's square, and its centre at its own resolution.

    Parameters
    ----------
    encoder : str
        Default CLIP's ViT-B/16 with 8-bit weights, which ``make models`` brings, and the head that ships for it. Else a
        folder of `transformers` with a vision encoder, an ONNX or a TorchScript file: these have no head, and score
        nothing before `fit`. Or a folder that `save` wrote.

    Raises
    ------
    ConfigurationError
        Where what `save` wrote cannot be read.
    """

    id = "deepfake.features"
    title = "Pretrained features"
    limits = (
        "Uses whatever the encoder's training made visible, content as well as traces: a new kind of subject or "
        "style can look generated to it. Resizing and cropping to 224 pixels hide traces elsewhere in large "
        "pictures. The encoder's 8-bit arithmetic differs slightly between kinds of processors; how much was not "
        "measured."
    )
    learnt: ClassVar[frozenset[str]] = frozenset({"gan-art", "diffusion-photo"})
    takes = "a folder of transformers with a vision encoder, an ONNX or TorchScript file, or a folder that it saved"

    def __init__(self, encoder: str = "") -> None:
        super().__init__()
        self._kept = read_kept(self.id, encoder) if is_kept(encoder) else None
        self._place, self.argument = encoder, encoder if self._kept is None else self._kept.argument

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first asked for.

        Raises
        ------
        ConfigurationError
            Where it cannot be used, or is not the one that the saved head was fitted on.
        MissingExtraError
            Where a package is missing.
        """
        encoder = encoder_of(self.argument)
        if self._kept is not None:
            check_network(self.id, self._place, self._kept, encoder.sha256)
        return encoder

    def blocks(self, picture: Picture) -> Blocks:
        pixels = picture.pixels  # before the encoder is loaded: a bad file is a bad file without it
        encoder = self.encoder
        return picture.kept(("features", encoder.sha256), lambda: encoder.blocks(pixels))

    @property
    def fitted(self) -> Fitted:
        """The head that was fitted, saved or shipped.

        Raises
        ------
        ConfigurationError
            For another encoder than the default one before `fit`.
        """
        if self._fitted is None and self._kept is not None:
            self._fitted = self._kept.fitted
        if self._fitted is None and self.argument:
            raise ConfigurationError(f"{self.id}:{self.argument} has no head yet: fit it first")
        return super().fitted

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        super().fit(items, labels, sources=sources)
        self._fitted = replace(self.fitted, basis=f"{self.fitted.basis}; encoder {self.encoder.sha256[:12]}")
        return self

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the head and its calibration, without the encoder; ``deepfake.features:FOLDER`` reads it again.

        Raises
        ------
        ConfigurationError
            Where there is nothing to write before `fit`.
        """
        argument = str(Path(self.argument).resolve()) if self.argument else ""
        return keep(self.id, Kept(argument, self.encoder.sha256, self.fitted), Path(folder))

    def _detect(self, picture: Picture) -> Detection:
        if self._fitted is not None or self._kept is not None or not self.argument:
            return super()._detect(picture)
        try:
            picture.pixels  # noqa: B018 - says why where it cannot be read
        except ContentError as error:
            return Detection(picture.name, None, reasons=(str(error),))
        return Detection(picture.name, None, reasons=("this encoder has no head yet: fit it first",))
