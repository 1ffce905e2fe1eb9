from __future__ import annotations

import math
from itertools import pairwise

import pytest

from generators.gan_art import truth as gan_truth
from generators.gan_art import unstable
from generators.gan_art.unstable import KINDS, load_record
from guardrails.core.errors import ConfigurationError
from guardrails.kit.training import StabilityRecord


def shipped(name: str) -> StabilityRecord:
    return StabilityRecord(**load_record(name)["stability"])


@pytest.mark.parametrize("name", KINDS)
def test_each_record_ships_and_its_curves_are_whole(name: str) -> None:
    record = shipped(name)
    assert load_record(name)["name"] == name
    assert load_record(name)["seed"] == record.seed == 0
    assert record.samples == record.steps * unstable.BATCH
    assert len(record.logged) > 5
    for values in record.curves.values():
        assert len(values) == len(record.logged)
        assert all(map(math.isfinite, values))


def test_the_collapsing_gan_loses_styles_though_it_does_not_diverge() -> None:
    record = shipped("mode-collapse")
    modes = record.curves["modes"]
    assert record.diverged_at is None
    assert modes[0] >= 7
    assert max(modes[-5:]) <= 3


def test_the_diverging_training_gets_better_first_and_ends_in_no_number() -> None:
    record = shipped("diverged")
    losses = record.curves["loss"]
    assert record.diverged_at == record.steps - 1 == len(losses)
    assert min(losses) < losses[0] < max(losses[-10:])
    assert all(a < b for a, b in pairwise(record.logged))


def test_a_record_is_decided_by_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unstable, "STEPS", 4)
    monkeypatch.setattr(unstable, "LOOKS", 2)
    monkeypatch.setattr(unstable, "SHOWN", 20)
    monkeypatch.setattr(gan_truth, "JUDGE_ITEMS", 200)
    gan_truth.style_judge.cache_clear()
    first, again, other = unstable.records(1), unstable.records(1), unstable.records(2)
    gan_truth.style_judge.cache_clear()
    assert first == again
    assert set(first) == set(KINDS)
    for name in KINDS:
        assert first[name]["stability"]["curves"] != other[name]["stability"]["curves"]
        assert first[name].keys() == load_record(name).keys()


def test_a_record_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="mode-collapse"):
        load_record("mode-colapse")
