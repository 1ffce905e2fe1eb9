import numpy as np
import pytest

from guardrails.kit.detection.calibration import Calibration
from guardrails.training.exams.neural_speech import (
    Rows,
    above_its_original,
    by_system,
    called_synthetic,
    crossed,
    mean_error,
    reserved,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 120)
    groups = [f"{'system' if y else 'source'} {i % 20}" for i, y in enumerate(labels)]
    speakers = [f"speaker {k}" for k in rng.integers(40, size=240)]
    learnt, kept = rng.random(240) < 0.8, np.array([int(name.split()[1]) < 5 for name in groups])
    versions = [f"utterance {i % 120} 0" for i in range(240)]
    return Rows(labels, groups, speakers, versions, learnt, kept, rng.random(240) < 0.9)


def test_a_model_has_seen_no_system_source_or_speaker_that_it_scores(rows):
    parts = list(crossed(rows))
    assert len(parts) > 10
    for part in [*parts, reserved(rows)]:
        scored = np.concatenate([part.neural, part.real])
        assert len(part.fit)
        for names in (rows.groups, rows.speakers):
            assert not {names[i] for i in part.fit} & {names[i] for i in scored}
        assert rows.learnt[part.fit].all()
        assert not rows.reserved[part.fit].any()


def test_every_system_meets_all_real_speech_that_is_not_reserved(rows):
    met = {(int(i), int(j)) for part in crossed(rows) for i in part.neural for j in part.real}
    here = rows.judged & ~rows.reserved
    neural, real = (np.flatnonzero(here & (rows.labels == y)) for y in (1, 0))
    assert met == {(int(i), int(j)) for i in neural for j in real}


def test_the_report_is_on_what_is_reserved_alone(rows):
    part = reserved(rows)
    scored = np.sort(np.concatenate([part.neural, part.real]))
    assert scored.tolist() == np.flatnonzero(rows.judged & rows.reserved).tolist()


def test_a_detector_that_knows_has_no_errors_and_one_that_guesses_half(rows):
    knows = by_system(lambda fit, new: rows.labels[new].astype(float), rows, crossed(rows))
    assert {one.eer for one in knows.values()} == {0.0}
    assert {one.auc for one in knows.values()} == {1.0}
    assert mean_error(knows).value == 0.0
    guesses = by_system(lambda fit, new: np.random.default_rng(0).random(len(new)), rows, crossed(rows))
    assert mean_error(guesses).value == pytest.approx(0.5, abs=0.1)
    same = by_system(lambda fit, new: np.zeros(len(new)), rows, crossed(rows))
    assert {one.auc for one in same.values()} == {0.5}


def test_who_knows_the_utterance_alone_is_right_about_half_of_the_pairs(rows):
    number = np.array([int(name.split()[1]) for name in rows.versions], dtype=float)
    same = above_its_original(lambda fit, new: number[new], rows, crossed(rows))
    knows = above_its_original(lambda fit, new: number[new] + rows.labels[new] / 2, rows, crossed(rows))
    wrong = above_its_original(lambda fit, new: number[new] - rows.labels[new] / 2, rows, crossed(rows))
    assert (same.value, knows.value, wrong.value) == (0.5, 1.0, 0.0)
    assert above_its_original(lambda fit, new: number[new], rows, iter([])) is None


def test_false_alarms_are_counted_by_source():
    rng = np.random.default_rng(1)
    scores, labels = np.concatenate([rng.normal(0, 1, 400), rng.normal(6, 1, 400)]), np.repeat([0, 1], 400)
    calibration = Calibration.fit(scores, labels, [f"{k % 40}" for k in range(800)])
    rates = called_synthetic(calibration, np.array([9.0, 9.0, -9.0, -9.0]), ["loud", "loud", "quiet", "quiet"])
    assert (rates["loud"].value, rates["quiet"].value) == (1.0, 0.0)
