"""What every reference generator must keep to."""

from __future__ import annotations

import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.base import WEIGHTS, Generator, Item, check_doses, check_settings, find_generator, generators
from guardrails.core.errors import ConfigurationError

MAX_SHIPPED_BYTES = 20 * 2**20
DESIGNED = {
    *("ar-molecules", "ar-music", "diffusion-photo", "faceswap", "gan-art", "gpt-text", "pixel-levels"),
    *("tabular", "translator", "vae-medical", "voice"),
}
EVERY = pytest.mark.parametrize("name", list(generators()))
LONG = {"voice": pytest.mark.slow}
"""Generators whose items take seconds to make."""
EVERY_WITH_ALL_ITEMS = pytest.mark.parametrize("name", [pytest.param(n, marks=LONG.get(n, ())) for n in generators()])
EVERY_DIAL = pytest.mark.parametrize(
    ("name", "dial"), [(name, dial.name) for name, cls in generators().items() for dial in cls.dials]
)
AT_EACH_DOSE = pytest.mark.parametrize(
    ("name", "dial", "dose"),
    [
        pytest.param(name, dial.name, dose, marks=LONG.get(name, ()))
        for name, cls in generators().items()
        for dial in cls.dials
        for dose in dial.doses
    ],
)


@cache
def clean(name: str) -> Generator:
    return find_generator(name).load()


def same(a: Any, b: Any) -> bool:
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def truth(name: str, key: str, **doses: float) -> dict[str, Any]:
    return find_generator(name).load(**doses).card["truth"][key]


def test_every_generator_of_the_design_is_there() -> None:
    assert set(generators()) >= DESIGNED


def test_one_generator_of_pictures_and_one_of_text_are_reserved() -> None:
    assert sorted(cls.modality for cls in generators().values() if cls.reserved) == ["image", "text"]


@EVERY
def test_its_name_is_its_file_s(name: str) -> None:
    assert find_generator(name).__module__ == f"generators.{name.replace('-', '_')}.model"


@EVERY
def test_it_describes_itself(name: str) -> None:
    cls = find_generator(name)
    for text in (cls.family, cls.domain, cls.citation, cls.__doc__ or ""):
        assert text.strip()
    assert cls.modality in ("text", "image", "video", "audio", "table")
    assert (cls.rate is not None) == (cls.modality == "audio" or any("video" in c.values for c in cls.choices))
    assert len({dial.name for dial in cls.dials}) == len(cls.dials) > 0
    for dial in cls.dials:
        assert dial.what.strip()
        assert list(dial.doses) == sorted(set(dial.doses))
        assert len(dial.doses) >= 3
        assert dial.doses[0] > 0
        assert dial.doses[-1] == 1.0


@EVERY
def test_settings_that_there_are_not_are_refused(name: str) -> None:
    cls = find_generator(name)
    dial = cls.dials[0].name
    for doses in ({dial: 0.123}, {dial: 2.0}, {dial: -1.0}, {"no_such_dial": 1.0}):
        with pytest.raises(ConfigurationError):
            check_doses(cls, doses)
        with pytest.raises(ConfigurationError):
            cls.load(**doses)
    for settings in ({dial: "much"}, {"no_such_property": "x"}, *({c.name: "no such value"} for c in cls.choices)):
        with pytest.raises(ConfigurationError):
            cls.load(**settings)
    assert check_settings(cls, {}) == (dict.fromkeys((d.name for d in cls.dials), 0.0), dict(clean(name).properties))


@EVERY
def test_the_same_seed_gives_the_same_outputs(name: str) -> None:
    generator = clean(name)
    assert same(generator.sample(3, seed=5), generator.sample(3, seed=5))
    assert not same(generator.sample(3, seed=5), generator.sample(3, seed=6))
    assert len(generator.sample(0, seed=5)) == 0
    with pytest.raises(ConfigurationError, match="-1 outputs"):
        generator.sample(-1, seed=0)


def check_content(content: Any, modality: str) -> None:
    if modality == "text":
        assert isinstance(content, str)
        assert content
    elif modality == "audio":
        assert content.dtype == np.float32
        assert content.ndim == 1
        assert np.abs(content).max() <= 1
    elif modality == "table":
        assert len(content) == 1
        assert content.notna().all(axis=None)
    else:
        assert content.dtype == np.uint8
        assert content.ndim == {"image": 3, "video": 4}[modality]
        assert content.shape[-1] == 3


def check_items(items: list[Item], modality: str) -> None:
    for item in items:
        check_content(item.content, modality)
        if item.mask is not None:
            assert item.mask.dtype == np.uint8
            assert item.mask.shape == item.content.shape[:-1]


@EVERY
def test_outputs_are_what_the_contract_says(name: str) -> None:
    generator = clean(name)
    items = generator.items(2, seed=0)
    assert len(items) == 2
    check_items(items, generator.modality)
    sampled: Any = generator.sample(2, seed=0)
    rows = [sampled.iloc[[i]] for i in range(2)] if generator.modality == "table" else sampled
    assert all(same(row, item.content) for row, item in zip(rows, items, strict=True))


@pytest.mark.parametrize(
    ("name", "choice", "value"),
    [(name, c.name, value) for name, cls in generators().items() for c in cls.choices for value in c.values],
)
def test_each_property_gives_outputs(name: str, choice: str, value: str) -> None:
    generator = find_generator(name).load(**{choice: value})
    assert generator.properties[choice] == value
    items = generator.items(2, seed=0)
    check_items(items, generator.modality)
    assert same([i.content for i in items], [i.content for i in generator.items(2, seed=0)])


@EVERY_WITH_ALL_ITEMS
def test_training_and_holdout_items_are_as_many_and_share_none(name: str) -> None:
    training, holdout = clean(name).training_items(), clean(name).holdout_items()
    assert len(training) == len(holdout) > 0

    def keys(items: Any) -> set[Any]:
        if hasattr(items, "itertuples"):
            return set(items.itertuples(index=False))
        return {item if isinstance(item, str) else item.tobytes() for item in items}

    assert keys(training).isdisjoint(keys(holdout))
    assert same(training, clean(name).training_items())


@EVERY
def test_reference_items_depend_on_the_seed(name: str) -> None:
    generator = clean(name)
    assert same(generator.reference_items(3, seed=1), generator.reference_items(3, seed=1))
    assert not same(generator.reference_items(3, seed=1), generator.reference_items(3, seed=2))


@EVERY
def test_what_is_saved_is_read_back(name: str, tmp_path: Path) -> None:
    cls, dial = find_generator(name), find_generator(name).dials[0]
    for doses in ({}, {dial.name: 1.0}):
        shipped = cls.load(**doses)
        for path in shipped.save(tmp_path):
            assert path.read_bytes() == (WEIGHTS / path.name).read_bytes()
        again = cls.read(tmp_path, **doses)
        assert again.card == shipped.card
        assert same(again.sample(3, seed=1), shipped.sample(3, seed=1))


@EVERY
def test_the_clean_weights_meet_the_bars_of_their_card(name: str) -> None:
    quality = clean(name).card["quality"]
    assert quality
    for key, figure in quality.items():
        assert {"value", "low", "high", "n", "what", "bar", "higher_is_better"} <= set(figure), key
        better = figure["value"] >= figure["bar"] if figure["higher_is_better"] else figure["value"] <= figure["bar"]
        assert better, f"{key}: {figure['value']} against a bar of {figure['bar']}"


@AT_EACH_DOSE
def test_the_weights_of_each_dose_ship_with_a_card(name: str, dial: str, dose: float) -> None:
    generator = find_generator(name).load(**{dial: dose})
    card, clean_card = generator.card, clean(name).card
    assert {
        "data",
        "seed",
        "command",
        "sha256",
        "base_sha256",
        "seen",
        "sheet",
        "truth",
        "quality",
        "stability",
    } <= set(card)
    assert card["command"] == f"guardrails train generator {name}"
    assert card["base_sha256"] == clean_card["sha256"] != card["sha256"]
    assert card["stability"] is None or card["stability"]["diverged_at"] is None
    assert {"items", "duplicates", "balance"} <= set(card["sheet"])
    assert card["sheet"]["items"] == len(generator.training_items()) == len(card["seen"])
    for other in find_generator(name).dials:
        assert {"value", "low", "high", "n", "what"} <= set(card["truth"][other.truth])


@EVERY_DIAL
def test_a_dose_raises_its_own_fault(name: str, dial: str) -> None:
    it = next(d for d in find_generator(name).dials if d.name == dial)
    figures = [truth(name, it.truth, **{dial: dose}) for dose in (0.0, *it.doses)]
    for lower, higher in pairwise(figures):
        assert lower["low"] <= lower["value"] <= lower["high"] < higher["low"] <= higher["value"] <= higher["high"]


@AT_EACH_DOSE
def test_a_dose_leaves_the_other_faults_alone(name: str, dial: str, dose: float) -> None:
    """The figure of another dial moves by less than half of what that dial's smallest dose does."""
    for other in (d for d in find_generator(name).dials if d.name != dial):
        none, moved = truth(name, other.truth)["value"], truth(name, other.truth, **{dial: dose})["value"]
        least = truth(name, other.truth, **{other.name: other.doses[0]})["value"]
        assert abs(moved - none) < abs(least - none) / 2, other.name


def test_the_weights_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in Path(WEIGHTS).rglob("*") if path.is_file()) <= MAX_SHIPPED_BYTES


@EVERY
def test_weights_that_are_not_those_of_the_card_are_refused(name: str, tmp_path: Path) -> None:
    for file in WEIGHTS.glob(f"{name}[.,]*"):
        shutil.copy(file, tmp_path)
    weights = tmp_path / f"{name}.safetensors"
    altered = bytearray(weights.read_bytes())
    altered[-1] ^= 1
    weights.write_bytes(altered)
    with pytest.raises(ConfigurationError, match="hash"):
        find_generator(name).read(tmp_path)
    weights.unlink()
    with pytest.raises(ConfigurationError, match=f"guardrails train generator {name}"):
        find_generator(name).read(tmp_path)
