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

    It learnt to tell photographs from their own reconstructions (Guillaro et al. 2025, arXiv 2412.17671), so that what
    a picture shows, its size and its file say nothing. `fit` fits the head alone: the network stays as it ships.
    """

    id = "deepfake.cnn"
    title = "Small network on noise residuals"
    limits = (
        "Learnt from reconstructions by small autoencoders and from two small generators, not from today's large ones:"
        " on these its evidence is weak, see the figures in its card. A photograph that was enlarged, denoised or"
        " upscaled carries what it looks for. Added to the traces of deepfake.fusion it tells nothing more about"
        " families left out, so that it is no member of it."
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
