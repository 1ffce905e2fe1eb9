"""What every detector must keep to."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from generators.base import check_doses, find_generator
from guardrails.core.base import Detector, Modality
from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import detectors, load_detector

EVERY = pytest.mark.parametrize("name", list(detectors()))


@EVERY
def test_its_id_is_its_place(name: str) -> None:
    assert detectors()[name].__module__ == "guardrails." + name.replace("-", "_")


@EVERY
def test_it_says_what_it_does_and_what_it_cannot_see(name: str) -> None:
    cls = detectors()[name]
    assert cls.title.strip()
    assert cls.limits.strip()
    assert (cls.__doc__ or "").strip()
    assert cls.modalities
    assert cls.modalities <= set(Modality)


@EVERY
def test_it_has_a_positive_and_a_negative_control(name: str) -> None:
    assert {control.expected for control in detectors()[name].controls} == {"found", "clear"}


@EVERY
def test_no_control_is_a_generator_that_detectors_train_on(name: str) -> None:
    from guardrails.targets.reference import parse

    for control in detectors()[name].controls:
        scheme, _, spec = control.source.partition(":")
        assert scheme in ("reference", "real")
        generator, doses = parse(spec)
        check_doses(find_generator(generator), doses)
        assert find_generator(generator).reserved, f"{control.source} may have been trained on"


@EVERY
def test_nothing_to_score_is_no_score(name: str) -> None:
    assert load_detector(name).score([]) == []


@EVERY
def test_a_bad_file_is_a_row_that_abstains(name: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    rows = load_detector(name).score([bad, tmp_path / "absent.png"])
    assert [row.verdict for row in rows] == ["abstain", "abstain"]
    for row in rows:
        assert row.score is None
        assert row.probability is None
        assert row.reasons


@EVERY
def test_scores_are_numbers_or_absent_and_do_not_depend_on_company(name: str) -> None:
    if Modality.IMAGE not in detectors()[name].modalities:
        pytest.skip("scores no pictures")
    from skimage import data

    detector = load_detector(name)
    pictures = [data.astronaut(), data.coffee()[:64, :64]]
    together = detector.score(pictures)
    for picture, row in zip(pictures, together, strict=True):
        alone = detector.score([picture])[0]
        assert (row.score is None) == (alone.score is None)
        if row.score is not None and alone.score is not None:
            assert math.isfinite(row.score)
            assert row.score == pytest.approx(alone.score, abs=1e-4)
        assert row.probability is None or 0 <= row.probability <= 1


@EVERY
def test_its_section_is_in_the_documents(name: str, repository: Path) -> None:
    assert f"\n## {name}\n" in (repository / "docs" / "probes.md").read_text(encoding="utf-8")


def test_a_detector_is_a_detector() -> None:
    assert all(issubclass(cls, Detector) for cls in detectors().values())


def test_an_unknown_id_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="unknown detector"):
        load_detector("deepfake.no-such")
