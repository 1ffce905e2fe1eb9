"""From guesses about who was trained on to a lower bound on ε: shared by the probes of texts and of classifiers.

The examples are items of the corpus, which were trained on, and of the holdout, which were not. Which of the two the
next of them comes from is decided by the toss of a coin, so that where corpus and holdout were split at random, every
example was trained on with probability ½, independently of the others: what the theorem of `one_run_bound` asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.batch import Arm, Item, Row
from ..core.results import Measurement, Point, Series
from ..core.statistics import Interval, simultaneous, wilson
from ..kit.blind import FOLDS, blind_measurement, confounded, why_confounded
from .one_run_bound import epsilon_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADLINE = "epsilon_lower_bound"
METRICS = (HEADLINE, "blind_auc")
GUESSED = 5
"""One example in five is guessed, fixed beforehand; of the others nothing is said."""
MINIMUM = 50
DELTA = 1e-5
CONFIDENCE = 0.95


def toss(places: Mapping[str, Sequence[int]], examples: int, rng: np.random.Generator) -> list[Item]:
    """Return examples, each the next item of the arm that a coin decides on; no more once one arm is used up.

    Parameters
    ----------
    places : dict of str to sequence of int
        Places of the items of ``corpus`` and ``holdout``, to be taken from the end, in random order.
    examples : int
        How many.
    rng : numpy.random.Generator
        The coin.
    """
    left = {arm: list(indices) for arm, indices in places.items()}
    items = []
    for member in rng.random(examples) < 0.5:
        arm = "corpus" if member else "holdout"
        if not left[arm]:
            break  # to go on with the other arm would tell which is which
        items.append(Item(f"{arm}:{(index := int(left[arm].pop()))}", Arm(arm), {"index": index}))
    return items


def measurements(
    probe: str,
    rows: Sequence[Row],
    *,
    unit: str,
    blind: Callable[[Sequence[Row], Sequence[Row]], Interval],
    note: str,
    seed: int,
    both_ends: bool = False,
    claimed: float | None = None,
    readings: int = 1,
) -> list[Measurement]:
    """Return the bound, with the share of right guesses at other numbers of them, and the blind baseline.

    Parameters
    ----------
    probe : str
        Its id.
    rows : sequence of dict
        With ``arm`` and, where the example could be scored, ``score``: larger for what was trained on.
    unit : str
        What an example is, in the plural.
    blind : callable
        The blind baseline of members' and non-members' rows.
    note : str
        What was left out.
    seed : int
        Of the chance that decides between equal scores.
    both_ends : bool
        Guess that half as many, those that score lowest, were not trained on, in place of the likeliest alone.
    claimed : float, optional
        The ε that is claimed of the training, at δ = `DELTA`.
    readings : int
        Of how many such bounds the largest is reported: each then holds with more confidence, and all at once.
    """
    confidence = simultaneous(CONFIDENCE, readings)
    scored = [r for r in rows if "score" in r]
    arms = [[r for r in scored if r["arm"] == arm] for arm in ("corpus", "holdout")]
    m, r = len(scored), len(scored) // GUESSED
    shared: dict[str, Any] = {
        "probe": probe,
        "higher_is_worse": True,
        "n": m,
        "errors": sum("error" in row for row in rows),
    }
    bounded: dict[str, Any] = shared | {"metric": HEADLINE, "unit": "ε", "confidence": CONFIDENCE}
    unknown: dict[str, Any] = shared | {"metric": "blind_auc", "unit": "AUC", "value": None, "method": "none"}
    if m < MINIMUM or min(map(len, arms)) < FOLDS:
        reason = f"{m} {unit} could be scored; at least {MINIMUM} are needed, about half of each kind.{note}"
        top = Measurement(**bounded, value=None, reason=reason, method="none", needed=MINIMUM)
        return [top, Measurement(**unknown, reason=reason, needed=MINIMUM)]
    alone = blind(*arms)
    beside = blind_measurement(shared, alone)
    if confounded(alone):
        reason = why_confounded(alone, unit) + note
        return [Measurement(**bounded, value=None, reason=reason, method="none"), beside]
    right = _right(scored, seed, both_ends)
    correct = int(right[:r].sum())
    bound = epsilon_bound(correct, r, m, delta=DELTA, confidence=confidence)
    ceiling = epsilon_bound(r, r, m, delta=DELTA, confidence=confidence)
    guessed = (
        f"of {m} {unit} the {(r + 1) // 2} likeliest are guessed to have been trained on and the {r // 2} least likely"
        " not to have been"
        if both_ends
        else f"the {r} likeliest of {m} {unit} are guessed to have been trained on"
    )
    top = Measurement(
        **bounded,
        value=bound,
        low=bound,
        high=bound,
        exact=True,
        method=f"one run, Steinke et al. 2023: {guessed}, δ = {DELTA:g}. The bound itself holds with"
        f" {CONFIDENCE:.0%} confidence",
        detectable=_smallest(r, m),
        series=(_curve(right),),
        explanation=f"{correct} of {r} guesses are right. Were all of them, ε ≥ {ceiling:.2f} is what they could prove;"
        f" a bound of 0 says that these guesses rule out nothing.{_against(bound, claimed)}{note}",
    )
    return [top, beside]


def _right(rows: Sequence[Row], seed: int, both_ends: bool) -> NDArray[np.bool_]:
    """Return which guesses are right, the surest first; chance decides between equal scores."""
    chance = np.random.default_rng(seed).permutation(len(rows))
    order = np.lexsort((chance, [-row["score"] for row in rows]))
    members = np.array([row["arm"] == "corpus" for row in rows])[order]
    if not both_ends:
        return members
    right = np.empty(len(rows), dtype=bool)  # the first, the last, the second, the last but one …
    right[::2], right[1::2] = members[: (len(rows) + 1) // 2], ~members[::-1][: len(rows) // 2]
    return right


def _smallest(guesses: int, examples: int) -> float | None:
    """Return the smallest ε that the strongest attack there can be would show four times in five."""
    from scipy.stats import beta

    fewest = next((v for v in range(guesses + 1) if epsilon_bound(v, guesses, examples, delta=DELTA)), None)
    if fewest is None:
        return None
    right = float(beta.ppf(0.8, fewest, guesses - fewest + 1))  # P[Bin(r, right) ≥ found] = .8
    return math.log(right / (1 - right))


def _curve(right: NDArray[np.bool_]) -> Series:
    """Return the share of right guesses by their number: what other cut-offs would have given."""
    m = len(right)
    points = []
    for k in sorted({max(1, m * step // 20) for step in range(1, 11)}):
        value, low, high = wilson(int(right[:k].sum()), k)
        points.append(Point(x=k, y=value, low=low, high=high, n=k))
    return Series(name="right guesses", x_label="guesses", y_label="share that is right", points=tuple(points))


def _against(bound: float, claimed: float | None) -> str:
    if claimed is None:
        return ""
    if bound <= claimed:
        return f" ε = {claimed:g} is claimed of the training, which this bound does not contradict."
    return (
        f" ε = {claimed:g} is claimed of the training: this bound contradicts it, as it does no more than one true"
        " claim in twenty."
    )
