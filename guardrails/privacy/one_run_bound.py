"""The lower bound on ε from one training run: Steinke, Nasr and Jagielski 2023, arXiv 2305.08846.

Of m examples each was trained on or not by the toss of a fair coin. An attacker names r of them and says of each
whether it was; v of the guesses are right. Had the training been (ε, δ)-differentially private, v would hardly be
larger than a binomial number of r trials at q = 1 / (1 + e^−ε)::

    P[V ≥ v] ≤ P[B ≥ v] + 2 m δ · max_i P[v > B ≥ v − i] / i,    B ~ Bin(r, q)

The smallest ε at which this is not below 1 − confidence is a lower bound. r has to be fixed before the scores are seen:
a cut-off that is chosen afterwards finds ε > 0 in a third of all runs in which nothing was learnt.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.errors import ConfigurationError

MOST = 20.0
"""No ε above this is looked for: e^20 is half a thousand million."""


def p_value(correct: int, guesses: int, examples: int, epsilon: float, delta: float = 0.0) -> float:
    """Return the bound on the probability of so many right guesses, were the training (ε, δ)-private.

    Parameters
    ----------
    correct, guesses, examples : int
        v ≤ r ≤ m.
    epsilon : float
        ≥ 0.
    delta : float
        0–1.

    Raises
    ------
    ConfigurationError
        For numbers that no attack can have.

    Examples
    --------
    >>> round(p_value(10, 10, 10, epsilon=0.0), 6)
    0.000977
    """
    from scipy.stats import binom

    if not 0 <= correct <= guesses <= examples:
        raise ConfigurationError(
            f"{correct} right of {guesses} guesses on {examples} examples: no attack can have that"
        )
    if not (epsilon >= 0 and 0 <= delta <= 1):
        raise ConfigurationError(f"ε = {epsilon:g} and δ = {delta:g}: ε is at least 0, δ lies in 0 to 1")
    q = 1 / (1 + math.exp(-epsilon))
    tail = float(binom.sf(correct - 1, guesses, q))
    if not delta:
        return min(1.0, tail)
    below = np.cumsum(binom.pmf(range(correct - 1, -1, -1), guesses, q))  # P[v > B ≥ v − i] for i = 1 … v
    steepest = max((float(mass) / i for i, mass in enumerate(below, 1)), default=0.0)
    return min(1.0, tail + 2 * examples * delta * steepest)


def epsilon_bound(correct: int, guesses: int, examples: int, *, delta: float = 0.0, confidence: float = 0.95) -> float:
    """Return the largest ε that so many right guesses rule out, from below: 0 where they rule out nothing.

    Examples
    --------
    With every guess right, what r guesses can prove at most:

    >>> [round(epsilon_bound(r, r, r), 2) for r in (10, 100, 1000)]
    [1.05, 3.49, 5.81]
    >>> epsilon_bound(50, 100, 100)
    0.0
    """
    allowed = 1 - confidence
    if p_value(correct, guesses, examples, 0.0, delta) > allowed:
        return 0.0
    low, high = 0.0, MOST
    while high - low > 1e-6:  # p_value rises with ε
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(correct, guesses, examples, middle, delta) < allowed else (low, middle)
    return low
