"""The shipped evidence: every statistic is computed again from the score arrays, and a stale hash is flagged."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from guardrails.assay.sources import code_sha256
from guardrails.core.registry import load_probe, probes

EVIDENCE = Path(__file__).parents[2] / "evidence"
SEEDS = 60


def load_make():
    spec = importlib.util.spec_from_file_location("guardrails_evidence_make", EVIDENCE / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make = load_make()


@pytest.fixture(params=sorted(probes()))
def probe(request):
    if not make.stored(request.param)["readings"]:
        pytest.skip("no evidence yet: `make evidence`; reports cite no power of this probe")
    return load_probe(request.param)


def test_the_evidence_was_made_by_this_code(probe):
    now = code_sha256(make.instrument_files(probe))
    assert make.stored(probe.id)["code"] == now, "stale: run `make evidence`"


def test_every_source_was_read_under_every_seed(probe):
    readings = make.stored(probe.id)["readings"]
    seen = sorted((r["source"], r["seed"]) for r in readings)
    assert seen == sorted((source, seed) for source in make.sources(probe) for seed in range(SEEDS))


def test_power_in_reports_is_computed_from_the_arrays(probe):
    shipped = json.loads(make.POWER.read_text())[probe.id]
    assert make.power(probe, make.stored(probe.id)["readings"]).model_dump(mode="json") == shipped


def test_every_planted_fault_is_found_at_full_dose_and_no_clean_one_alarms(probe):
    power = make.power(probe, make.stored(probe.id)["readings"])
    assert power.runs == SEEDS
    assert power.power == 1.0
    assert power.false_alarms == 0.0


def test_statuses_follow_from_the_stored_intervals(probe):
    limit = make.headline_threshold(probe).limit
    for r in make.stored(probe.id)["readings"]:
        assert r["low"] <= r["value"] <= r["high"]
        if r["status"] == "fail":
            assert r["low"] > limit or r["high"] < limit
        elif r["status"] == "inconclusive":
            assert r["low"] <= limit <= r["high"]
