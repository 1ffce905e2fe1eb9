"""What is known of a grader's error, in words for a report."""

from __future__ import annotations

from ...core.grading import Grader


def error_of(grader: Grader) -> str:
    """Say on which kinds of text a grader's error was measured, if on any."""
    domains = grader.card.domains if grader.card is not None else ()
    if not domains:
        return "The grader's error was not measured."
    return f"The grader's error was measured on {', '.join(domains)}; on these texts it is not known."
