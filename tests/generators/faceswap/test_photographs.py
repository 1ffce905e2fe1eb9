"""`faceswap` on the user's photographs in place of portraits."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.faceswap import truth as faceswap_truth
from generators.faceswap.model import FRAMES, FaceSwap
from guardrails.core.errors import ConfigurationError


@cache
def shipped(**given: Any) -> FaceSwap:
    return FaceSwap.load(**given)


def photographs(folder: Path) -> Path:
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(folder / "astronaut.png")
    Image.fromarray(np.ascontiguousarray(astronaut()[:, ::-1])).save(folder / "mirrored.png")
    return folder


def test_photographs_take_the_place_of_portraits(tmp_path: Path) -> None:
    folder = photographs(tmp_path)
    for method in ("self-blend", "poisson"):
        untouched = shipped(method=method).with_faces(folder).items(2, seed=1)
        forged = shipped(method=method, forgery=1.0).with_faces(folder).items(2, seed=1)
        for item, other in zip(untouched, forged, strict=True):
            assert item.content.shape == (256, 256, 3)
            assert item.facts["identity"] in ("astronaut.png", "mirrored.png")
            assert item.facts["label"] == "real"
            assert other.facts["label"] == "forged"
            assert other.mask is not None
            assert 0.05 < (other.mask > 0).mean() < 0.5
            assert np.array_equal(item.content[other.mask == 0], other.content[other.mask == 0])
    video = shipped(method="self-blend", output="video", flicker=1.0).with_faces(folder).items(1, seed=1)[0]
    assert video.content.shape == (FRAMES, 256, 256, 3)
    assert video.facts["frames"]


def test_what_photographs_cannot_do_is_said(tmp_path: Path) -> None:
    from PIL import Image

    with pytest.raises(ConfigurationError, match="self-blend"):
        shipped().with_faces(tmp_path)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(ConfigurationError, match="1 pictures read"):
        shipped(method="poisson").with_faces(tmp_path)
    alone = photographs(tmp_path)
    (alone / "mirrored.png").unlink()
    with pytest.raises(ConfigurationError, match="two"):
        shipped(method="poisson", forgery=1.0).with_faces(alone).sample(1, seed=0)


@pytest.mark.public_data
def test_real_photographs_are_forged_within_their_masks(test_data: Path, tmp_path: Path) -> None:
    from guardrails.kit.io import read_image, resize

    paths = sorted((test_data / "media" / "real" / "faceswap-warp").glob("*.jpg"))[:5]
    for path in paths:
        image = read_image(path)
        scale = 400 / max(image.shape[:2])
        small = resize(image, (round(image.shape[0] * scale), round(image.shape[1] * scale)))
        (tmp_path / f"{path.stem}.png").write_bytes(_png(small))
    model = shipped(method="poisson", forgery=0.25).with_faces(tmp_path)
    untouched = shipped(method="poisson").with_faces(tmp_path).sample(3, seed=0)
    for item, before in zip(model.items(3, seed=0), untouched, strict=True):
        assert item.facts["donor"] != item.facts["identity"]
        assert item.mask is not None
        assert np.array_equal(item.content[item.mask == 0], before[item.mask == 0])
        assert 2 < faceswap_truth.change(item.content, before, item.mask) < 80


def _png(image: Any) -> bytes:
    from guardrails.kit.io import encode_png

    return encode_png(image)
