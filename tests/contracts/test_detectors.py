"""What every detector must keep to."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from generators.base import find_generator
from generators.settings import check_settings
from guardrails.assay.scan.detector_controls import RECORDINGS
from guardrails.core.detector import Detector
from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import detectors, load_detector
from guardrails.core.targets import Modality
from guardrails.training.material.speech_sets import KNOWN, SETS

from .detector_arguments import made

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
def test_no_control_is_what_its_weights_learnt_from(name: str) -> None:
    from guardrails.targets.reference import parse

    for control in detectors()[name].controls:
        scheme, _, spec = control.source.partition(":")
        if scheme == "recorded":
            recording, _, vocoder = spec.partition(",vocoder=")
            assert (RECORDINGS / f"{recording}.ogg").is_file()
            assert not vocoder or (vocoder in SETS["test"] and vocoder not in KNOWN)
            continue
        if scheme == "photographs":  # of scikit-learn, reserved
            assert spec in ("", "enlarged=4")
            continue
        assert scheme in ("reference", "real")
        generator, doses = parse(spec)
        check_settings(find_generator(generator), doses)
        seen = [s for s in detectors()[name].learnt if spec == s or spec.startswith(f"{s},")]
        assert find_generator(generator).reserved or not seen, f"{control.source}: it has learnt from {seen}"


@EVERY
def test_nothing_to_score_is_no_score(name: str, tmp_path: Path) -> None:
    detector = made(name, tmp_path)
    assert detector.score([]) == []
    assert detector.predict_proba([]).shape == (0, 2)


@EVERY
def test_an_argument_goes_only_where_one_is_taken(name: str) -> None:
    if detectors()[name].takes:
        with pytest.raises(ConfigurationError, match="after the colon"):
            load_detector(f"{name}:")
    else:
        with pytest.raises(ConfigurationError, match="takes no argument"):
            load_detector(f"{name}:anything")


@EVERY
def test_too_few_items_to_fit_are_a_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        made(name, tmp_path).fit([], [])


@EVERY
def test_a_bad_file_is_a_row_that_abstains(name: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    rows = made(name, tmp_path).score([bad, tmp_path / "absent.png"])
    assert [row.verdict for row in rows] == ["abstain", "abstain"]
    for row in rows:
        assert row.score is None
        assert row.probability is None
        assert row.reasons


@EVERY
def test_scores_are_numbers_or_absent_and_do_not_depend_on_company(name: str, tmp_path: Path) -> None:
    if Modality.IMAGE not in detectors()[name].modalities:
        pytest.skip("scores no pictures")
    from skimage import data

    detector = made(name, tmp_path)
    pictures = [data.astronaut(), data.coffee()[:64, :64]]
    together = detector.score(pictures)
    for picture, row in zip(pictures, together, strict=True):
        alone = detector.score([picture])[0]
        assert (row.score is None) == (alone.score is None)
        if row.score is not None and alone.score is not None:
            assert math.isfinite(row.score)
            assert row.score == pytest.approx(alone.score, abs=1e-4)
        assert row.probability is None or 0 <= row.probability <= 1
        assert row.likelihood_ratio is None or row.likelihood_ratio > 0
        assert (row.verdict == "abstain") or row.calibration


@EVERY
def test_its_section_is_in_the_documents(name: str, repository: Path) -> None:
    assert f"\n## {name}\n" in (repository / "docs" / "probes.md").read_text(encoding="utf-8")


def test_a_detector_is_a_detector() -> None:
    assert all(issubclass(cls, Detector) for cls in detectors().values())


def test_an_unknown_id_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="unknown detector"):
        load_detector("deepfake.no-such")
