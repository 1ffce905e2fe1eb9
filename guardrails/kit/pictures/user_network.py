"""A network of the user's that reads pictures: an ONNX or a TorchScript file.

It maps float32 pictures (N, 3, H, W), red first, to numbers. Pictures come to it in 0–1, less ImageNet's mean and over
its deviation, as networks of torchvision, timm, SSCD and DINO expect them. H and W are those that an ONNX graph states;
where it states none, and in TorchScript, they are 224. A network that wants other pictures (0–255, another mean) needs
its first layer changed before it is exported. Of several outputs the first is read.

The file is *run*: give only one that you trust. ONNX holds a graph of known operations, TorchScript may hold any code
that TorchScript can express; neither is unpickled. Weights that an ONNX graph keeps in other files are not read.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError, ContentError, MissingExtraError
from ..settings_file import read_bounded
from .onnx_session import onnx_session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Run = Callable[[NDArray[np.float32]], NDArray[Any]]

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, red, green, blue."""
SIDE = 224
LARGEST_SIDE = 1024
MAX_FILE = 2_000_000_000


@dataclass(frozen=True)
class Network:
    """What was read from a file.

    Attributes
    ----------
    name : str
        Of the file.
    sha256 : str
    size : (int, int)
        Height and width of the pictures that it takes.
    run : callable
        (N, H, W, 3) float32 in 0–1 → what the network returns.
    """

    name: str
    sha256: str
    size: tuple[int, int]
    run: Run


def load_network(path: str | os.PathLike[str], *, what: str = "network") -> Network:
    """Read a network; a file that was read before and has not changed is not read again.

    Parameters
    ----------
    path : path
        An ``.onnx`` file, or what ``torch.jit.save`` wrote (any other suffix).
    what : str
        What messages call it.

    Returns
    -------
    Network
        Its ``run`` raises `ConfigurationError` where the graph fails.

    Raises
    ------
    ConfigurationError
        Where the file is missing, too large, or no such network.
    MissingExtraError
        For an ONNX file where onnxruntime is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"{what} {path}: no such file; give an .onnx or a TorchScript file")
    about = path.stat()
    return _loaded(str(path), what, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=2)
def _loaded(name: str, what: str, changed: int, size: int) -> Network:
    path = Path(name)
    if size > MAX_FILE:
        raise ConfigurationError(f"{what} {path}: {size:,} bytes are more than the limit of {MAX_FILE:,}")
    named = f"{what} {path}"
    try:
        content = read_bounded(path, max_bytes=MAX_FILE)
    except ContentError as error:
        raise ConfigurationError(f"{what} {error}") from None
    run, size_of = _onnx(content, named) if path.suffix.lower() == ".onnx" else _torchscript(content, named)
    return Network(path.name, hashlib.sha256(content).hexdigest(), size_of, _normalised(run, named))


def _normalised(run: Run, named: str) -> Run:
    import numpy as np

    mean, deviation = (np.array(v, np.float32) for v in (MEAN, DEVIATION))

    def described(batch: NDArray[np.float32]) -> NDArray[Any]:
        try:
            return np.asarray(run(np.ascontiguousarray(((batch - mean) / deviation).transpose(0, 3, 1, 2))))
        except Exception as error:  # whatever a stranger's graph raises
            raise ConfigurationError(f"{named}: it failed on a batch of pictures ({first_line(error)})") from None

    return described


def _torchscript(content: bytes, named: str) -> tuple[Run, tuple[int, int]]:
    import torch

    if not _is_zip(content):
        raise ConfigurationError(f"{named}: neither an .onnx file nor one that torch.jit.save wrote")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated")  # networks in this format are many
            module = torch.jit.load(io.BytesIO(content), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except Exception as error:  # RuntimeError, and whatever else a damaged archive raises
        raise ConfigurationError(f"{named}: not a TorchScript model ({first_line(error)})") from None

    def run(batch: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            answer = module(torch.from_numpy(batch))
        if not isinstance(answer, torch.Tensor):
            raise TypeError(f"it returned a {type(answer).__name__}, not a tensor")
        vectors: NDArray[Any] = answer.float().numpy()
        return vectors

    return run, (SIDE, SIDE)


def _is_zip(content: bytes) -> bool:
    try:
        return zipfile.is_zipfile(io.BytesIO(content))
    except zipfile.BadZipFile:  # of some damaged directories it says so by raising
        return False


def _onnx(content: bytes, named: str) -> tuple[Run, tuple[int, int]]:
    try:
        session = onnx_session(content)
    except MissingExtraError:
        raise
    except Exception as error:
        raise ConfigurationError(f"{named}: not an ONNX model ({first_line(error)})") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = list(inputs[0].shape) if len(inputs) == 1 else []
    if len(shape) != 4 or inputs[0].type != "tensor(float)" or (isinstance(shape[1], int) and shape[1] != 3):
        stated = "; ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
        raise ConfigurationError(f"{named}: its input must be float (N, 3, H, W); it has {stated[:200]}")
    height, width = (n if isinstance(n, int) else SIDE for n in shape[2:])
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
        raise ConfigurationError(f"{named}: pictures of {height} x {width}; at most {LARGEST_SIDE} a side")
    ask, name, fixed = outputs[0].name, inputs[0].name, shape[0] if isinstance(shape[0], int) else None

    def run(batch: NDArray[np.float32]) -> NDArray[Any]:
        import numpy as np

        if fixed is None:
            return np.asarray(session.run([ask], {name: batch})[0])
        short = -len(batch) % fixed  # a graph of a fixed batch gets whole ones
        padded = np.concatenate([batch, np.repeat(batch[-1:], short, axis=0)])
        parts = [session.run([ask], {name: padded[i : i + fixed]})[0] for i in range(0, len(padded), fixed)]
        return np.concatenate(parts)[: len(batch)]

    return run, (height, width)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
