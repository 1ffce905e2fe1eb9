"""Training is decided by its seed, and writes every file that ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from generators.base import WEIGHTS, Generator


def trained_twice(generator: type[Generator], folder: Path) -> Path:
    """Train all weights of a generator, and the clean ones and one dose of each dial again with the same seed.

    The doses of a dial differ only in the share of their data. Return where the first lie once both are equal.
    """
    first = {f.name: f.read_bytes() for f in generator.train_all(folder / "a", seed=1)}
    assert first.keys() == {f.name for f in WEIGHTS.glob(f"{generator.name}*")}
    fewer = tuple(replace(dial, doses=dial.doses[-1:]) for dial in generator.dials)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "dials", fewer)
        second = {f.name: f.read_bytes() for f in generator.train_all(folder / "b", seed=1)}
    assert f"{generator.name}.json" in second
    assert all(any(f"{dial.name}={dial.doses[-1]:g}.json" in name for name in second) for dial in fewer)
    assert second.items() <= first.items()
    return folder / "a"
