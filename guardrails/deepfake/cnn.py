"""Generated pictures by a small network on noise residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .images.base import ImageDetector
from .images.picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .images.base import Blocks
    from .images.fitted_head import Fitted


class Cnn(ImageDetector):
    """A convolutional network on noise residuals, with the means over tiles as descriptor of a linear head.

    It was trained to distinguish photographs from their own reconstructions (Guillaro et al. 2025, arXiv 2412.17671),
    so content, size and file format carry no information. `fit` only fits the head; the network does not change.
    """

    id = "deepfake.cnn"
    title = "Small network on noise residuals"
    limits = (
        "Trained on reconstructions by small autoencoders and on two small generators, not on today's large ones: "
        "for these its evidence is weak, see the figures in its card. Enlarged, denoised or upscaled photographs "
        "have the traces that it looks for. It adds nothing to the traces of deepfake.fusion on left-out "
        "families, so it is not a member of it."
    )
    learnt = frozenset({"gan-art", "diffusion-photo"})

    @property
    def fitted(self) -> Fitted:
        if self._fitted is None:
            from .images import fitted_head, residual_network

            residual_network.read()
            self._fitted = fitted_head.read(stem=residual_network.STEM)[0][self.id]
        return self._fitted

    def blocks(self, picture: Picture) -> Blocks:
        return {"residual network": picture.kept(("descriptor", "cnn"), lambda: _describe(picture.tiles).mean(axis=0))}

    def _of_tiles(self, tiles: NDArray[np.uint8]) -> NDArray[np.float64]:
        return self.fitted.logits({"residual network": _describe(tiles)})


def _describe(tiles: NDArray[Any]) -> NDArray[np.float32]:
    """(T, 64, 64, 3) → (T, 64)."""
    from .images import residual_network

    return residual_network.embedded(residual_network.read(), tiles)
