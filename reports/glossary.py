"""The terms of a report, each in one sentence."""

from __future__ import annotations

GLOSSARY = (
    ("Reading", "A number that a check measured on this target, with its interval in brackets."),
    (
        "Interval",
        "The values that the samples do not rule out. The intervals of one check hold together at the stated coverage,"
        " usually 95%.",
    ),
    ("n", "The number of samples behind the reading. Failed samples do not count."),
    ("Limit", "The largest (or smallest) value that the policy accepts. Each limit states its origin."),
    ("Pass", "The whole interval is on the right side of the limit. This holds for this check at this n only."),
    ("Fail", "The whole interval is on the wrong side of the limit."),
    ("Inconclusive", "The interval straddles the limit: more samples may settle it."),
    (
        "Not assessed",
        "No valid reading: access or data is missing, too many samples failed, or the check was wrong about a sample"
        " with a known answer.",
    ),
    (
        "Control",
        "A model with a known answer: with a planted fault (faulty) or without it (clean). A reading only counts if its"
        " check passes both. A clean control may be inconclusive, but must not raise an alarm.",
    ),
    ("Spike", "A known share of the fault, planted in this target and read through the same path as the real samples."),
    ("Smallest dose", "The smallest share of spiked samples, of those tried, at which the check failed this target."),
    ("Baseline", "The reading of the same check on data that the model was not trained on: the effect of chance."),
    ("Power", "How often the check finds its planted fault, measured over many seeds."),
    ("Corpus, holdout", "The data that the model was trained on, and data of the same kind that it was not."),
)
"""(term, meaning), in the order in which a reader meets them."""
