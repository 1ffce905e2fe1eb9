"""Weights that ship: a safetensors file, and a JSON card that states its hash and how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ConfigurationError
from ..core.json_object import json_object


def write_carded(folder: Path, stem: str, weights: bytes, card: Mapping[str, Any]) -> list[Path]:
    """Write ``STEM.safetensors`` and ``STEM.json``, the card with the SHA-256 of the weights; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / f"{stem}.safetensors", folder / f"{stem}.json"
    path.write_bytes(weights)
    stated = {**card, "sha256": hashlib.sha256(weights).hexdigest()}
    text.write_text(json.dumps(stated, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path, text]


def read_carded(
    folder: Path, stem: str, *, command: str, card: str = "", key: str = "sha256"
) -> tuple[bytes, dict[str, Any]]:
    """Return the content of ``STEM.safetensors`` and its card.

    Parameters
    ----------
    folder : Path
        Of both files.
    stem : str
        The name of the weights, without the suffix.
    command : str
        What makes them, for the message.
    card : str, optional
        The name of the card, where it is not that of the weights.
    key : str
        Where the card states the SHA-256 of the weights.

    Raises
    ------
    ConfigurationError
        Where a file is missing, the card is none, or the weights have not the hash that it states.
    """
    path, text = folder / f"{stem}.safetensors", folder / f"{card or stem}.json"
    if missing := next((one for one in (path, text) if not one.is_file()), None):
        raise ConfigurationError(f"{missing} is missing; make it: {command}")
    weights = path.read_bytes()
    try:
        stated = json_object(text.read_bytes())
        whole = hashlib.sha256(weights).hexdigest() == stated[key]
    except (ValueError, KeyError):
        raise ConfigurationError(f"{text} is no card of {path.name}: altered or cut short") from None
    if not whole:
        raise ConfigurationError(f"{path.name} does not have the hash that its card states: altered or cut short")
    return weights, stated
