"""What is asked of a target before a wider protocol is taken for granted."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails.core.errors import TargetError
from guardrails.core.targets import Access, Modality, has_logprobs, has_moments, stored_texts, takes_prompts


class Texts:
    name, modality, access, available = "texts", Modality.TEXT, frozenset({Access.OUTPUTS}), 2

    def identity(self) -> dict[str, str]:
        return {}

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        return ["one", "two"][:n]


class File(Texts):
    def outputs(self) -> list[str]:
        return ["one", "two"]


class Wrapper:
    """Passes everything on, as a spike and a model that reads a start do."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def with_access(*access: Access, **methods: Any) -> Any:
    return Wrapper(type("Model", (Texts,), {"access": frozenset(access), **methods})())


def test_all_texts_of_a_file_are_had_in_its_order() -> None:
    assert stored_texts(File()) == ["one", "two"]


def test_a_limited_number_of_texts_without_outputs_is_refused_by_name() -> None:
    with pytest.raises(TargetError, match="texts: the number of its texts is limited, and no method 'outputs'"):
        stored_texts(Texts())


def test_what_may_be_asked_is_told_by_the_access_also_through_a_wrapper() -> None:
    asked, scored = with_access(Access.SAMPLING), with_access(Access.LOGPROBS)
    assert [takes_prompts(t) for t in (Texts(), asked, scored)] == [False, True, False]
    assert [has_logprobs(t) for t in (Texts(), asked, scored)] == [False, False, True]


def test_moments_are_told_by_some_models_alone() -> None:
    assert not has_moments(with_access(Access.LOGPROBS))
    assert has_moments(with_access(Access.LOGPROBS, token_moments=lambda self, sequences: []))
