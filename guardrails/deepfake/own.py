"""Generated pictures, detected by the user's own class with a checkpoint."""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import ConfigurationError, ContentError, did_you_mean
from .images.answer_kind import kind_of, numbers, score_of
from .images.encoder import SIDE, whole
from .images.fixed_network import FixedDetector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .images.picture import Picture

CHECKPOINT = ",checkpoint="
NESTED = ("state_dict", "model_state_dict", "model")
"""Where training scripts put the weights in what they save."""


class OwnClass(FixedDetector):
    """A trained detector as code, ``deepfake.own:MODULE:CLASS,checkpoint=FILE``.

    CLASS is a `torch.nn.Module` that is created without arguments; importing its module runs it. The checkpoint is a
    safetensors file, or one of `torch.save` that is loaded with `weights_only=True`, so nothing in it runs; its tensors
    must match the class exactly. Pictures are resized to 224 × 224 one at a time, scaled to 0–1 and normalized with
    ImageNet's mean and standard deviation; a class with a method `prepare(pixels)`, (H, W, 3) uint8 → (3, h, w), does
    this itself. The outputs are interpreted as for `deepfake.network`.

    Parameters
    ----------
    argument : str
        ``MODULE:CLASS``, ``MODULE:CLASS,checkpoint=FILE``, or a folder that `save` wrote.

    Raises
    ------
    ConfigurationError
        Where the module, class or checkpoint cannot be used, or the answers as for `deepfake.network`.
    """

    id = "deepfake.own"
    title = "Your own class"
    limits = (
        "As good as the given network: its training data are unknown. Its score has no meaning before it is "
        "calibrated on pictures that it was not trained on."
    )
    takes = "MODULE:CLASS or MODULE:CLASS,checkpoint=FILE, or a folder that it saved"

    def _open(self) -> None:
        self._named = f"{self.id}:{self.argument}"
        place, mark, file = self.argument.partition(CHECKPOINT)
        made = _class_of(place, self._named)
        self._module = _instance(made, self._named)
        if mark:
            _fill(self._module, Path(file), self._named)
        elif _hash(self._module) != _hash(_instance(made, self._named)):
            raise ConfigurationError(f"{self._named}: its weights are random; add {CHECKPOINT}FILE")
        self._sha256 = _hash(self._module)
        self._kind = kind_of(self._answer, self._named)

    @property
    def sha256(self) -> str:
        return self._sha256

    def _absolute(self) -> str:
        place, mark, file = self.argument.partition(CHECKPOINT)
        return place + mark + (str(Path(file).resolve()) if mark else "")

    def logit(self, picture: Picture) -> float:
        pixels = picture.pixels
        return score_of(numbers(self._answer(pixels), self._named), self._kind, self._named)

    def _answer(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        import torch

        try:
            with torch.inference_mode():
                answer = self._module(self._prepared(pixels)[None])
            if not isinstance(answer, torch.Tensor):
                raise TypeError(f"it returned a {type(answer).__name__}, not a tensor")
            array: NDArray[Any] = answer.float().numpy()
            return array
        except Exception as error:  # the user's code
            raise ContentError(f"{self._named}: it failed with {type(error).__name__}: {_line(error)}") from error

    def _prepared(self, pixels: NDArray[np.uint8]) -> Any:
        import numpy as np
        import torch

        from ..kit.pictures.user_network import DEVIATION, MEAN

        if hasattr(self._module, "prepare"):
            return torch.as_tensor(self._module.prepare(pixels))
        batch = (whole(pixels, SIDE) / np.float32(255) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        return torch.from_numpy(np.ascontiguousarray(batch.transpose(2, 0, 1)))


def _class_of(place: str, named: str) -> Any:
    module, colon, name = place.partition(":")
    if not module or not colon or not name:
        raise ConfigurationError(f"{named}: write MODULE:CLASS or MODULE:CLASS{CHECKPOINT}FILE")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        imported = import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{named}: there is no module '{error.name}' to import here") from None
    except Exception as error:  # the user's code
        raise ConfigurationError(f"{named}: importing it failed with {type(error).__name__}: {_line(error)}") from error
    if not hasattr(imported, name):
        known = [key for key, value in vars(imported).items() if isinstance(value, type)]
        raise ConfigurationError(f"{named}: {module} has no '{name}'.{did_you_mean(name, known)}")
    return getattr(imported, name)


def _instance(made: Any, named: str) -> Any:
    import torch

    if not (isinstance(made, type) and issubclass(made, torch.nn.Module)):
        raise ConfigurationError(f"{named}: {getattr(made, '__name__', made)} is no torch.nn.Module")
    try:
        return made().eval()
    except Exception as error:  # the user's code
        raise ConfigurationError(
            f"{named}: it cannot be made without arguments ({type(error).__name__}: {_line(error)})"
        ) from error


def _fill(module: Any, file: Path, named: str) -> None:
    """Load a checkpoint into a module; all tensors must be there and no others."""
    import torch

    from ..kit.pictures.user_network import MAX_FILE

    if not file.is_file():
        raise ConfigurationError(f"{named}: there is no file {file}")
    if file.stat().st_size > MAX_FILE:
        raise ConfigurationError(f"{named}: {file} has more than {MAX_FILE:,} bytes")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            weights: Any = load_file(file)
        else:
            weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # pickles that are more than tensors, damaged files
        raise ConfigurationError(
            f"{named}: {file} is no checkpoint of tensors alone ({type(error).__name__}); save model.state_dict()"
        ) from None
    nested = next((key for key in NESTED if isinstance(weights, dict) and isinstance(weights.get(key), dict)), None)
    try:
        module.load_state_dict(weights[nested] if nested else weights)
    except Exception as error:  # missing, unexpected or misshapen tensors, or no dictionary of tensors
        raise ConfigurationError(f"{named}: {file} does not fill the class: {_line(error, 4)}") from None


def _hash(module: Any) -> str:
    """Of names, shapes and values of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().double().numpy().tobytes())
    return digest.hexdigest()


def _line(error: Exception, lines: int = 1) -> str:
    return " ".join(str(error).split("\n", lines)[:lines])[:300]
