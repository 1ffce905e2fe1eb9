"""What every reference generator must keep to."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.base import WEIGHTS, Generator, check_doses, find_generator, generators
from guardrails.core.errors import ConfigurationError

MAX_SHIPPED_BYTES = 20 * 2**20
EVERY = pytest.mark.parametrize("name", list(generators()))
AT_EACH_DOSE = pytest.mark.parametrize(
    ("name", "dial", "dose"),
    [(name, dial.name, dose) for name, cls in generators().items() for dial in cls.dials for dose in dial.doses],
)


@cache
def clean(name: str) -> Generator:
    return find_generator(name).load()


def same(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@EVERY
def test_its_name_is_its_file_s(name: str) -> None:
    assert find_generator(name).__module__ == "generators." + name.replace("-", "_")


@EVERY
def test_it_describes_itself(name: str) -> None:
    cls = find_generator(name)
    for text in (cls.family, cls.domain, cls.citation, cls.__doc__ or ""):
        assert text.strip()
    assert cls.modality in ("text", "image", "video", "audio", "table")
    assert len({dial.name for dial in cls.dials}) == len(cls.dials) > 0
    for dial in cls.dials:
        assert dial.what.strip()
        assert 1.0 in dial.doses
        assert all(0 <= dose <= 1 for dose in dial.doses)


@EVERY
def test_it_can_be_trained_by_name(name: str) -> None:
    assert callable(importlib.import_module(find_generator(name).__module__).train_all)


@EVERY
def test_doses_that_do_not_ship_are_refused(name: str) -> None:
    dial = find_generator(name).dials[0].name
    for doses in ({dial: 0.123}, {"no_such_dial": 1.0}):
        with pytest.raises(ConfigurationError):
            check_doses(find_generator(name), doses)
        with pytest.raises(ConfigurationError):
            find_generator(name).load(**doses)


@EVERY
def test_the_same_seed_gives_the_same_outputs(name: str) -> None:
    generator = clean(name)
    assert same(generator.sample(3, seed=5), generator.sample(3, seed=5))
    assert not same(generator.sample(3, seed=5), generator.sample(3, seed=6))


@EVERY
def test_outputs_are_what_the_contract_says(name: str) -> None:
    outputs = clean(name).sample(2, seed=0)
    assert len(outputs) == 2
    for output in outputs:
        if find_generator(name).modality == "text":
            assert isinstance(output, str)
        else:
            assert output.dtype == np.uint8
            assert output.ndim == 3
            assert output.shape[2] == 3


@EVERY
def test_training_and_holdout_items_are_as_many_and_share_none(name: str) -> None:
    training, holdout = clean(name).training_items(), clean(name).holdout_items()
    assert len(training) == len(holdout) > 0

    def keys(items: Any) -> set[Any]:
        return {item if isinstance(item, str) else item.tobytes() for item in items}

    assert keys(training).isdisjoint(keys(holdout))
    assert same(training, clean(name).training_items())


@EVERY
def test_reference_items_depend_on_the_seed(name: str) -> None:
    generator = clean(name)
    assert same(generator.reference_items(3, seed=1), generator.reference_items(3, seed=1))
    assert not same(generator.reference_items(3, seed=1), generator.reference_items(3, seed=2))


@AT_EACH_DOSE
def test_the_weights_of_each_dose_ship_with_a_card(name: str, dial: str, dose: float) -> None:
    card = find_generator(name).load(**{dial: dose}).card
    for key in ("data", "seed", "command", "sha256", "truth"):
        assert key in card, key


def test_the_weights_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in Path(WEIGHTS).rglob("*") if path.is_file()) <= MAX_SHIPPED_BYTES
