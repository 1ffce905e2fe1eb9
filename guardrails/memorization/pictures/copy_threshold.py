"""What counts as a near-copy by some score: a threshold that one half of the holdout sets and the other half checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTILE = 0.01


class Match(NamedTuple):
    """The training picture that is most like a picture: a score, lower for likelier copies, and its place."""

    score: float
    place: int


@dataclass(frozen=True)
class Calibration:
    """Scores of held-out pictures, each half sorted, and what follows from them."""

    threshold: float
    """The lowest 1% of one half: what scores below it is called a copy."""
    expected: float
    """The share of unseen pictures below the threshold, in expectation."""
    calibration: NDArray[np.float64]
    check: NDArray[np.float64]

    @classmethod
    def of(cls, scores: Any) -> Calibration:
        """Split the scores of held-out pictures, (N ≥ 2,), in two, always in the same way."""
        unseen = np.asarray(scores, np.float64)
        order = np.random.default_rng(0).permutation(len(unseen))
        calibration, check = np.sort(unseen[order[::2]]), np.sort(unseen[order[1::2]])
        rank = max(1, int(QUANTILE * (len(calibration) + 1)))
        return cls(
            threshold=float(calibration[rank - 1]),
            expected=rank / (len(calibration) + 1),
            calibration=calibration,
            check=check,
        )

    @property
    def alarms(self) -> int:
        """How many of the half that the threshold was not set on lie below it."""
        return int((self.check < self.threshold).sum())
