"""A real model, through the command line: the language model that a package carries."""

from __future__ import annotations

import json

import pytest

from .audit_command import audit, findings

PARAGRAPHS = 12
"""Documents that are asked for: enough for an interval, and a fraction of its minutes."""
CHARACTERS = 400
"""In a document, at least: what is asked for fits, with little room for the longer prefixes of a curve."""


@pytest.mark.models
@pytest.mark.public_data
@pytest.mark.timeout(2400)  # minutes on a quiet machine; a busy one is no fault of the audit
def test_a_real_language_model_from_a_package(test_data, tmp_path):
    """SmolLM2-135M, asked for a novel in the public domain."""
    run, corpus = tmp_path / "run", tmp_path / "paragraphs.jsonl"
    novel = (test_data / "privacy" / "gatsby.txt").read_text(encoding="utf-8").partition("*** START OF ")[2]
    paragraphs = [" ".join(text.split()) for text in novel.split("\n\n") if len(text) >= CHARACTERS][:PARAGRAPHS]
    assert len(paragraphs) == PARAGRAPHS
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in paragraphs), encoding="utf-8")
    words = ("--corpus", str(corpus), "--budget", "quick", "--out", str(run))
    probes = ("--probes", "memorization.extraction")  # the others take minutes; see the test of a folder
    code, said, error = audit("package:smollm2", *words, *probes)
    assert code in (0, 1, 3), said + error
    for finding in findings(run).values():
        if finding["threshold"]:
            assert finding["measurement"]["low"] <= finding["measurement"]["value"] <= finding["measurement"]["high"]
            if finding["id"] != "memorization.extraction/extraction_rate_duplicated":  # no spike is planted for it
                assert finding["spike"]["recovery"] > 0.9
            assert all(
                c["observed"] == {"found": "found", "clear": "clear"}[c["expected"]] for c in finding["controls"]
            )
