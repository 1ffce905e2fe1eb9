"""A copy descriptor of the user's: an ONNX or a TorchScript file that maps pictures to vectors (`own_network`)."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from ...core.errors import ConfigurationError
from .descriptor import Descriptor
from .user_network import Network, load_network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load_descriptor(path: str | os.PathLike[str]) -> Descriptor:
    """Read a descriptor and try it on two pictures.

    Parameters
    ----------
    path : path
        An ``.onnx`` file, or what ``torch.jit.save`` wrote (any other suffix).

    Returns
    -------
    Descriptor

    Raises
    ------
    ConfigurationError
        Where the file is missing, too large, no such model, or does not describe pictures.
    MissingExtraError
        For an ONNX file where onnxruntime is not installed.
    """
    return _tried(load_network(path, what="descriptor"), str(path))


@lru_cache(maxsize=2)
def _tried(network: Network, path: str) -> Descriptor:
    import numpy as np

    descriptor = Descriptor(network.name, network.sha256, network.size, network.run)
    tried = descriptor.embed([np.zeros((8, 8, 3), np.uint8), _gradient()])
    if tried.shape[1] < 2 or np.allclose(tried[0], tried[1]):
        raise ConfigurationError(f"descriptor {path}: a black picture and a gradient get the same vector")
    return descriptor


def _gradient() -> NDArray[np.uint8]:
    import numpy as np

    across = np.linspace(0, 255, 32)
    return np.stack(np.broadcast_arrays(across[None], across[:, None], 255 - across[None]), 2).astype(np.uint8)
