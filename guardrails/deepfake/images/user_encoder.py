"""Encoders that the user brings: a folder of `transformers`, an ONNX or a TorchScript file."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError
from .encoder import DEPTH, LAYERS, SIDE, Encoder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

LARGEST_SIDE = 1024
LARGEST_DIMENSION = 16_384
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
UNUSED = ("pooler", "visual_projection", "text_projection", "logit_scale", "text_model")
"""Parts of a model that come after the blocks, or belong to its other half."""


def folder_encoder(folder: str) -> Encoder:
    """Return the encoder in a `transformers` folder: CLIP, SigLIP, DINO, DINOv2, ViT and their like.

    Its blocks at 7/12, 8/12 and 9/12 of the depth are read, as those of the default encoder: of each the class token,
    or the mean over places where there is none. The mean and deviation of the channels are those that
    preprocessor_config.json states, else ImageNet's.

    Raises
    ------
    ConfigurationError
        Where the folder holds no such encoder.
    """
    import torch

    from .transformers_models import folder_of, load_model, settings_of, sha256_of

    named, path = f"deepfake.features:{folder}", folder_of(folder, f"deepfake.features:{folder}")
    model = load_model("AutoModel", path, named, spare=UNUSED)
    model = getattr(model, "vision_model", model)
    depth, side = getattr(model.config, "num_hidden_layers", None), _side(model.config)
    if not isinstance(depth, int) or "pixel_values" not in inspect.signature(model.forward).parameters:
        raise ConfigurationError(f"{named}: {type(model).__name__} is no encoder of pictures with a stack of blocks")
    if not 0 < side <= LARGEST_SIDE:
        raise ConfigurationError(f"{named}: it takes pictures of {side} a side; at most {LARGEST_SIDE} are read")
    layers = list(dict.fromkeys(max(1, round(depth * layer / DEPTH)) for layer in LAYERS))
    patch = getattr(model.config, "patch_size", None)
    places = (side // patch) ** 2 if isinstance(patch, int) and patch else 0

    def describe(batch: Array) -> dict[str, Array]:
        with torch.inference_mode():
            states = model(pixel_values=torch.from_numpy(batch), output_hidden_states=True).hidden_states
        return {str(layer): _vector(states[layer].numpy(), places, named) for layer in layers}

    mean, deviation = _channels(settings_of(path))
    return _tried(Encoder(named, sha256_of(path), side, mean, deviation, describe))


def file_encoder(file: str) -> Encoder:
    """Return the encoder in an ONNX or TorchScript file: its first output, (1, D), (1, T, D) or (1, D, H, W).

    See `guardrails.kit.pictures.user_network` for how pictures come to it. Of T places the first is read, as the class
    token; of H × W the mean.

    Raises
    ------
    ConfigurationError
        Where the file holds no such encoder.
    MissingExtraError
        For an ONNX file where onnxruntime is not installed.
    """
    import numpy as np

    from ...kit.pictures.user_network import load_network

    network = load_network(file)
    if network.size[0] != network.size[1]:
        raise ConfigurationError(f"deepfake.features:{file}: it takes pictures of {network.size}; squares are read")

    def describe(batch: Array) -> dict[str, Array]:
        return {"out": _vector(network.run(np.ascontiguousarray(batch.transpose(0, 2, 3, 1))), 0, file)}

    named = f"deepfake.features:{file}"
    return _tried(Encoder(named, network.sha256, network.size[0], (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), describe))


def _vector(answer: NDArray[Any], places: int, named: str) -> Array:
    """One vector of what an encoder gives for one picture: see `file_encoder`."""
    import numpy as np

    if answer.ndim == 4:
        answer = answer.mean(axis=(2, 3))
    elif answer.ndim == 3:
        answer = answer[:, 0] if answer.shape[1] != places else answer.mean(axis=1)
    if answer.ndim != 2 or len(answer) != 1 or not 2 <= answer.shape[1] <= LARGEST_DIMENSION:
        raise ConfigurationError(
            f"{named}: for one picture it gives {answer.shape}, not a vector of at least two numbers"
        )
    return np.asarray(answer[0], dtype=np.float32)


def _side(config: Any) -> int:
    side = getattr(config, "image_size", SIDE)
    if isinstance(side, Sequence) and side:
        side = side[0]
    return side if isinstance(side, int) else SIDE


def _channels(settings: dict[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that a folder states, or ImageNet's."""
    stated = [settings.get(key) for key in ("image_mean", "image_std")]
    for values in stated:
        if not isinstance(values, list) or len(values) != 3 or not all(isinstance(v, int | float) for v in values):
            return IMAGENET_MEAN, IMAGENET_DEVIATION
    mean, deviation = (tuple(map(float, values or ())) for values in stated)
    return (mean, deviation) if min(deviation) > 0 else (IMAGENET_MEAN, IMAGENET_DEVIATION)


def _tried(encoder: Encoder) -> Encoder:
    """Try an encoder on a black picture and a gradient.

    Raises
    ------
    ConfigurationError
        Where both get the same vector.
    """
    import numpy as np

    across = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 64, 3))
    black, other = encoder.blocks(np.zeros((64, 64, 3), np.uint8)), encoder.blocks(across)
    if all(np.allclose(black[name], other[name]) for name in black):
        raise ConfigurationError(f"{encoder.name}: a black picture and a gradient get the same vector")
    return encoder
