"""The cards of detectors state what the shipped calibrations give, and a cost for every detector of a default scan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails.assay.scan.run import DEFAULT
from guardrails.deepfake import fusion
from guardrails.deepfake.images.fitted_head import WEIGHTS, shipped
from guardrails.deepfake.images.kinds import DRAWING, FACE, PHOTOGRAPH
from guardrails.training.exams.by_source import left_out

CARDS = json.loads((Path(fusion.__file__).parent / "detector_cards.json").read_text(encoding="utf-8"))
HEADS = {"deepfake.fusion": fusion.ENCODED, "deepfake.features": "deepfake.features"}


@pytest.mark.parametrize("name", [*DEFAULT, "deepfake.fusion:traces", "deepfake.features", "deepfake.cnn"])
def test_every_detector_states_its_memory_and_time(name: str) -> None:
    cost = CARDS[name]["cost"]
    assert 0 < cost["seconds"]["least"] <= cost["seconds"]["median"] <= cost["seconds"]["most"]
    assert cost["times reading alone"]["median"] > 1  # reading is part of it
    assert 0 < cost["MiB of reading alone"] <= cost["MiB"]


@pytest.mark.parametrize("name", HEADS)
def test_verdicts_and_kinds_are_those_of_the_shipped_calibration(name: str) -> None:
    scores = json.loads((WEIGHTS / "by_source.json").read_text(encoding="utf-8"))["heads"][HEADS[name]]
    again = "type: python scripts/write_detector_cards.py deepfake.metadata"
    assert CARDS[name]["sources and families left out"] == left_out(scores).stated(), again
    fitted, kinds = shipped(HEADS[name]), CARDS[name]["kinds"]
    assert {kind for kind, of in kinds.items() if of} == fitted.scope.kinds
    assert set(kinds) == {PHOTOGRAPH, FACE, DRAWING}
    assert kinds[PHOTOGRAPH]["sources"] == fitted.calibration.real.n
    assert kinds[PHOTOGRAPH]["families"] == fitted.calibration.generated.n
