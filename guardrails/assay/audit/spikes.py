"""Spikes: a known dose of the fault in the user's own target, and the smallest dose that this audit would have seen.

The probe collects rows from the target with *every* item spiked. Mixing m of them into the clean rows gives a target
with a known share of planted items, for any share, without asking the model again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...core.asking import first_error
from ...core.batch import OWN, Batch, Row
from ...core.probe import Probe
from ...core.results import DoseReading, Measurement, SpikeKind, SpikeOutcome, Status, Threshold
from ...core.seeding import derive_seed
from ...core.subject import Subject
from ...core.targets import Target
from ..policy.policy import judge

DOSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


def batches_to_spike(batches: Sequence[Batch], most: int = Probe.spiked_items) -> list[Batch]:
    """Return the plan's first items that can be planted, `most` of them, in batches of the same numbers."""
    out: list[Batch] = []
    left = most
    for batch in batches:
        planted = [item for item in batch.items if item.counted][:left]
        if planted:
            out.append(replace(batch, items=tuple(planted)))
            left -= len(planted)
    return out


def plantable(row: Mapping[str, Any]) -> bool:
    """Whether a row is of the target's own arm and no point of a curve, as `Item.counted` says of an item."""
    return "curve" not in row and row.get("arm") in (None, *OWN)


def mix(clean: Sequence[Row], spiked: Sequence[Row], m: int, *, seed: int, among: int | None = None) -> list[Row]:
    """Return the clean rows with m of them, chosen at random, replaced by the spiked row of the same item.

    Parameters
    ----------
    clean, spiked : sequence of dict
        Rows of the same items; of `spiked` there may be fewer.
    m : int
        Items planted.
    seed : int
        Of the choice.
    among : int, optional
        How many rows of the target's own arm are kept, those planted included. Default: all of them.
    """
    import numpy as np

    by_item = {row["item"]: row for row in spiked if plantable(row)}
    places = [i for i, row in enumerate(clean) if plantable(row)]
    rng = np.random.default_rng(seed)
    chosen = set(rng.permutation([i for i in places if clean[i]["item"] in by_item])[:m].tolist())
    dropped: set[int] = set()
    if among is not None and among < len(places):
        rest = rng.permutation([i for i in places if i not in chosen])
        dropped = set(rest[max(0, among - len(chosen)) :].tolist())
    return [by_item[row["item"]] if i in chosen else row for i, row in enumerate(clean) if i not in dropped]


def spike_kind(target: Target) -> SpikeKind:
    """Return what a spiked target says that it is; one that does not say is an instrument check."""
    return "spike" if getattr(target, "spike_kind", None) == "spike" else "instrument-check"


def spike_outcome(
    probe: Probe,
    clean: Sequence[Row],
    spiked: Sequence[Row],
    subject: Subject,
    threshold: Threshold,
    *,
    seed: int,
    kind: SpikeKind = "spike",
) -> SpikeOutcome:
    """Say how much of the planted fault was seen, and at which share of planted items the finding turns.

    Every dose is measured, so that a policy with another limit needs no new samples. Where more items were asked than
    spiked, a larger share is tried among fewer items: what is seen among them would be seen among all.
    """
    failed = first_error(spiked)
    spiked = [row for row in spiked if "error" not in row]
    total = sum(map(plantable, clean))
    available = sum(map(plantable, spiked))
    seen = probe.recovery(clean, spiked, subject) if kind == "spike" and spiked else None
    recovery, low, high = seen if seen is not None else (None, None, None)
    unspiked = headline(probe, clean, subject, seed=seed)
    readings = []
    for dose in DOSES:
        m = min(round(dose * total), available)
        if m < 1:
            continue
        among = total if m == round(dose * total) else round(m / dose)
        mixed = mix(clean, spiked, m, seed=derive_seed(seed, "mix"), among=among)
        readings.append(_reading(dose, headline(probe, mixed, subject, seed=seed)))
    spike = SpikeOutcome(
        kind=kind, what=probe.spike_what, planted=available, recovery=recovery, low=low, high=high,
        readings=tuple(readings),
    )  # fmt: skip
    return judged(spike, unspiked, threshold, failed=failed)


def _reading(dose: float, m: Measurement) -> DoseReading:
    return DoseReading(dose=dose, value=m.value, low=m.low, high=m.high, n=m.n, errors=m.errors)


def judged(
    spike: SpikeOutcome, unspiked: Measurement, threshold: Threshold, *, failed: str | None = None
) -> SpikeOutcome:
    """Return a spike with the smallest dose at which the finding turns, by the readings that it holds.

    Parameters
    ----------
    spike : SpikeOutcome
        With `readings`.
    unspiked : Measurement
        The headline without a planted item.
    threshold : Threshold
        Of the headline.
    failed : str, optional
        Why the first item could not be spiked.
    """
    if judge(unspiked, threshold)[0] is Status.FAIL:
        reason = "the finding fails without a spike: the fault is already there"
        return spike.model_copy(update={"smallest_dose": None, "doses_tried": (), "reason": reason})
    tried: list[float] = []
    for reading in spike.readings:
        tried.append(reading.dose)
        planted = reading.model_dump(exclude={"dose"}) | {"reason": "nothing was measured at this dose"}
        if judge(unspiked.model_copy(update=planted), threshold)[0] is Status.FAIL:
            return spike.model_copy(update={"smallest_dose": reading.dose, "doses_tried": tuple(tried), "reason": None})
    return spike.model_copy(
        update={"smallest_dose": None, "doses_tried": tuple(tried), "reason": _invisible(tried, failed)}
    )


def _invisible(tried: Sequence[float], failed: str | None) -> str:
    if not tried:
        return "no item could be spiked" + (f": {failed}" if failed else "")
    return f"not visible at any dose tried ({', '.join(f'{dose:.0%}' for dose in tried)} of the items)"


def unseen(spike: SpikeOutcome) -> str:
    """Say why a pass does not stand where a spike was seen at no dose."""
    name = "the spike in this target" if spike.kind == "spike" else "the instrument check"
    return f"{name} failed ({spike.reason}): a fault like it would not be seen here either, so this is no pass"


def headline(probe: Probe, rows: Sequence[Row], subject: Subject, *, seed: int) -> Measurement:
    """Return the headline among a probe's measurements of these rows."""
    return next(m for m in probe.measure(rows, subject, seed=seed) if m.metric == probe.headline)
