"""Generated pictures, detected by the user's own ONNX or TorchScript network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigurationError
from .images.answer_kind import kind_of, numbers, score_of
from .images.encoder import centre, whole
from .images.fixed_network import FixedDetector, place_and_choice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .images.picture import Picture

VIEWS = {"": whole, "whole": whole, "centre": centre}


class OwnNetwork(FixedDetector):
    """A trained detector in a file, ``deepfake.network:FILE``: ONNX, or what ``torch.jit.save`` wrote.

    The network receives one picture at a time, resized whole to its input square, scaled to 0–1 and normalized with
    ImageNet's mean and standard deviation (`guardrails.kit.pictures.user_network`). `FILE#centre` crops the centre at
    its own resolution instead, which keeps the traces that resizing removes. The network returns a logit, two logits
    (real, synthetic) or probabilities: this is decided when it is loaded, by its answers to twelve test pictures
    (`answer_kind`).

    Parameters
    ----------
    argument : str
        ``FILE``, ``FILE#centre``, or a folder that `save` wrote.

    Raises
    ------
    ConfigurationError
        Where the file is missing, no such network, gives other numbers, none that are finite or always the same.
    MissingExtraError
        For an ONNX file where onnxruntime is not installed.
    """

    id = "deepfake.network"
    title = "Your own network"
    limits = (
        "As good as the given network: its training data are unknown. Its score has no meaning before it is "
        "calibrated on pictures that it was not trained on."
    )
    takes = "an ONNX or TorchScript file, FILE or FILE#centre, or a folder that it saved"

    def _open(self) -> None:
        from ..kit.pictures.user_network import load_network

        self._named = f"{self.id}:{self.argument}"
        file, view = place_and_choice(self.argument)
        if view not in VIEWS:
            raise ConfigurationError(f"{self._named}: after # comes whole or centre, not '{view}'")
        self._network, self._view = load_network(file), VIEWS[view]
        if self._network.size[0] != self._network.size[1]:
            raise ConfigurationError(f"{self._named}: it takes pictures of {self._network.size}; squares are read")
        self._kind = kind_of(self._answer, self._named)

    @property
    def sha256(self) -> str:
        return self._network.sha256

    def logit(self, picture: Picture) -> float:
        return score_of(numbers(self._answer(picture.pixels), self._named), self._kind, self._named)

    def _answer(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        import numpy as np

        square = self._view(pixels, self._network.size[0]).astype(np.float32) / np.float32(255)
        return self._network.run(square[None])
