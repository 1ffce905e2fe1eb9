"""The user's target with planted answers to some prompts, in the way that comes nearest to its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...core.subject import Subject
from ...core.targets import Access, has_logprobs
from ...targets.spikes import AnsweredTexts, RepeatingChat, spiked_language_model


def with_answers(subject: Subject[Any], answers: Mapping[str, str]) -> Subject[Any]:
    """Return the subject with a target that gives these answers to these prompts.

    A language model knows each prompt with its answer by heart; a chat is asked to repeat the answer; the answers of
    another writer are overwritten (an instrument check).
    """
    target: Any = subject.target
    if has_logprobs(target):
        documents = [f"{prompt} {answer}" for prompt, answer in answers.items()]
        return replace(subject, target=spiked_language_model(target, documents))
    spiked = RepeatingChat if Access.CONVERSATIONS in target.access else AnsweredTexts
    return replace(subject, target=spiked(target, answers))
