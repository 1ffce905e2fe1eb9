"""Vectors of pictures after a draw: kept by draw, read again without the encoder, and refused files say why."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrails.core.errors import ContentError
from guardrails.training.material import described_histories as described
from guardrails.training.material.corpora import Row
from guardrails.training.material.described_histories import PATCH_LAYERS, TOKEN_LAYERS, place_of, vectors


class Network:
    """197 tokens of 768 numbers a layer: the class token holds 1, patches their place."""

    def __init__(self):
        self.asked = 0

    def __call__(self, batch):
        self.asked += 1
        assert batch.shape == (1, 3, 224, 224)
        assert batch.dtype == np.float32
        patches = np.repeat(np.arange(196, dtype=np.float32)[:, None], 768, axis=1) / 196
        return [np.concatenate([np.full((1, 768), 1.0, np.float32), patches])[None] for _ in TOKEN_LAYERS]


@pytest.fixture
def network(tmp_path, monkeypatch):
    one = Network()
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(described, "_network", lambda: one)
    return one


def row(folder: Path, name="a.png"):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(folder / name)
    return Row(folder / name, 0, "photograph", "s", "g", True, "photograph")


def test_a_view_gives_the_class_token_and_pooled_patches_in_one_pass(network, tmp_path):
    blocks = vectors(row(tmp_path), "once")
    assert network.asked == 2
    assert {f"{view}/{layer}" for view in ("whole", "centre") for layer in TOKEN_LAYERS} <= set(blocks)
    for layer in PATCH_LAYERS:
        assert (blocks[f"whole/{layer}"] == 1).all()
        np.testing.assert_allclose(blocks[f"whole/{layer} mean"], np.arange(196).mean() / 196, rtol=1e-2)
        np.testing.assert_allclose(blocks[f"whole/{layer} deviation"], np.arange(196).std() / 196, rtol=1e-2)


def test_what_was_described_is_read_again_and_draws_are_apart(network, tmp_path):
    one = row(tmp_path)
    first, again, other = vectors(one, "once"), vectors(one, "once"), vectors(one, "again")
    assert network.asked == 4
    assert place_of(one, "once", 0) != place_of(one, "again", 0)
    for name, x in first.items():
        np.testing.assert_array_equal(x, again[name])
    assert not np.array_equal(first["spectrum"], other["spectrum"])


def test_untouched_counts_faces(network, tmp_path):
    assert vectors(row(tmp_path), "untouched")["faces"].tolist() == [0]


def test_a_file_that_is_no_picture_says_so(network, tmp_path):
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ContentError, match=r"b\.png"):
        vectors(Row(tmp_path / "b.png", 0, "photograph", "s", "g", True, "photograph"), "once")
