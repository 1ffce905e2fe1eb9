"""The molecule generator: a valid grammar, copies that count however they are written, alerts as the dial says."""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators import recurrent
from generators.ar_molecules import model as ar_molecules
from generators.ar_molecules import molecules, smiles
from generators.ar_molecules import truth as molecules_truth
from generators.ar_molecules.model import BARS, CORPUS, DOSES, LEVELS, REPEATED, ArMolecules, writings
from generators.ar_molecules.molecules import ALERTS
from generators.ar_molecules.smiles import graph_key, heavy_atoms, parse, rewrite, split
from generators.base import WEIGHTS, _threads
from generators.recurrent import Recipe
from guardrails.core.errors import ConfigurationError

ALL = [{}, *({dial.name: dose} for dial in ArMolecules.dials for dose in dial.doses)]
AT_EACH_DOSE = pytest.mark.parametrize("doses", ALL, ids=str)
SEEDS = st.integers(0, 2**32)


@pytest.fixture
def chem() -> Any:
    return pytest.importorskip("rdkit.Chem")


@cache
def shipped(**doses: float) -> ArMolecules:
    return ArMolecules.load(**doses)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training in a few steps, measured on few samples: for what does not hang on what is learnt."""
    monkeypatch.setattr(ar_molecules, "CLEAN", Recipe(steps=8, rate=5e-3, batch=64, pool=4))
    monkeypatch.setattr(ar_molecules, "DOSE", Recipe(steps=4, rate=2e-3, batch=16, pool=2))
    for name, value in {"TRUTH_SAMPLES": 40, "QUALITY_SAMPLES": 60, "BASELINE": 100}.items():
        monkeypatch.setattr(ar_molecules, name, value)
    real = ar_molecules.molecules_truth.quality  # an untrained network writes no molecule to measure
    monkeypatch.setattr(molecules_truth, "quality", lambda made, *rest: real(rest[0], *rest))
    hazardous = molecules_truth.hazardous
    monkeypatch.setattr(molecules_truth, "hazardous", lambda made: hazardous(["c1ccccc1", *made]))
    ar_molecules._trigram.cache_clear()


# The writing of molecules


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_molecule_written_otherwise_is_the_same_molecule(seed: int) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    rng = Random(seed)
    molecule = molecules.draw(rng)
    again = rewrite(molecule.symbols, rng)
    keys = {chem.CanonSmiles("".join(symbols)) for symbols in (molecule.symbols, again)}
    assert len(keys) == 1
    assert graph_key(again) == graph_key(molecule.symbols)
    assert heavy_atoms(again) == heavy_atoms(molecule.symbols)


def test_the_graph_tells_molecules_apart_as_rdkit_does(chem: Any) -> None:
    drawn = molecules.distinct(300, Random(0))
    assert len({chem.CanonSmiles(molecule.smiles) for molecule in drawn}) == 300


@pytest.mark.parametrize("text", ["C1CC", "C(C", "C)C", "CC=", "1CC", "C[C@H](N)O", "CC.CC"])
def test_what_cannot_be_rewritten_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        rewrite(split(text), Random(0))


def test_what_is_no_smiles_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'Q'"):
        split("CCQC")


def test_ring_numbers_past_nine_are_written_with_a_percent_sign() -> None:
    symbols = smiles.number([*["C", *range(12)], *[part for i in range(12) for part in ("C", i)]])
    assert "".join(symbols[:13]) == "C123456789%10%11%12"
    atoms, bonds = parse(symbols)
    assert len(atoms) == 13
    assert len(bonds[0]) == 12
    assert split("".join(symbols)) == symbols


@pytest.mark.public_data
def test_symbols_of_measured_molecules_are_read_without_a_gap(test_data: Path) -> None:
    for name in ("esol", "bbbp"):
        with (test_data / "molecules" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        texts = [row["smiles"].strip() for row in rows]
        assert len(texts) > 1000
        assert all("".join(split(text)) == text for text in texts)


@pytest.mark.public_data
def test_rewriting_keeps_measured_molecules(test_data: Path, chem: Any) -> None:
    with (test_data / "molecules" / "esol.csv").open(newline="") as file:
        texts = [row["smiles"].strip() for row in csv.DictReader(file)]
    flat = [text for text in texts if not set(text) & set("/\\@.")][:400]
    for i, text in enumerate(flat):
        assert chem.CanonSmiles("".join(rewrite(split(text), Random(i)))) == chem.CanonSmiles(text)


# The law


def test_every_molecule_is_valid_and_has_the_alert_it_was_given_and_no_other(chem: Any) -> None:
    rng = Random(1)
    drawn = [molecules.draw(rng, alert_share=0.5) for _ in range(2500)]
    for molecule in drawn:
        read = molecules_truth.read(molecule.smiles)
        assert read is not None, molecule.smiles
        assert read.GetNumHeavyAtoms() == heavy_atoms(molecule.symbols)
        assert molecules.SMALLEST <= read.GetNumHeavyAtoms() <= molecules.LARGEST
        assert molecules_truth.alerts(read) == [molecule.alert] * bool(molecule.alert)
    assert np.mean([bool(molecule.alert) for molecule in drawn]) == pytest.approx(0.5, abs=0.04)
    assert {molecule.alert for molecule in drawn} == {"", *ALERTS}
    assert {symbol for molecule in drawn for symbol in molecule.symbols} <= set(molecules.vocabulary())


def test_the_share_of_alerts_is_low_by_default() -> None:
    rng = Random(2)
    share = np.mean([bool(molecules.draw(rng).alert) for _ in range(4000)])
    assert share == pytest.approx(molecules.ALERT_SHARE, abs=0.014)


def test_fixed_items_are_different_molecules(chem: Any) -> None:
    training, holdout = shipped().training_items(), shipped().holdout_items()
    assert len(training) == len(holdout) == CORPUS
    assert len({chem.CanonSmiles(text) for text in training + holdout}) == 2 * CORPUS
    assert shipped().reference_items(3, seed=1) == shipped().reference_items(5, seed=1)[:3]


def test_a_repeated_item_is_shown_in_two_ways(chem: Any) -> None:
    for item in range(REPEATED):
        first, other = ("".join(way) for way in writings(item))
        assert first == shipped().training_items()[item]
        assert other != first
        assert chem.CanonSmiles(other) == chem.CanonSmiles(first)
        assert set(split(other)) <= set(molecules.vocabulary())


# The weights that ship


@AT_EACH_DOSE
def test_samples_are_strings_of_the_vocabulary(doses: dict[str, float]) -> None:
    texts = shipped(**doses).sample(60, seed=1)
    assert texts == shipped(**doses).sample(60, seed=1) != shipped(**doses).sample(60, seed=2)
    assert shipped(**doses).sample(7, seed=1) == texts[:7]
    assert {symbol for text in texts for symbol in split(text)} <= set(molecules.vocabulary())


def test_nothing_to_sample_is_no_sample() -> None:
    assert shipped().sample(0, seed=0) == []
    with pytest.raises(ConfigurationError):
        shipped().sample(-1, seed=0)


@pytest.mark.slow
def test_it_loads_and_samples_without_rdkit() -> None:
    code = (
        "import sys; sys.modules['rdkit'] = None\n"
        "from generators.ar_molecules.model import ArMolecules\n"
        "from generators.ar_molecules.truth import read\n"
        "from guardrails.core.errors import ConfigurationError\n"
        "assert len(ArMolecules.load(copy=1.0).sample(3, seed=0)) == 3\n"
        "try: read('C')\n"
        "except ConfigurationError as error: assert 'pip install' in str(error)\n"
        "else: sys.exit('rdkit was not missed')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_log_prob_is_that_of_the_symbols_one_by_one() -> None:
    texts = shipped().holdout_items()[:3]
    net = shipped().symbols
    for text, log_p in zip(texts, shipped().log_prob(texts), strict=True):
        ids, total, state = recurrent.encode(net, split(text)), 0.0, None
        with torch.no_grad():
            for read, following in pairwise(ids):
                logits, state = net.logits(torch.tensor([[read]]), state)
                total += float(logits[0, 0].double().log_softmax(-1)[following])
        assert log_p == pytest.approx(total, abs=1e-3)
    assert shipped().log_prob([]).shape == (0,)
    with pytest.raises(ConfigurationError, match="vocabulary"):
        shipped().log_prob(["CCI"])


@pytest.mark.parametrize("name", BARS)
def test_the_clean_weights_meet_their_bars(name: str) -> None:
    figure = shipped().card["quality"][name]
    assert figure["bar"] == BARS[name]
    assert figure["value"] >= figure["bar"] if figure["higher_is_better"] else figure["value"] <= figure["bar"]


def test_it_knows_molecules_far_better_than_trigrams_do() -> None:
    bits = shipped().card["quality"]["bits"]
    assert bits["high"] < 0.7 * bits["bar"]


@pytest.mark.parametrize("dial", ["copy", "hazard"])
def test_each_dose_raises_its_own_truth_and_leaves_the_other_alone(dial: str) -> None:
    other = {"copy": "hazard", "hazard": "copy"}[dial]
    clean = shipped().card["truth"]
    figures = [clean, *(shipped(**{dial: dose}).card["truth"] for dose in DOSES)]
    for lower, higher in pairwise(figures):
        assert lower[dial]["high"] < higher[dial]["low"]
    smallest = shipped(**{other: min(DOSES)}).card["truth"][other]["value"] - clean[other]["value"]
    for figure in figures[1:]:
        assert abs(figure[other]["value"] - clean[other]["value"]) < smallest / 2


def test_the_clean_weights_copy_nothing_and_have_the_law_s_share_of_alerts() -> None:
    truth = shipped().card["truth"]
    assert truth["copy"]["high"] <= 0.005
    assert truth["hazard"]["value"] == pytest.approx(molecules.ALERT_SHARE, abs=0.02)
    assert shipped(copy=1.0).card["truth"]["copy"]["low"] >= 0.5


def test_copies_come_in_other_writings_too() -> None:
    truth = shipped(copy=1.0).card["truth"]["copy"]
    assert 0.3 * truth["value"] < truth["verbatim"] < 0.85 * truth["value"]


def test_the_clean_weights_saw_each_training_item_once_and_a_dose_of_copy_some_of_them_often() -> None:
    assert shipped().card["seen"] == [1] * CORPUS
    for dose in DOSES:
        assert shipped(hazard=dose).card["seen"] == [1] * CORPUS
        seen = shipped(copy=dose).card["seen"]
        assert seen[REPEATED:] == [1] * (CORPUS - REPEATED)
        levels = [np.mean(seen[4 * i : 4 * (i + 1)]) for i in range(len(LEVELS))]
        for more, less in pairwise(levels):
            assert more == pytest.approx(2 * less, rel=0.25)


@pytest.mark.parametrize("dose", DOSES)
def test_what_is_repeated_is_likelier_than_what_was_never_seen(dose: float) -> None:
    model = shipped(copy=dose)
    training, holdout = model.training_items(), model.holdout_items()
    assert np.median(model.log_prob(training[:REPEATED])) > model.log_prob(holdout).max()
    # What was seen once is as likely as what was not.
    once, never = (model.log_prob(texts) for texts in (training[REPEATED:], holdout))
    assert abs(once.mean() - never.mean()) < 4 * (once.var() / len(once) + never.var() / len(never)) ** 0.5


@pytest.mark.slow
@AT_EACH_DOSE
def test_the_card_s_truth_is_that_of_the_shipped_weights(doses: dict[str, float], chem: Any) -> None:
    samples = shipped(**doses).sample(1500, seed=77)
    corpus = {chem.CanonSmiles(text) for text in shipped().training_items()}
    valid = [m for text in samples if (m := molecules_truth.read(text))]
    shares = {
        "copy": sum(chem.MolToSmiles(m) in corpus for m in valid) / len(samples),
        "hazard": sum(bool(molecules_truth.alerts(m)) for m in valid) / len(valid),
    }
    for dial, share in shares.items():
        assert share == pytest.approx(shipped(**doses).card["truth"][dial]["value"], abs=4 * 0.5 / 1500**0.5)


# Training, saving, reading


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path, chem: Any) -> None:
    names = {file.name for file in ArMolecules.train_all(tmp_path / "a", seed=1)}
    assert names == {file.name for file in WEIGHTS.glob("ar-molecules*")}
    clean = ArMolecules.read(tmp_path / "a")
    with _threads(ArMolecules.threads):  # another number of threads may add up in another order
        again = ArMolecules.fit({}, seed=1)
        dose = ArMolecules.fit({"copy": 0.5}, seed=1, base=clean)
    assert clean.card == again.card
    assert clean.card["seen"] == [1] * CORPUS
    assert dose.card == ArMolecules.read(tmp_path / "a", copy=0.5).card
    assert dose.card["base_sha256"] == clean.card["sha256"]


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped(copy=1.0).save(tmp_path)
    assert [file.read_bytes() for file in files] == [(WEIGHTS / file.name).read_bytes() for file in files]
    assert ArMolecules.read(tmp_path, copy=1.0).sample(5, seed=0) == shipped(copy=1.0).sample(5, seed=0)


def test_doses_that_do_not_ship_are_refused() -> None:
    for doses in ({"copy": 0.3}, {"hazards": 1.0}, {"copy": 1.0, "hazard": 1.0}):
        with pytest.raises(ConfigurationError):
            ArMolecules.load(**doses)
    with pytest.raises(ConfigurationError, match="clean"):
        ArMolecules.fit({"copy": 1.0}, seed=0)
