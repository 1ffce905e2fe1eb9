"""Training is decided by its seed, and writes every file that ships."""

from __future__ import annotations

from pathlib import Path

from generators.base import WEIGHTS, Generator


def trained_twice(generator: type[Generator], folder: Path) -> Path:
    """Train all weights of a generator twice with one seed; return where the first lie once both are equal."""
    first, second = ({f.name: f.read_bytes() for f in generator.train_all(folder / run, seed=1)} for run in "ab")
    assert first.keys() == {f.name for f in WEIGHTS.glob(f"{generator.name}*")}
    assert first == second
    return folder / "a"
