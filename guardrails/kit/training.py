"""The one training loop: seeds, schedule, and a stability record that says how the training went."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class StabilityRecord:
    """What a training run looked like: one entry per logged step, for each quantity that the step reports.

    `diverged_at` is the step at which a quantity stopped being finite, else None.
    """

    seed: int
    steps: int = 0
    logged: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
    diverged_at: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)


def train(
    step: Callable[[int], dict[str, float]],
    *,
    steps: int,
    seed: int,
    log_every: int = 50,
    report: Callable[[int, dict[str, float]], None] | None = None,
) -> StabilityRecord:
    """Call ``step(i)`` for i in 0 … steps − 1 under a fixed seed; stop at the first non-finite quantity.

    Parameters
    ----------
    step : callable
        Does one optimiser step and returns its quantities: ``{"loss": …, "grad_norm": …}``.
    steps : int
        How often `step` is called.
    seed : int
        Seeds torch before the first step.
    log_every : int
        Steps between entries of the record.
    report : callable, optional
        Told each logged entry, for progress.

    Returns
    -------
    StabilityRecord
    """
    import torch

    torch.manual_seed(seed)
    record = StabilityRecord(seed=seed)
    for i in range(steps):
        values = step(i)
        record.steps = i + 1
        if not all(math.isfinite(v) for v in values.values()):
            record.diverged_at = i
            break
        if i % log_every == 0 or i == steps - 1:
            record.logged.append(i)
            for name, value in values.items():
                record.curves.setdefault(name, []).append(float(value))
            if report is not None:
                report(i, values)
    return record


def cosine(step: int, *, steps: int, warmup: int = 0, floor: float = 0.05) -> float:
    """Return the factor of the peak learning rate: linear warm-up, then a half cosine down to `floor`.

    >>> cosine(0, steps=10, warmup=5), cosine(5, steps=10, warmup=5)
    (0.2, 1.0)
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
