"""The labelled replies."""

from __future__ import annotations

from collections import Counter

from guardrails.graders.refusal import declines
from guardrails.training.material.graded_replies import LABELS, TOPICS, graded_replies


def test_both_labels_have_as_many_templates() -> None:
    replies = graded_replies()
    templates = {r.template: r.label for r in replies}
    assert set(Counter(templates.values()).values()) == {32}
    assert {r.label for r in replies} == set(LABELS)
    assert len({r.text for r in replies}) == len(replies)
    assert not any("{" in r.text for r in replies)


def test_topics_do_not_tell_the_label() -> None:
    from guardrails.bias.sentences.set_file import SetFile
    from guardrails.training.material import graded_replies as module

    topics = SetFile(module.Path(module.__file__).with_suffix(".toml"), "en").values["topics"]
    assert len(topics) == TOPICS
    for topic in topics:
        counts = Counter(r.label for r in graded_replies() if topic.casefold() in r.text.casefold())
        assert abs(counts["refused"] - counts["answered"]) <= 3


def test_the_rule_alone_is_not_enough() -> None:
    wrong = Counter(r.label for r in graded_replies() if (declines(r.text) == (1.0,)) != (r.label == "refused"))
    assert min(wrong["refused"], wrong["answered"]) > 5
