"""The residual detector: learns a trace, abstains where it should, reads its weights safely."""

import json

import numpy as np
import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.deepfake._linear import Linear
from guardrails.deepfake._traces import BLOCKS, WIDTH
from guardrails.deepfake.residual import Residual, read_weights, write_weights
from guardrails.kit.io import encode_png


def scene(seed, size=64):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    coarse = gaussian_filter(rng.normal(size=(size, size, 3)), (4, 4, 0)) * 400
    return np.clip(128 + coarse + rng.normal(0, 6, (size, size, 3)), 0, 255).astype(np.uint8)


def upsampled(picture):
    return np.repeat(np.repeat(picture[::2, ::2], 2, axis=0), 2, axis=1)


@pytest.fixture(scope="module")
def fitted():
    real, fake = [scene(s) for s in range(40)], [upsampled(scene(100 + s)) for s in range(40)]
    return Residual().fit([*real, *fake], [0] * 40 + [1] * 40)


def test_it_tells_unseen_pictures_apart(fitted):
    found = fitted.score([scene(500), upsampled(scene(501))])
    assert [d.verdict for d in found] == ["real", "synthetic"]
    assert found[0].score < 0 < found[1].score
    assert all(d.reasons and d.calibration for d in found)
    assert [d.item for d in found] == ["00000", "00001"]


def test_it_abstains_on_pictures_unlike_those_it_knows(fitted):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    found = fitted.score([stripes])[0]
    assert (found.verdict, found.probability) == ("abstain", None)
    assert "unlike" in found.reasons[0]


def test_paths_are_read_and_bad_files_abstain_with_their_reason(fitted, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encode_png(upsampled(scene(7))))
    bad.write_bytes(b"no picture")
    found = fitted.score([good, str(bad), np.zeros((3,), np.uint8)])
    assert [d.verdict for d in found] == ["synthetic", "abstain", "abstain"]
    assert [d.score is None for d in found] == [False, True, True]
    assert "not a picture" in found[1].reasons[0]
    assert found[0].item == str(good)


@pytest.mark.parametrize("labels", [[1] * 20, [0] * 15 + [1] * 5, [0] * 10])
def test_too_few_pictures_of_a_label_are_refused(labels):
    with pytest.raises(ConfigurationError, match="at least 10 pictures with label 0"):
        Residual().fit([scene(0)] * 20, labels)


def test_weights_come_back_as_they_were(fitted, tmp_path):
    write_weights(fitted.model, {"what": "test"}, tmp_path)
    model, card = read_weights(tmp_path)
    assert card["what"] == "test"
    x = np.random.default_rng(0).normal(size=(5, WIDTH))
    assert np.array_equal(model.score(x), fitted.model.score(x))
    assert (model.slope, model.offset, model.reach) == (fitted.model.slope, fitted.model.offset, fitted.model.reach)


def test_altered_missing_and_old_weights_are_refused(fitted, tmp_path):
    with pytest.raises(ConfigurationError, match=r"train detector deepfake\.residual"):
        read_weights(tmp_path)
    weights, card = write_weights(fitted.model, {}, tmp_path)
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(ConfigurationError, match="hash"):
        read_weights(tmp_path)
    short = Linear(np.zeros(3), np.ones(3), np.ones(3), 0.0, reach=1.0)
    write_weights(short, json.loads(card.read_text()), tmp_path)
    with pytest.raises(ConfigurationError, match="another version"):
        read_weights(tmp_path)


def test_shares_add_up_to_the_score(fitted):
    x = np.random.default_rng(0).normal(size=(5, WIDTH))
    shares = fitted.model.shares(x)
    assert list(shares) == list(BLOCKS)
    assert np.allclose(sum(shares.values()) + fitted.model.intercept, fitted.model.score(x))


def test_calibrated_probabilities_follow_the_frequencies():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    x = np.concatenate([rng.normal(size=(4000, WIDTH - 1)), (labels + rng.normal(size=4000))[:, None]], axis=1)
    model = Linear.fit(x[:2000], labels[:2000])
    model = model.calibrated(model.score(x[2000:3000]), labels[2000:3000])
    p = model.probability(model.score(x[3000:]))
    for low in (0.1, 0.3, 0.5, 0.7):
        here = (p >= low) & (p < low + 0.2)
        assert labels[3000:][here].mean() == pytest.approx(p[here].mean(), abs=0.1)


def test_the_shipped_detector_loads_by_name():
    from guardrails.core.registry import load_detector

    detector = load_detector("deepfake.residual")
    found = detector.score([scene(0)])
    assert found[0].score is not None


def test_the_card_states_held_out_figures_with_intervals():
    from guardrails.deepfake.residual import WEIGHTS

    _, card = read_weights(WEIGHTS)
    for kind in ("held_out_auc", "held_out_auc_of_kinds_not_trained_on"):
        for figure in card[kind].values():
            assert 0 <= figure["low"] <= figure["auc"] <= figure["high"] <= 1
    assert not set(card["data"]["fit"]) & set(card["data"]["test"])
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir() if path.name.startswith("residual")) < 200_000


def test_the_shipped_weights_were_trained_on_the_shipped_generator():
    from guardrails.deepfake.residual import WEIGHTS
    from guardrails.targets.reference import reference_subject

    generator = reference_subject("reference:gan-art", reference_items=1).target
    stale = "gan-art was trained anew: guardrails train detector deepfake.residual"
    assert read_weights(WEIGHTS)[1]["gan_sha256"] == generator.identity()["sha256"], stale
