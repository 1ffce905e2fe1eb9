"""What an audit of a served model needs: where its answers are kept, who is sent what, and how its requests ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.results import Requests
from .audit.scope import Scope
from .meter import Spent
from .run_folder import writing


@contextmanager
def answers_kept(scope: Scope, folder: Path, warn: Callable[[str], None], *, resumed: bool) -> Iterator[None]:
    """Keep the answers of a served model in the run's folder, and say first what is sent to which host.

    Raises
    ------
    ConfigurationError
        Where a new run's folder holds the answers of another.
    """
    model = _served(scope)
    if model is None:
        yield
        return
    with writing(folder):
        model.keep_answers(folder, resumed=resumed)
    subject = scope.subject
    given = [name for name in ("corpus", "holdout") if subject.has(name)]
    documents = f", and parts of the documents of {' and '.join(given)}," if given else ""
    warn(f"prompts{documents} are sent to {model.sent_to}")
    try:
        if hasattr(subject.target, "learn_access"):
            subject.target.learn_access()
        yield
    finally:
        model.close()


def asked_as(scope: Scope) -> str:
    """Return how a served model was asked, which is known when it was, with remarks on its answers; else empty."""
    from ..targets import read_as

    model = _served(scope)
    if model is None or model.requests_made() is None:
        return ""
    return "; ".join([read_as(scope.subject.target), *model.ledger.remarks()])


def requests_made(scope: Scope) -> Requests | None:
    """Return how the requests to a served model ended; None where nothing was asked, or of any other target."""
    model = _served(scope)
    return None if model is None else model.requests_made()


def spent(scope: Scope) -> Spent:
    """Return what a served model was asked so far; nothing of any other target."""
    model = _served(scope)
    if model is None:
        return Spent()
    counts = model.ledger.counts
    return Spent(counts.requests, counts.prompt_tokens, counts.completion_tokens)


def price(scope: Scope, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what tokens of a served model cost, or None where no prices were given."""
    model = _served(scope)
    return None if model is None else model.ledger.price(prompt_tokens, completion_tokens)


def _served(scope: Scope) -> Any:
    """Return the served model of a run, or None."""
    target = scope.subject.target if scope.settings.target is not None else None
    model = getattr(target, "model", None)
    return model if hasattr(model, "keep_answers") else None
