"""Spikes: a known dose of the fault in the user's own target, and the smallest dose that this audit would have seen.

The probe collects rows from the target with *every* item spiked. Mixing m of them into the clean rows gives a target
with a known share m/n of planted items, for any m, without asking the model again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.base import Probe, Row, Subject
from ..core.results import Measurement, SpikeOutcome, Status, Threshold
from ..core.seeding import derive_seed
from .policy import judge

DOSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
SPIKED_ITEMS = 256
"""Enough batches are spiked to hold this many items: recovery is then known to about ±6 points."""


def mix(clean: Sequence[Row], spiked: Sequence[Row], m: int, *, seed: int) -> list[Row]:
    """Return the clean rows with m of them, chosen at random, replaced by the spiked row of the same item."""
    import numpy as np

    by_item = {row["item"]: row for row in spiked if plantable(row)}
    places = [i for i, row in enumerate(clean) if row["item"] in by_item and plantable(row)]
    chosen = set(np.random.default_rng(seed).permutation(places)[:m].tolist())
    return [by_item[row["item"]] if i in chosen else row for i, row in enumerate(clean)]


def plantable(row: Row) -> bool:
    """Whether a row is of the target's own arm: rows of the holdout, reference or null arm are the baseline."""
    return row.get("arm", "target") in ("target", "corpus", "generated", "output", "outputs")


def spike_outcome(
    probe: Probe, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject, threshold: Threshold, *, seed: int
) -> SpikeOutcome:
    """Say how much of the planted fault was seen, and at which share of planted items the finding turns."""
    own = sum(plantable(row) for row in clean)
    available = sum(plantable(row) for row in spiked)
    seen = probe.recovery(clean, spiked, subject)
    recovery, low, high = seen if seen is not None else (None, None, None)
    status = _status(probe, clean, subject, threshold, seed=seed)
    smallest, tried, reason = None, [], None
    if status is Status.FAIL:
        reason = "the finding fails without a spike: the fault is already there"
    else:
        for dose in DOSES:
            m = round(dose * own)
            if m < 1 or m > available:
                continue
            tried.append(dose)
            mixed = mix(clean, spiked, m, seed=derive_seed(seed, "mix"))
            if _status(probe, mixed, subject, threshold, seed=seed) is Status.FAIL:
                smallest = dose
                break
        if smallest is None:
            reason = (
                f"not visible at any dose tried (up to {max(tried):.0%} of the items)"
                if tried
                else "too few items to spike"
            )
    return SpikeOutcome(
        what=probe.spike_what, planted=available, recovery=recovery, low=low, high=high, smallest_dose=smallest,
        doses_tried=tuple(tried), reason=reason,
    )  # fmt: skip


def _status(probe: Probe, rows: Sequence[Row], subject: Subject, threshold: Threshold, *, seed: int) -> Status:
    return judge(headline(probe, rows, subject, seed=seed), threshold)[0]


def headline(probe: Probe, rows: Sequence[Row], subject: Subject, *, seed: int) -> Measurement:
    """Return the headline among a probe's measurements of these rows."""
    return next(m for m in probe.measure(rows, subject, seed=seed) if m.metric == probe.headline)
