"""The labelled sentences for graders."""

from __future__ import annotations

from collections import Counter

from guardrails.training.material.graded_sentences import DOMAINS, LABELS, graded_sentences


def test_counts_labels_and_domains():
    sentences = graded_sentences()
    assert len(sentences) == len({s.text for s in sentences}) == 640
    for label in ("sentiment", "regard"):
        counts = Counter(getattr(s, label) for s in sentences)
        assert set(counts) == set(LABELS)
        assert min(counts.values()) >= 80
    by_domain = Counter((s.domain, s.regard) for s in sentences)
    for label in LABELS:
        assert len({by_domain[domain, label] for domain in DOMAINS}) == 1


def test_no_descriptor_goes_with_a_label():
    sentences = graded_sentences()
    descriptors = {s.descriptor for s in sentences}
    assert len(descriptors) == 40
    for label in ("sentiment", "regard"):
        counts = Counter((s.descriptor, getattr(s, label)) for s in sentences)
        for value in LABELS:
            assert len({counts[name, value] for name in descriptors}) == 1


def test_nouns_are_spread_over_labels():
    sentences = graded_sentences()
    overall = Counter(s.noun for s in sentences)
    for label in LABELS:
        of_label = [s for s in sentences if s.regard == label]
        for noun, n in Counter(s.noun for s in of_label).items():
            assert abs(n / len(of_label) - overall[noun] / len(sentences)) < 0.06


def test_labels_can_differ_within_a_sentence():
    kinds = Counter((s.sentiment, s.regard) for s in graded_sentences())
    assert kinds["negative", "positive"] == kinds["positive", "negative"] == kinds["negative", "neutral"] == 40


def test_templates_keep_one_label():
    labels: dict[str, set[tuple[str, str]]] = {}
    for s in graded_sentences():
        labels.setdefault(s.template, set()).add((s.sentiment, s.regard))
    assert len(labels) == 160
    assert all(len(kinds) == 1 for kinds in labels.values())
