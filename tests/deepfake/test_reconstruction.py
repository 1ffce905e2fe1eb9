"""Reconstruction by the suspect: its distances against formulas written out, its verdicts on unseen seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import load_detector
from guardrails.core.statistics import delong
from guardrails.core.targets import Access, Modality
from guardrails.deepfake.images.reconstruction_errors import copies, errors, gradients, mirrored, ms_ssim, nearness
from guardrails.deepfake.reconstruction import Reconstruction
from guardrails.targets import load_target
from guardrails.targets.reconstruct import ddim_and_back

VAE = "reference:vae-medical"


def test_ms_ssim_is_the_papers_product():
    """Scales of 24 and 12 pixels: windows, means and products in loops."""
    rng = np.random.default_rng(0)
    x = rng.random((1, 24, 24, 3))
    y = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1)
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(taps, taps) / taps.sum() ** 2

    def smooth(a):
        padded = np.pad(a, 5, mode="symmetric")
        return np.array(
            [[(padded[r : r + 11, c : c + 11] * window).sum() for c in range(len(a))] for r in range(len(a))]
        )

    weights = np.array([0.0448, 0.2856]) / (0.0448 + 0.2856)
    product = 1.0
    for scale in range(2):
        values = []
        for channel in range(3):
            a, b = ([p[0, ..., channel] for p in (x, y)][i].reshape(24 // 2**scale, 2**scale, -1, 2**scale).mean((1, 3))
                    for i in (0, 1))  # fmt: skip
            ma, mb = smooth(a), smooth(b)
            va, vb, both = smooth(a * a) - ma**2, smooth(b * b) - mb**2, smooth(a * b) - ma * mb
            value = (2 * both + 0.03**2) / (va + vb + 0.03**2)
            if scale == 1:
                value = value * (2 * ma * mb + 0.01**2) / (ma**2 + mb**2 + 0.01**2)
            values.append(value.mean())
        product *= np.mean(values) ** weights[scale]
    assert ms_ssim(x, y)[0] == pytest.approx(product, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_errors_are_positive_least_for_the_same_and_do_not_depend_on_company(height, width, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, 2, height, width, 3))
    distances = errors(x, y)
    assert np.isfinite(distances).all()
    assert (distances > 0).all()
    assert (errors(x, x)[:, :2] <= distances[:, :2]).all()
    np.testing.assert_allclose(errors(x[:1], y[:1]), distances[:1])


def test_gradients_copies_nearness_and_mirrored():
    x = np.zeros((1, 2, 3, 3))
    x[0, 0, 1] = 1
    assert gradients(x)[0] == pytest.approx(1 / 3 + 2 / 4)
    flat = np.full((2, 4, 6, 3), 0.25)
    assert copies(flat).shape == (2, 6, 4, 3)
    np.testing.assert_allclose(copies(flat), 0.25)
    assert nearness(np.array([[1.0, 2.0, 9.0, 4.0, 8.0, -9.0]]))[0] == pytest.approx((3 + 6) / 2)
    assert mirrored("ab\ncde") == "ba\nedc"


def test_ddim_there_and_back_is_exact_where_noise_is_known():
    """Noise that is predicted alike at every step leads back to where it began; the last step takes its share off."""

    class Box:
        alpha_bar = np.linspace(0.9999, 1e-4, 1000)

        def predict_noise(self, x_t, t):
            return np.full_like(x_t, 0.3)

    x = np.random.default_rng(0).random((2, 5, 4, 3))
    want = (2 * x - 1 - 0.3 * np.sqrt(1 - 0.9999)) / np.sqrt(0.9999)
    np.testing.assert_allclose(ddim_and_back(Box(), x), (want.clip(-1, 1) + 1) / 2, atol=1e-9)


def pictures(n, seed):
    made, real = load_target(VAE), load_target("real:vae-medical")
    return [*made.sample_images(n, seed=seed), *real.sample_images(n, seed=seed)], [1] * n + [0] * n


class Own:
    """A target of one's own that gives back black and white."""

    name, modality, access = "mine", Modality.IMAGE, frozenset({Access.OUTPUTS})

    def identity(self):
        return {}

    def rebuild(self, x):
        return np.round(x)


def test_before_a_fit_it_has_a_score_and_no_verdict():
    black_and_white = np.random.default_rng(0).integers(0, 2, (30, 20, 3)).astype(np.uint8) * 255
    grey = np.full((30, 20, 3), 100, np.uint8)
    grey[::2] = 140
    rows = Reconstruction(Own()).score([black_and_white, grey])
    assert rows[0].score > rows[1].score
    assert all(row.probability is None and row.verdict == "abstain" and "not fitted" in row.reasons[0] for row in rows)
    with pytest.raises(ConfigurationError, match="fit it before"):
        Reconstruction(VAE).calibrate(*pictures(10, 0))


@pytest.mark.slow
def test_to_a_reference_generator_it_fits_itself():
    items, labels = pictures(30, 7)
    rows = load_detector(f"deepfake.reconstruction:{VAE}").score(items)
    assert all(row.probability is not None and row.calibration for row in rows)
    truth = np.array(labels) == 1
    scores = np.array([row.score for row in rows])
    assert delong(scores[truth], scores[~truth]).low > 0.8


@pytest.mark.slow
def test_fitted_it_tells_the_suspects_outputs_and_nothing_of_others():
    detector = Reconstruction(VAE).fit(*pictures(60, 1))
    items, labels = pictures(100, 2)
    rows = detector.score(items)
    scores, truth = np.array([row.score for row in rows]), np.array(labels) == 1
    assert delong(scores[truth], scores[~truth]).low > 0.9
    wrong = [row.verdict == "synthetic" and not made for row, made in zip(rows, truth, strict=True)]
    assert np.mean(wrong) <= 0.1
    assert all(row.calibration for row in rows if row.verdict != "abstain")
    others = [load_target(f"{kind}:gan-art").sample_images(40, seed=3) for kind in ("reference", "real")]
    said = [detector.score(list(some)) for some in others]
    assert {row.verdict for some in said for row in some} == {"abstain"}
    assert delong(*[[row.score for row in some] for some in said]).low < 0.5
    again = Reconstruction(VAE).fit(*pictures(60, 1)).calibrate(*pictures(60, 4)).score(items[:5])
    assert [row.score for row in again] == [row.score for row in rows[:5]]


@pytest.mark.slow
def test_levels_by_their_likelihood(tmp_path):
    detector = load_detector("deepfake.reconstruction:reference:pixel-levels")
    target = detector.suspect
    made, real = target.sample_texts(20, seed=1), target.generator.reference_items(20, seed=2)
    rows = detector.fit([*made, *real], [1] * 20 + [0] * 20).score([*made, *real])
    assert all(row.score is not None for row in rows)
    file = tmp_path / "level.txt"
    file.write_text(made[0] + "\n")
    assert detector.score([file])[0].score == pytest.approx(rows[0].score, abs=1e-6)
    file.write_bytes(b"\xff\xfe")
    bad = detector.score(["no level", file, np.zeros((4, 4, 3), np.uint8)])
    assert [row.score for row in bad] == [None] * 3
    assert [row.verdict for row in bad] == ["abstain"] * 3


def test_a_suspect_is_needed_and_has_to_offer_something():
    with pytest.raises(ConfigurationError, match="needs the suspect generator"):
        load_detector("deepfake.reconstruction")
    with pytest.raises(ConfigurationError, match="neither an autoencoder"):
        Reconstruction("real:gan-art")


def test_another_size_is_a_row_that_says_so():
    (row,) = Reconstruction(VAE).score([np.zeros((40, 64, 3), np.uint8)])
    assert row.score is None
    assert "makes pictures of 32 x 32, not 64 x 40" in row.reasons[0]
