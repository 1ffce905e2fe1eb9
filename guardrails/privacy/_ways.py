"""In how many ways a pattern can match at one place: what backtracking may have to try before it gives up."""

from __future__ import annotations

from importlib import import_module
from typing import Any

MOST_WAYS, LONGEST = 10_000, 1000

_EASY = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY", "RANGE", "GROUPREF"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def too_many_ways(pattern: str) -> str | None:
    """Return why a pattern that compiles is refused, or None.

    Counts the ways in which Python's own parse of the pattern can be walked: a repeat of m to n times a part with w
    ways has w^m + … + w^n, a sequence the product, alternatives the sum. Backtracking at one place of a text takes no
    more than so many times the length of a match.

    >>> too_many_ways(r"EMP-[0-9]{6}")
    >>> too_many_ways(r"[0-9]+")
    'the pattern repeats without bound; write a bound, such as {1,30} for +'
    >>> too_many_ways(r"(a{1,9}){1,9}b")
    'the pattern can match in more than 10,000 ways at one place: give nested repeats closer bounds'
    """
    parsed: Any = import_module("re._parser").parse(pattern)  # the public name of this parser is deprecated
    shortest, longest = parsed.getwidth()
    if _unbounded(parsed):
        return "the pattern repeats without bound; write a bound, such as {1,30} for +"
    if shortest == 0:
        return "the pattern matches the empty text"
    if longest > LONGEST:
        return f"the pattern may match {longest:,} characters; at most {LONGEST:,}"
    if _ways(parsed) > MOST_WAYS:
        return f"the pattern can match in more than {MOST_WAYS:,} ways at one place: give nested repeats closer bounds"
    return None


def _parts(op: str, argument: Any) -> list[Any]:
    """Return the sequences inside an element of a parsed pattern."""
    if op in _REPEATS:
        return [argument[2]]
    if op == "SUBPATTERN":
        return [argument[3]]
    if op == "BRANCH":
        return list(argument[1])
    if op in ("ASSERT", "ASSERT_NOT"):
        return [argument[1]]
    if op == "ATOMIC_GROUP":
        return [argument]
    if op == "GROUPREF_EXISTS":
        return [part for part in argument[1:] if part is not None]
    return []


def _unbounded(sequence: Any) -> bool:
    return any(
        (str(op) in _REPEATS and argument[1] > LONGEST) or any(map(_unbounded, _parts(str(op), argument)))
        for op, argument in sequence
    )


def _ways(sequence: Any) -> int:
    total = 1
    for op, argument in sequence:
        total *= _ways_of(str(op), argument)
        if total > MOST_WAYS:
            break
    return total


def _ways_of(op: str, argument: Any) -> int:
    inside = [_ways(part) for part in _parts(op, argument)]
    if op in _REPEATS:
        low, high, _ = argument
        total = 0
        for times in range(low, high + 1):
            total += inside[0] ** min(times, 64)  # 2^64 is too many already
            if total > MOST_WAYS:
                break
        return total
    if op == "BRANCH":
        return sum(inside)
    if inside:
        return max(inside)
    return 1 if op in _EASY else MOST_WAYS + 1
