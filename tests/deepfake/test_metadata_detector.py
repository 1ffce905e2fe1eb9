"""The metadata baseline reads headers, and has no opinion without a file."""

import numpy as np
import pytest
from PIL import Image

from guardrails.deepfake.metadata import Metadata


def test_it_tells_formats_apart_and_needs_a_file(tmp_path):
    rng, files, labels = np.random.default_rng(0), [], []
    for i in range(24):
        pixels = Image.fromarray(rng.integers(0, 256, (64 + i, 80, 3), dtype=np.uint8))
        file = tmp_path / (f"{i}.png" if i % 2 else f"{i}.jpg")
        pixels.save(file)
        files.append(file)
        labels.append(i % 2)
    detector = Metadata().fit(files, labels)
    scores = np.array([row.score for row in detector.score(files)])
    assert scores[1::2].min() > scores[::2].max()
    row = detector.score([np.zeros((64, 64, 3), np.uint8)])[0]
    assert row.score is None
    assert row.verdict == "abstain"
    assert "no metadata" in row.reasons[0]


def test_pixels_are_not_decoded(tmp_path):
    """A file cut short after its header has the metadata of the whole one, but for its bytes."""
    file = tmp_path / "a.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:60])
    assert len(Metadata().described([file])["metadata"][0]) > 5


@pytest.mark.parametrize("suffix", ["png", "jpg", "avif", "ppm"])
def test_the_shipped_weights_score_files_of_every_format(tmp_path, suffix):
    file = tmp_path / f"a.{suffix}"
    try:
        Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(file)
    except (KeyError, OSError, ValueError):
        pytest.skip(f"this Pillow cannot write {suffix}")
    assert Metadata().score([file])[0].score is not None
