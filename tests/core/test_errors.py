"""The tree of errors and its messages."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core import errors
from guardrails.core.errors import EndpointError, GuardrailsError, MissingExtraError, TargetError, did_you_mean

CLASSES = {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        if match := re.match(r"( *(?:│ *)?(?:[├└]── )?)([A-Z]\w+)(?: |$)", line):
            depth = len(match[1]) // 4
            if depth == 0 or match[2] not in CLASSES:
                continue
            path[depth - 1 :] = [match[2]]
            drawn[match[2]] = path[depth - 2] if depth > 1 else "Exception"
    assert drawn == {name: cls.__base__.__name__ for name, cls in CLASSES.items()}


def test_one_except_clause_catches_them_all():
    assert all(issubclass(cls, GuardrailsError) for cls in CLASSES.values())
    assert issubclass(EndpointError, TargetError)


def test_a_missing_extra_says_what_to_type():
    message = str(MissingExtraError("ray", "pip install 'guardrails-audit[ray]'"))
    assert message == "ray is not available; to get it, type: pip install 'guardrails-audit[ray]'"


@pytest.mark.parametrize(
    ("name", "known", "answer"),
    [
        ("extractoin", ["extraction", "exposure"], " Did you mean 'extraction'?"),
        ("zzz", ["exposure", "extraction"], " Known: exposure, extraction."),
        ("zzz", ["b", "a"], " Known: a, b."),
        ("zzz", [], " Known: none."),
        ("", ["a"], " Known: a."),
    ],
)
def test_did_you_mean(name, known, answer):
    assert did_you_mean(name, known) == answer


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=20), max_size=5))
def test_did_you_mean_answers_in_one_sentence_and_takes_any_iterable(name, known):
    answer = did_you_mean(name, iter(known))
    assert answer.startswith((" Did you mean '", " Known: "))
    assert answer == did_you_mean(name, reversed(known)) or "Did you mean" in answer
