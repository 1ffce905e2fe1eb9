"""Molecules: copies are found however they are written, others are not, and what is no molecule is said so."""

import csv
import re
from dataclasses import replace
from random import Random

import pytest

from guardrails.core.errors import NotApplicable
from guardrails.core.subject import Subject
from guardrails.memorization import molecules
from guardrails.memorization.molecules import Molecules, Nearest

from .symbolic import Writer, measured, rows_of

pytest.importorskip("rdkit")
PARTS = ("C", "CC", "CO", "C(=O)N", "c1ccccc1", "c1ccncc1", "C1CCNCC1", "N(C)C", "C(F)(F)F", "S(=O)(=O)N", "OC", "CCl")
CLOSED = {"c1ccccc1": "c1ccc({})cc1", "c1ccncc1": "c1cc({})ccn1", "C1CCNCC1": "C1CCN({})CC1"}


def molecule(seed):
    """A chain of parts, each hung on the one before."""
    rng = Random(seed)
    text = "C"
    for _ in range(7):
        part = rng.choice(PARTS)
        text = CLOSED[part].format(text) if part in CLOSED else f"C({part}){text}"
    return text


def many(first, n):
    return [molecule(first + i) for i in range(n)]


@pytest.fixture(scope="module")
def clean():
    return Subject(target=Writer(many(9000, 100)), corpus=many(0, 60), holdout=many(1000, 200))


def test_how_it_is_written_does_not_matter():
    probe = Molecules()
    for text in many(0, 30):
        other = probe.altered(text, seed=1)
        assert probe.read(other)[0].canonical == probe.read(text)[0].canonical
    assert any(probe.altered(text, seed=1) != text for text in many(0, 5))


def test_similarity_is_that_of_the_sets_of_bits():
    probe = Molecules()
    known = [m for text in many(0, 20) for m in probe.read(text)]
    for item in (m for text in many(500, 20) for m in probe.read(text)):
        bits = set(item.fingerprint.GetOnBits())
        others = [set(k.fingerprint.GetOnBits()) for k in known]
        tanimoto = [len(bits & other) / len(bits | other) for other in others]
        (match,) = Nearest(known).look_up([item])
        assert match.score == pytest.approx(max(tanimoto))
        assert tanimoto[match.place] == max(tanimoto)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("CCO", 1),
        ("CCO \n", 1),
        ("CCO ethanol\nc1ccccc1\tbenzene\n", 2),
        ("", 0),
        ("CCO is what the model wrote", 0),
        ("In the beginning", 0),
        ("C1CC", 0),  # an open ring
        ("C(C)(C)(C)(C)C", 0),  # five bonds
        ("C" * 501, 0),
        ("smiles,name\nCCO,ethanol", 0),
        ("<script>", 0),
    ],
)
def test_what_is_read(text, n, capfd):
    assert len(Molecules().read(text)) == n
    assert capfd.readouterr().err == ""


def test_a_clean_writer_is_at_the_level_of_held_out_molecules(clean):
    readings = measured(Molecules(), clean)
    assert readings["copy_rate"].n == 100
    assert readings["copy_rate"].high < 0.1
    assert readings["whole_rate"].value == 0


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_copies_are_found(clean, share):
    probe = Molecules()
    n = int(100 * share)
    copies = [probe.altered(clean.corpus[i % 60], seed=i) for i in range(n)]
    readings = measured(probe, replace(clean, target=Writer(copies + many(9000, 100 - n))))
    assert readings["whole_rate"].value == pytest.approx(share)
    assert readings["copy_rate"].value == pytest.approx(share, abs=0.04)
    assert readings["copy_rate"].low > 0.1


def test_a_close_relative_is_a_near_copy_but_not_the_same(clean):
    relatives = [text.replace("F", "Cl") for text in clean.corpus if text.count("F") == 3]
    readings = measured(Molecules(), replace(clean, target=Writer(relatives)))
    assert readings["copy_rate"].low > 0.1
    assert readings["whole_rate"].value == 0


def test_invalid_outputs_are_left_out_and_counted(clean):
    rate = measured(Molecules(), replace(clean, target=Writer(many(9000, 50) + ["C1CC"] * 50)))["copy_rate"]
    assert (rate.n, rate.errors) == (50, 0)
    assert "50 outputs are no molecules in SMILES notation" in rate.explanation


def test_the_spike_is_recovered(clean):
    probe = Molecules()
    rows = rows_of(probe, probe.spike(clean, [], seed=0))
    assert probe.recovery([], rows, clean)[0] == 1
    assert not any("same" in row and "C" in str(row["same"]) for row in rows)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"corpus": ["CCO"]}, "1 molecules .* at least 10"),
        ({"holdout": many(0, 60) * 2}, r"that are not in the corpus \(120 are\)"),
        ({"target": Writer(["nothing of the kind"])}, "0 of 100 outputs"),
    ],
)
def test_too_few_say_so(clean, data, reason):
    for measurement in measured(Molecules(), replace(clean, **data)).values():
        assert measurement.value is None
        assert re.search(reason, measurement.reason)


@pytest.mark.parametrize(
    "corpus", [["A chapter of prose.\n\nAnother one."] * 20, ["X:1\nK:C\nCDEFGABc"] * 20, ["In fact"] * 9]
)
def test_other_texts_are_not_its_matter(corpus):
    with pytest.raises(NotApplicable, match="looks at molecules in SMILES notation; 0 of the"):
        Molecules().applicable(Subject(Writer(["x"]), corpus=corpus))


def test_without_rdkit_it_says_what_to_type(clean, monkeypatch):
    monkeypatch.setattr(molecules, "find_spec", lambda name: None)
    probe = Molecules()
    probe.applicable(clean)
    with pytest.raises(NotApplicable):
        probe.applicable(replace(clean, corpus=["prose of some length"] * 20))
    (missing,) = probe.missing(clean)
    assert "pip install 'guardrails-audit[chem]'" in missing


@pytest.mark.public_data
def test_approved_drugs_are_found_in_any_writing(test_data):
    with (test_data / "molecules" / "bbbp.csv").open() as file:
        every = [row["smiles"] for row in csv.DictReader(file)]
    probe = Molecules()
    valid = [text for text in every if probe.read(text)]
    assert len(valid) == 2039
    Random(0).shuffle(valid)
    subject = Subject(Writer(valid[1400:]), corpus=valid[:700], holdout=valid[700:1400])
    readings = measured(probe, subject)
    assert abs(readings["copy_rate"].value - readings["whole_rate"].baseline.value) < 0.12  # the set holds some twice
    copying = [probe.altered(text, seed=0) for text in valid[:100]]
    assert measured(probe, replace(subject, target=Writer(copying)))["copy_rate"].value == 1
