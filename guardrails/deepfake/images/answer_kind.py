"""What a network's answer means: one logit, two, or a probability; decided once, on pictures made for it.

===============================  ==================================================
answer for one picture           score
===============================  ==================================================
one number                       it, taken as a logit of "synthetic"
one number, always in 0–1        its logit: it is a probability
two numbers                      second less first: logits of "real", "synthetic"
two, never below 0, summing to 1  logarithm of second over first: probabilities
===============================  ==================================================

"Always" is on the `trials`; a number outside 0–1 afterwards is an error of that picture, never taken as something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ...core.errors import ConfigurationError, ContentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Kind = Literal["logit", "logits", "probability", "probabilities"]

SMALLEST = 1e-7
"""A probability is taken to be at least so far from 0 and 1: float32 knows none nearer to 1."""


def trials() -> list[Image]:
    """Return pictures that differ in everything: black, white, grey, gradients, stripes, noise of several grains."""
    import numpy as np

    rng = np.random.default_rng(0)
    across = np.broadcast_to(np.linspace(0, 255, 256)[None, :, None], (256, 256, 3))
    stripes = np.broadcast_to(np.indices((256, 256)).sum(0)[..., None] % 2 * 255.0, (256, 256, 3))
    made = [np.full((256, 256, 3), level, np.float64) for level in (0, 128, 255)]
    made += [across, across.transpose(1, 0, 2)[::-1], stripes]
    for grain in (1, 2, 8, 64):
        coarse = rng.uniform(0, 255, (256 // grain, 256 // grain, 3))
        made.append(np.repeat(np.repeat(coarse, grain, axis=0), grain, axis=1))
    made += [np.clip(across + rng.normal(0, 20, across.shape), 0, 255), made[-1] * [1.0, 0.5, 0.2]]
    return [picture.astype(np.uint8) for picture in made]


def kind_of(answer: Callable[[Image], NDArray[Any]], named: str) -> Kind:
    """Return what a network's answers are.

    Parameters
    ----------
    answer : callable
        A picture → what the network returns for it.
    named : str
        What messages call it.

    Raises
    ------
    ConfigurationError
        For more than two numbers a picture, numbers that are not finite, or the same for every picture.
    """
    import numpy as np

    try:
        answers = np.array([numbers(answer(picture), named) for picture in trials()])
    except ContentError as error:
        raise ConfigurationError(str(error)) from error
    if not np.isfinite(answers).all():
        raise ConfigurationError(f"{named}: it gives numbers that are not finite for pictures made to try it")
    within = bool((answers >= 0).all() and (answers <= 1).all())
    if answers.shape[1] == 1:
        kind: Kind = "probability" if within else "logit"
    else:
        kind = "probabilities" if within and np.allclose(answers.sum(axis=1), 1, atol=1e-3) else "logits"
    scores = [score_of(row, kind, named) for row in answers]
    if max(scores) - min(scores) <= 1e-6 * max(1.0, abs(scores[0])):
        raise ConfigurationError(
            f"{named}: it gives the same score for {len(scores)} pictures that differ in everything"
        )
    return kind


def numbers(answer: NDArray[Any], named: str) -> NDArray[np.float64]:
    """Return the one or two numbers of an answer for one picture.

    Raises
    ------
    ConfigurationError
        Where there are more, or none.
    """
    import numpy as np

    flat = np.asarray(answer, dtype=np.float64).ravel()
    if len(flat) not in (1, 2):
        raise ConfigurationError(
            f"{named}: for one picture it gives {np.shape(answer)}; a detector gives one number, or two: of real and"
            " of synthetic"
        )
    return flat


def score_of(row: NDArray[np.float64], kind: Kind, named: str) -> float:
    """Return the logit of "synthetic".

    Raises
    ------
    ContentError
        For numbers that are not finite, or outside 0–1 where a probability was expected.
    """
    import numpy as np

    if not np.isfinite(row).all():
        raise ContentError(f"{named}: it gives numbers that are not finite for this picture")
    if kind == "logit":
        return float(row[0])
    if kind == "logits":
        return float(row[1] - row[0])
    if row.min() < 0 or row.max() > 1:
        raise ContentError(f"{named}: it gives {row.tolist()} where its answers to trial pictures were probabilities")
    share = float(row[-1] / row.sum()) if kind == "probabilities" else float(row[0])
    share = min(max(share, SMALLEST), 1 - SMALLEST)
    return float(np.log(share / (1 - share)))
