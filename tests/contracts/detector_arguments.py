"""What the contract tests give to detectors that need an argument."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from guardrails.core.detector import Detector
from guardrails.core.registry import load_detector
from guardrails.deepfake.features import Features

from ..deepfake import networks


def _features(folder: Path) -> str:
    """Fit a small encoder's head, and keep it."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 128 * (1 + i % 2), (16, 16, 3)).astype(np.uint8) for i in range(40)]
    encoder = networks.torchscript(networks.Places(), folder / "places.pt")
    Features(str(encoder)).fit(pictures, [i % 2 for i in range(40)]).save(folder / "kept")
    return str(folder / "kept")


def _own(folder: Path) -> str:
    module, checkpoint = networks.own_class(folder)
    sys.path.insert(0, str(folder))
    import_module(module)
    sys.path.remove(str(folder))
    return f"{module}:Net,checkpoint={checkpoint}"


ARGUMENTS: dict[str, Callable[[Path], str]] = {
    "deepfake.features": _features,
    "deepfake.classifier": lambda folder: str(networks.classifier(folder / "classifier")),
    "deepfake.network": lambda folder: str(networks.torchscript(networks.Light(), folder / "light.pt")),
    "deepfake.own": _own,
    "deepfake.reconstruction": lambda folder: "reference:vae-medical",
}
"""Id → (an empty folder → the argument)."""


def made(name: str, folder: Path) -> Detector:
    """Return a detector, with an argument where it needs one."""
    return load_detector(f"{name}:{ARGUMENTS[name](folder)}" if name in ARGUMENTS else name)
