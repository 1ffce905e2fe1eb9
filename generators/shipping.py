"""How weights ship: safetensors beside a card that states their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

from guardrails.kit.carded_weights import read_carded

if TYPE_CHECKING:
    import torch

    from .base import Generator

WEIGHTS = Path(__file__).parent / "weights"
COMMAND = "guardrails train generator {name}"


def stem(name: str, settings: Mapping[str, float | str]) -> str:
    """Return the file stem for one dose: ``gpt-text`` or ``gpt-text,memorize=0.5``.

    >>> stem("gpt-text", {"memorize": 0.5, "pii": 0.0})
    'gpt-text,memorize=0.5'
    """
    shown = {k: v if isinstance(v, str) else f"{v:g}" for k, v in sorted(settings.items()) if v}
    return ",".join([name, *[f"{k}={v}" for k, v in shown.items()]])


def weights_bytes(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return a safetensors file of the tensors, floating-point ones in half precision."""
    from safetensors.torch import save

    halves = {k: v.half() if v.is_floating_point() else v for k, v in sorted(tensors.items())}
    return bytes(save({k: v.detach().contiguous() for k, v in halves.items()}))


def card(generator: Generator, weights: bytes, *, seed: int, **findings: Any) -> dict[str, Any]:
    """Return the card: who made these weights, their hash, and what was found of them."""
    made_with = {name: version(name) for name in ("torch", "numpy", "transformers")} | {"python": python_version()}
    return {
        "name": generator.name,
        "doses": generator.doses,
        "seed": seed,
        "command": COMMAND.format(name=generator.name),
        "sha256": hashlib.sha256(weights).hexdigest(),
        **findings,
        "versions": made_with,
        "threads": generator.threads,
    }


def write_files(folder: Path, generator: Generator, weights: bytes, **others: bytes) -> list[Path]:
    """Write weights, card and, by file name, what else belongs to one dose; return the files."""
    at = stem(generator.name, generator.doses)
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in generator.card.items())
    files = {
        f"{at}.safetensors": weights,
        f"{at}.json": ("{\n" + ",\n".join(lines) + "\n}\n").encode(),
        **others,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def read_files(folder: Path, name: str, doses: Mapping[str, float]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the tensors and the card of one dose, and hold the weights against the hash on the card.

    Raises
    ------
    ConfigurationError
        Where a file is missing or the hash differs.
    """
    from safetensors.torch import load

    weights, card = read_carded(folder, stem(name, doses), command=COMMAND.format(name=name))
    return load(weights), card
