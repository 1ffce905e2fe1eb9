"""Untrusted text made visible, and numbers in a reader's words. Every string of a report passes through here."""

from __future__ import annotations

import math

from guardrails.core.visible import visible

__all__ = ["clip", "number", "reading", "visible"]


def clip(text: str, limit: int) -> str:
    """Return text cut to `limit` characters, and say by how much.

    >>> clip("abcdef", 4)
    'abcd … (2 more characters)'
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def number(value: float, unit: str = "") -> str:
    """Return a number to three significant digits; a share as a percentage that never rounds to 0 or 100.

    >>> number(0.034, "share"), number(0.99964, "share"), number(1.0, "share"), number(2.71828)
    ('3.4%', '99.964%', '100%', '2.72')
    """
    if unit == "share":
        return f"{_share(100 * value)}%"
    return _plain(value)


def _share(percent: float) -> str:
    if abs(percent) >= 1e6:
        return f"{percent:.2e}"
    if abs(percent - round(percent)) < 1e-9:
        return str(round(percent))
    distance = min(abs(percent), abs(100 - percent))
    if abs(percent) < 1e-4:
        return f"{percent:.1e}"
    return f"{percent:.{max(1 - math.floor(math.log10(distance)), 1)}f}"


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        return f"{value:.2e}"
    if size >= 100:
        return f"{value:,.0f}" if value == round(value) or size >= 1000 else f"{value:.1f}"
    return _trim(f"{value:.{2 - math.floor(math.log10(size))}f}")


def _trim(digits: str) -> str:
    short = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if short in ("-0", "") else short


def reading(value: float | None, low: float | None, high: float | None, unit: str = "") -> str:
    """Return ``value [low, high]``, or ``no number``; the unit is named where it is not a share.

    What is exact, a bound or a count of all there is, has no interval.

    >>> reading(0.034, 0.012, 0.089, "share")
    '3.4% [1.2%, 8.9%]'
    """
    if value is None:
        return "no number"
    text = number(value, unit)
    if low is not None and high is not None and low < high:
        text += f" [{number(low, unit)}, {number(high, unit)}]"
    return text if unit in ("share", "") else f"{text} {unit}"
