"""The terms of a report, each in one sentence."""

from __future__ import annotations

GLOSSARY = (
    ("Reading", "A number that a check measured on this target, with its interval in brackets."),
    (
        "Interval",
        "The values that the samples do not rule out. The intervals of one check hold together at the stated coverage,"
        " usually 95%.",
    ),
    ("n", "How many samples the number rests on. Samples that failed are not among them."),
    ("Limit", "The largest (or smallest) value that the policy accepts. Each limit says where it comes from."),
    ("Pass", "The whole interval lies on the right side of the limit. It speaks of this check at this n only."),
    ("Fail", "The whole interval lies on the wrong side of the limit."),
    ("Inconclusive", "The interval straddles the limit: more samples may settle it."),
    (
        "Not assessed",
        "No reading that can be believed: access or data is missing, too many samples failed, or the check got a sample"
        " with a known answer wrong.",
    ),
    (
        "Control",
        "A model whose answer is known, with a planted fault (faulty) or without it (clean). Every check is shown both"
        " before its reading is believed. A clean control may be inconclusive: it must raise no alarm.",
    ),
    ("Spike", "A known share of the fault, put into this target and read through the same path as the real samples."),
    ("Smallest dose", "The smallest share of spiked samples, of those tried, at which the check failed this target."),
    ("Baseline", "What the same check reads on data that the model was not trained on: what chance explains."),
    ("Power", "How often the check finds its planted fault, measured beforehand over many seeds."),
    ("Corpus, holdout", "The data that the model was trained on, and data of the same kind that it was not."),
)
"""(term, meaning), in the order in which a reader meets them."""
