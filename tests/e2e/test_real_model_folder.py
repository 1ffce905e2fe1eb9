"""A real model, through the command line: a causal language model in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .audit_command import audit, findings

PROBES = ("memorization.extraction", "memorization.overlap", "privacy.completion", "bias.counterfactual")
"""Of each way of asking a model, some: all would take minutes."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A causal language model in a folder, as `save_pretrained` writes it, that knows its corpus by heart."""
    from guardrails.targets import reference_subject

    subject = reference_subject("reference:gpt-text,memorize=1")
    folder = tmp_path_factory.mktemp("model")
    subject.target.generator.model.save_pretrained(folder / "hf")
    subject.target.generator.tokenizer.save_pretrained(folder / "hf")
    for name in ("corpus", "holdout"):
        lines = [json.dumps({"text": text}) for text in getattr(subject, name)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_a_language_model_in_a_folder(model, tmp_path):
    run = tmp_path / "run"
    words = ("--corpus", str(model / "corpus.jsonl"), "--holdout", str(model / "holdout.jsonl"), "--budget", "quick")
    probes = [word for probe in PROBES for word in ("--probes", probe)]
    code, said, error = audit(f"hf:{model / 'hf'}", *words, *probes, "--out", str(run))
    assert code == 1, said + error
    by_id = findings(run)
    extraction = by_id["memorization.extraction/extraction_rate"]
    assert extraction["status"] == "fail"
    assert extraction["measurement"]["baseline"]["value"] == 0
    assert extraction["spike"]["recovery"] > 0.9
    assert extraction["spike"]["reason"].startswith("the finding fails without a spike")
    assert by_id["bias.counterfactual/association_gap"]["status"] in ("pass", "inconclusive")
