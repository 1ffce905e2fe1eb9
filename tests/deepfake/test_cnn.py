"""The residual network: its fixed layer, its pairs, its files; what ships is held to what its card states."""

import json

import numpy as np
import pytest
from scipy.signal import correlate2d

from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import load_detector
from guardrails.deepfake.images import residual_network as _cnn_net
from guardrails.training import residual_network


def picture(side=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def test_the_kernels_see_no_plane_and_the_largest_is_that_of_the_paper():
    kernels = _cnn_net.kernels()
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 0, atol=1e-6)
    for kernel in kernels[:2]:
        assert sorted(kernel[kernel != 0]) == [-1, 1]
    np.testing.assert_allclose(kernels[3], kernels[3][::-1, ::-1])
    np.testing.assert_allclose(kernels[3][2] * 12, [-2, 8, -12, 8, -2])


def test_the_first_layer_is_the_kernels_on_each_colour_truncated_softly():
    import torch

    net, image = _cnn_net.build(), picture()
    with torch.no_grad():
        responses = net[:2](_cnn_net.as_input(image[None]))[0].numpy()
    for channel in range(3):
        for k, kernel in enumerate(_cnn_net.kernels()):
            residual = correlate2d(image[..., channel].astype(float), kernel, mode="valid") / _cnn_net.TRUNCATION
            np.testing.assert_allclose(responses[4 * channel + k], residual / (1 + abs(residual)), atol=1e-4)


def test_it_is_small_and_tiles_do_not_depend_on_company():
    net = _cnn_net.build().eval()
    assert sum(p.numel() for p in net.parameters()) <= 100_000
    tiles = np.stack([picture(seed=i) for i in range(3)])
    together = _cnn_net.embedded(net, tiles)
    assert together.shape == (3, _cnn_net.DIMENSIONS)
    np.testing.assert_allclose(_cnn_net.embedded(net, tiles[1:2])[0], together[1], atol=1e-5)


def test_same_power_gives_every_ring_the_power_of_the_photograph():
    from scipy.ndimage import gaussian_filter

    real = picture(128)
    real = np.clip(gaussian_filter(real.astype(float), (1, 1, 0)), 60, 190).astype(np.uint8)
    made = gaussian_filter(real.astype(float), (0.5, 0.5, 0)).astype(np.uint8)
    ring = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)) * 128

    def power(image, low, high):
        return (abs(np.fft.rfft2(image.astype(float), axes=(0, 1))) ** 2)[(ring >= low) & (ring < high)].mean()

    matched = residual_network.same_power(made, real)
    for low, high in ((5, 20), (20, 40), (40, 60)):
        assert power(matched, low, high) == pytest.approx(power(real, low, high), rel=0.1)
    assert power(made, 40, 60) < 0.7 * power(real, 40, 60)


def test_pairs_are_the_same_cut_in_the_same_file_and_kinds_take_turns():
    photographs = [("a", picture(300, 1)), ("b", picture(400, 2))]
    makers = {"as it is": lambda cut: cut, "darker": lambda cut: cut // 2}
    pairs = residual_network.pairs(photographs, makers, 8, seed=0)
    assert [pair.source for pair in pairs] == ["a", "b"] * 4
    assert {(pair.source, pair.kind) for pair in pairs} == {(s, k) for s in "ab" for k in makers}
    assert all(pair.real.shape == pair.made.shape for pair in pairs)
    again = residual_network.pairs(photographs, makers, 8, seed=0)
    assert all((a.made == b.made).all() for a, b in zip(pairs, again, strict=True))


def test_a_photograph_smaller_than_a_cut_is_enlarged():
    cut = residual_network.cut(picture(100), 256, np.random.default_rng(0))
    assert cut.shape == (256, 256, 3)


def test_altered_or_missing_weights_are_one_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"train detector deepfake\.cnn"):
        _cnn_net.read(tmp_path / "absent")


def test_photographs_are_asked_for(monkeypatch):
    monkeypatch.delenv(residual_network.FOLDER, raising=False)
    with pytest.raises(ConfigurationError, match="fetch_photographs"):
        residual_network.gathered(0)


def test_what_ships_is_what_the_card_states_and_maps_its_evidence():
    from guardrails.deepfake.images.fitted_head import WEIGHTS
    from guardrails.kit.checksums import file_sha256

    card = json.loads((WEIGHTS / "cnn.json").read_text())
    assert card["network_sha256"] == file_sha256(WEIGHTS / "cnn-network.safetensors")
    detector = load_detector("deepfake.cnn")
    explanation = detector.explain(picture(160))
    assert explanation.score is not None
    assert explanation.heat_map.shape == (4, 4)
    assert np.isfinite(explanation.heat_map).all()
    assert detector.explain(picture(100)).heat_map is None
