"""``package:deepfake-ecg``: a generator of electrocardiograms (ECG), read from its weights alone.

Pulse2Pulse is a GAN's generator, trained on 7,233 normal ECGs [1]_: a U-Net over time, whose
halves are six strided convolutions and six convolutions of what was repeated in between, all of 25 samples. Its input
is noise of the ECG's own shape.

Probes of pictures look at an ECG as its median beat, the way a cardiograph sums up ten seconds: every beat is cut out
about its steepest point, and what stays is the median of each sample. Two ECGs of one heart have one median beat,
wherever their beats fall in the ten seconds.

.. [1] V. Thambawita et al., "DeepFake electrocardiograms using generative adversarial networks are the beginning of the
   end for privacy issues in medicine", Scientific Reports 11, 21896, 2021, doi:10.1038/s41598-021-01295-2.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import TargetError
from ..core.targets import Access, Modality
from ..kit.checksums import file_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.floating[Any]]
    Image = NDArray[np.uint8]

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
RATE, SAMPLES = 500, 5000
"""Samples a second, and of an ECG: ten seconds."""
SCALE = 6000
"""Of the network's output, −1 … 1; the package names no unit, and the amplitudes are those of microvolts."""
WIDTH = 25
CHANNELS = (8, 10, 25, 50, 150, 250, 250)
DOWN = (2, 5, 2, 5, 5, 5)
UP = ((1, 5), (2, 5), (3, 5), (5, 2), (6, 5), (7, 2))
"""Number of each layer in the weights, and how often a sample is repeated before it."""
MAX_FILE = 100_000_000
CHUNK = 32

BEFORE, AFTER = 100, 220
"""Samples of a beat about its steepest point: .2 s before and .44 s after."""
APART, STEEP = 150, 0.4
"""Beats are at least .3 s apart, and no less steep than this share of the steepest."""
PIXEL, ROWS = 5, 8
"""Samples to a pixel of a beat's picture; pixels to a lead."""
LARGEST = 2000
"""White is this many microvolts or more above the ECG's own zero, black as many below."""


class EcgTarget:
    """Pulse2Pulse, asked for ECGs or for pictures of their median beats.

    Parameters
    ----------
    name : str
        What the target is called.
    weights : path
        A file of `torch.save` with nothing but tensors, under the key ``stat_dict``.

    Raises
    ------
    TargetError
        For a file that is too large, holds anything but tensors, or not those of this network.
    """

    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS})
    available = None

    def __init__(self, name: str, weights: Path) -> None:
        self.name = name
        self._file = weights
        self._weights = _load(name, weights)

    def identity(self) -> dict[str, str]:
        """Return the hash of the weights, how many there are, and what reads them."""
        return {
            "sha256": file_sha256(self._file),
            "parameters": str(sum(w.numel() for w in self._weights.values())),
            "pictures": "median beats of eight leads",
            "torch": version("torch"),
        }

    def signals(self, n: int, *, seed: int) -> Floats:
        """Return n ECGs in microvolts, (n, 8, 5000), leads in the order of `LEADS`."""
        import torch

        noise = torch.rand(n, len(LEADS), SAMPLES, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        with torch.no_grad():
            made = [self._forward(noise[i : i + CHUNK]) for i in range(0, max(n, 1), CHUNK)]
        signals: Floats = torch.cat(made).numpy() * SCALE
        return signals

    def sample_images(self, n: int, *, seed: int) -> list[Image]:
        """Return the pictures of n median beats, each (64, 64, 3)."""
        return [picture(ecg) for ecg in self.signals(n, seed=seed)]

    def _forward(self, x: Tensor) -> Tensor:
        import torch
        from torch.nn import functional

        w, passed = self._weights, []
        for k, stride in enumerate(DOWN, 1):
            x = functional.conv1d(x, w[f"conv_{k}.weight"], w[f"conv_{k}.bias"], stride, padding=WIDTH // 2)
            x = functional.leaky_relu(x)
            passed.append(x)
        for place, (k, times) in enumerate(UP):
            if 0 < place < len(UP) - 1:  # the first layer has nothing to join, the last is given nothing
                x = torch.cat([x, passed[-1 - place]], dim=1)
            layer = f"deconv_{k}.conv1d"
            x = functional.interpolate(x, scale_factor=times)
            x = functional.conv1d(x, w[f"{layer}.weight"], w[f"{layer}.bias"], padding=WIDTH // 2)
            x = torch.tanh(x) if place == len(UP) - 1 else torch.relu(x)
        return x


def _load(name: str, file: Path) -> dict[str, Tensor]:
    import torch

    if file.stat().st_size > MAX_FILE:
        raise TargetError(f"{name}: {file.name} has more than {MAX_FILE:,} bytes")
    try:
        # Tensors and nothing else: a pickle that would run code is refused.
        state = torch.load(file, map_location="cpu", weights_only=True)["stat_dict"]
        weights = {key: state[key] for key in _shapes()}
    except Exception as error:  # the reader of a damaged file raises anything
        raise TargetError(f"{name}: {file.name} cannot be read ({type(error).__name__})") from None
    wrong = [key for key, shape in _shapes().items() if getattr(weights[key], "shape", None) != shape]
    if wrong:
        raise TargetError(f"{name}: {file.name} holds another network: {wrong[0]} has another shape")
    return weights


def _shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor that is used."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(1, len(CHANNELS)):
        shapes[f"conv_{k}.weight"] = (CHANNELS[k], CHANNELS[k - 1], WIDTH)
    out = CHANNELS[-2::-1]
    for place, (k, _) in enumerate(UP):
        joined = 2 if 0 < place < len(UP) - 1 else 1
        given = CHANNELS[-1] if place == 0 else out[place - 1] * joined
        shapes[f"deconv_{k}.conv1d.weight"] = (out[place], given, WIDTH)
    return shapes | {key.replace("weight", "bias"): shape[:1] for key, shape in shapes.items()}


def median_beat(ecg: Floats) -> Floats:
    """Return the median of an ECG's beats, (8, 320), above the median of each lead.

    Parameters
    ----------
    ecg : ndarray, (8, 5000)
        In microvolts.
    """
    from scipy.signal import find_peaks

    slope = np.abs(np.diff(ecg, axis=1)).sum(axis=0)
    steep = np.convolve(slope, np.ones(WIDTH), mode="same")[BEFORE : SAMPLES - AFTER]
    beats, _ = find_peaks(steep, distance=APART, height=STEEP * steep.max())
    starts = beats if len(beats) else [int(steep.argmax())]
    beat: Floats = np.median([ecg[:, s : s + BEFORE + AFTER] for s in starts], axis=0)
    return beat - np.median(ecg, axis=1, keepdims=True)


def picture(ecg: Floats) -> Image:
    """Return the median beat in grey, (64, 64, 3): a lead every eight rows, ten milliseconds a column."""
    beat = median_beat(ecg).reshape(len(LEADS), -1, PIXEL).mean(axis=2)
    grey = np.round(127.5 + 127.5 * np.clip(beat / LARGEST, -1, 1)).astype(np.uint8)
    return np.repeat(np.repeat(grey, ROWS, axis=0)[..., None], 3, axis=2)
