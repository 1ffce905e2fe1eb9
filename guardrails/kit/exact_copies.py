"""Outputs that are training items word for word, or pixel for pixel: one measurement for every modality."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..core.batch import Row
from ..core.results import Baseline, Measurement
from ..core.statistics import Match, excess_matches, simultaneous, smallest_detectable_rate, wilson
from .text.documents import comparable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

METRIC = "exact_copies"
MINIMUM = 30
"""Outputs, and items of each arm, below which nothing is said."""


def text_key(text: str) -> str:
    """Return what two equal texts have in common: all but line ends and the space before them and around the text."""
    return "\n".join(line.rstrip() for line in comparable(text).strip("\ufeff \t\n").split("\n"))


def pixels_key(picture: NDArray[np.uint8]) -> str:
    """Return what two pictures of the same pixels have in common; a grey one equals its copy in three channels."""
    import numpy as np

    pixels = np.ascontiguousarray(picture)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = np.ascontiguousarray(pixels[..., 0])
    return hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).hexdigest()


class ExactIndex:
    """The items of a corpus and a holdout, by a key that equal items share.

    Parameters
    ----------
    corpus, holdout : iterable of hashable
        The keys of all items.

    Examples
    --------
    >>> index = ExactIndex(["a", "b", "b"], ["a", "c"])
    >>> index.look_up("b")
    {'equal': [1, 2, 0], 'real': [3, 2, 3]}
    >>> index.look_up("d")["equal"]
    [-1, 0, 0]
    """

    def __init__(self, corpus: Iterable[Hashable], holdout: Iterable[Hashable]) -> None:
        self._corpus, self._holdout = Counter(corpus), Counter(holdout)
        self._numbers = {key: i for i, key in enumerate([*self._corpus, *(self._holdout.keys() - self._corpus.keys())])}
        twins = sum(times for times in self._corpus.values() if times > 1)
        twins += sum(times for key, times in self._holdout.items() if key in self._corpus)
        self._real = [self._corpus.total(), self._holdout.total(), twins]

    def look_up(self, key: Hashable) -> dict[str, Any]:
        """Return a row's part: the number of the value, how often it stands in each arm; sizes and twins of these."""
        return {
            "equal": [self._numbers.get(key, -1), self._corpus[key], self._holdout[key]],
            "real": self._real,
        }

    def look_up_all(self, keys: Iterable[Hashable]) -> list[dict[str, Any]]:
        """Return `look_up` of each key."""
        return [self.look_up(key) for key in keys]


def exact_copies(
    rows: Sequence[Row], *, probe: str, errors: int, equal: str, also: str = "", readings: int = 1
) -> Measurement:
    """Return the share of outputs that equal a training item, beyond what equals one by chance.

    Parameters
    ----------
    rows : sequence of dict
        One per output, with what `ExactIndex.look_up` gives. Others are left out.
    probe : str
        Its id.
    errors : int
        Outputs that could not be had.
    equal : str
        When two items are equal, in words.
    also : str
        A sentence for the explanation.
    readings : int
        Of how many readings this may be the largest: their intervals hold together.
    """
    confidence = simultaneous(0.95, readings)
    done = [row for row in rows if "equal" in row]
    sizes = done[0]["real"] if done else [0, 0, 0]
    shared: dict[str, Any] = {
        "probe": probe, "metric": METRIC, "unit": "share", "higher_is_worse": True, "n": len(done), "errors": errors,
        "method": f"outputs equal to a training item ({equal}) and to none of the holdout, less those for which it is"
        " the other way about, in tables of one size; Wilson's intervals, joined by Zou and Donner's rule",
    }  # fmt: skip
    if min(len(done), *sizes[:2]) < MINIMUM:
        reason = (
            f"{_counted(len(done), 'output')}, {_counted(sizes[0], 'item')} of the corpus and {sizes[1]} of the"
            f" holdout; at least {MINIMUM} of each are needed"
        )
        return Measurement(**shared, value=None, reason=reason, needed=MINIMUM)
    values, n = matches(done), len(done)
    trained, unseen, twins = sizes
    hits, there = (wilson(sum(row["equal"][arm] > 0 for row in done), n, confidence=confidence) for arm in (1, 2))
    excess = excess_matches(values, outputs=n, corpus=trained, holdout=unseen, twins=twins, confidence=confidence)
    return Measurement(
        **shared, **excess._asdict(),
        baseline=Baseline(what="outputs that equal an item of the holdout", n=n, **there._asdict()),
        detectable=smallest_detectable_rate(n, baseline=0.0),
        explanation=f"{round(hits.value * n):,} of {n:,} outputs equal a training item and {round(there.value * n):,}"
        f" an item of the holdout. {sum(m.corpus for m in values):,} of the {trained:,} training items stand among"
        f" the outputs, and {sum(m.holdout for m in values):,} of the {unseen:,} of the holdout.{also}",
    )  # fmt: skip


def matches(rows: Sequence[Row]) -> list[Match]:
    """Return what outputs share with real items, each value once."""
    values = Counter(tuple(row["equal"]) for row in rows if row["equal"][0] >= 0)
    return [Match(times, mine, theirs) for (_, mine, theirs), times in values.items()]


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
