"""The one training loop: seeds, schedule, early stopping, and a stability record that says how the training went."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class StabilityRecord:
    """What a training run looked like.

    Attributes
    ----------
    seed, steps : int
        The seed, and how many steps were taken.
    logged, curves : list of int, dict of str to list of float
        Some steps, and what was reported at them. By custom ``loss…``, ``grad_norm…`` and, where two networks play
        against each other, ``balance``: D's mean probability of real items less that of made ones, 1 where D has won.
    diverged_at : int, optional
        The step at which a quantity stopped being finite.
    samples : int
        Items shown in all, repeats included; 0 where the batch was not told.
    samples_per_epoch : int, optional
        Items of one pass; none where each item is new.
    stopped_early : bool
        Whether `train` was told to stop before the last step.
    """

    seed: int
    steps: int = 0
    logged: list[int] = field(default_factory=list)
    curves: dict[str, list[float]] = field(default_factory=dict)
    diverged_at: int | None = None
    samples: int = 0
    samples_per_epoch: int | None = None
    stopped_early: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``StabilityRecord(**values)`` reads them back."""
        return asdict(self)


@dataclass
class Patience:
    """Early stopping (Prechelt 1998): give up when a quantity has not got better for a while.

    Attributes
    ----------
    quantity : str
        The reported quantity to watch, best one of validation; lower is better.
    looks : int
        How many logged entries in a row may pass without a new best.
    """

    quantity: str
    looks: int
    best: float = math.inf
    waited: int = 0

    def __call__(self, values: Mapping[str, float]) -> bool:
        """Look at one logged entry; True when it is time to stop.

        >>> patience = Patience("loss", looks=2)
        >>> [patience({"loss": loss}) for loss in (3, 2, 2.5, 2.1)]
        [False, False, False, True]
        """
        self.waited = 0 if values[self.quantity] < self.best else self.waited + 1
        self.best = min(self.best, values[self.quantity])
        return self.waited >= self.looks


def train(
    step: Callable[[int], dict[str, float]],
    *,
    steps: int,
    seed: int,
    log_every: int = 50,
    report: Callable[[int, dict[str, float]], None] | None = None,
    validate: Callable[[], dict[str, float]] | None = None,
    stop_when: Callable[[Mapping[str, float]], bool] | None = None,
    batch: int = 0,
    samples_per_epoch: int | None = None,
) -> StabilityRecord:
    """Call ``step(i)`` for i in 0 … steps − 1 under a fixed seed; stop at the first non-finite quantity.

    Parameters
    ----------
    step : callable
        Does one optimiser step and returns its quantities: ``{"loss": …, "grad_norm": …}``.
    steps, seed : int
        How often `step` is called; what seeds torch before the first.
    log_every : int
        Steps between entries of the record.
    report : callable, optional
        Told each logged entry, for progress.
    validate : callable, optional
        Measures held-out items for each logged entry; torch's random numbers go on as if it had not been called.
    stop_when : callable, optional
        Asked at each logged entry whether to stop early, for example `Patience`.
    batch : int
        Items that each step is shown, for the record.
    samples_per_epoch : int, optional
        Items of one pass, for the record.

    Returns
    -------
    StabilityRecord
    """
    import torch

    torch.manual_seed(seed)
    record = StabilityRecord(seed=seed, samples_per_epoch=samples_per_epoch)
    for i in range(steps):
        values = step(i)
        record.steps, record.samples = i + 1, (i + 1) * batch
        logs = i % log_every == 0 or i == steps - 1
        if logs and validate is not None:
            with torch.random.fork_rng(devices=()):
                values = values | validate()
        if not all(math.isfinite(v) for v in values.values()):
            record.diverged_at = i
            break
        if not logs:
            continue
        record.logged.append(i)
        for name, value in values.items():
            record.curves.setdefault(name, []).append(float(value))
        if report is not None:
            report(i, values)
        if stop_when is not None and stop_when(values):
            record.stopped_early = i < steps - 1
            break
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
