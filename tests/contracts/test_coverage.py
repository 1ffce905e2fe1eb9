"""The stored intervals of a planted bias: how many hold the true value is counted again, and where they come from."""

import importlib
import json
import sys
from pathlib import Path

import pytest

EVIDENCE = Path(__file__).parents[2] / "evidence"


def load(name):
    sys.path.insert(0, str(EVIDENCE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EVIDENCE))


coverage = load("coverage")


@pytest.fixture(params=sorted(coverage.TRUTHS))
def file(request):
    return json.loads((coverage.COVERAGE / f"{request.param}.json").read_text(encoding="utf-8"))


def test_nine_in_ten_intervals_hold_the_true_value(file):
    assert len(file["bounds"]) == coverage.SEEDS
    assert all(low <= high for low, high in file["bounds"])
    assert coverage.covered(file) >= coverage.LEAST


def test_the_true_value_is_that_of_the_model(file):
    assert file["truth"] == pytest.approx(coverage.TRUTHS[file["probe"]](), abs=1e-6)
    assert file["truth"] > 0


def test_the_first_readings_are_those_of_the_evidence(file):
    rows = [r for r in coverage.stored(file["probe"])["readings"] if r["source"] == file["source"]]
    assert len(rows) == 60
    for row in rows:
        expected = [round(row["low"], 6), round(row["high"], 6)]
        assert file["bounds"][row["seed"]] == pytest.approx(expected, abs=2e-6)
