"""A real model, through the command line: the language model that a package carries."""

from __future__ import annotations

import pytest

from .audit_command import audit, findings


@pytest.mark.models
@pytest.mark.timeout(2400)  # minutes on a quiet machine; a busy one is no fault of the audit
def test_a_real_language_model_from_a_package(tmp_path):
    """SmolLM2-135M, asked which of three sentences is likeliest: short texts, as what writes takes minutes."""
    run = tmp_path / "run"
    words = ("--budget", "quick", "--out", str(run), "--probes", "bias.triples")
    code, said, error = audit("package:smollm2", *words)
    assert code in (0, 1, 3), said + error
    finding = findings(run)["bias.triples/stereotype_score"]
    measured = finding["measurement"]
    assert measured["n"] > 100
    assert 0.5 < measured["low"] <= measured["value"] <= measured["high"] < 0.9  # it learnt from the web
    assert finding["spike"]["recovery"] > 0.9
    assert [(c["expected"], c["observed"]) for c in finding["controls"]] == [("found", "found"), ("clear", "clear")]
