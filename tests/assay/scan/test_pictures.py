"""What a gallery shows beside a thumbnail."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage.data import chelsea

from guardrails.assay.scan import pictures as scan_pictures
from guardrails.assay.scan.pictures import NOTHING, pictures_of
from guardrails.core.detector import Detection
from guardrails.core.statistics import auc
from guardrails.core.targets import Modality


class Bright:
    """A detector with a map, or one that breaks."""

    def __init__(self, heat: Any) -> None:
        self.heat = heat

    def open(self, path: Path) -> Any:
        return path

    def explain(self, item: Any) -> Detection:
        if self.heat is None:
            raise RuntimeError("broken")
        return Detection("x", 1.0, heat_map=self.heat)


def opened(text: str) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), dtype=np.float64)


@pytest.fixture
def spliced(tmp_path: Path) -> Path:
    """A photograph saved at 92 with a square in it that was saved at 60."""
    photograph = Pillow.fromarray(chelsea()[:288, 80:368])
    buffer = io.BytesIO()
    photograph.save(buffer, "JPEG", quality=60)
    box = (144, 144, 216, 216)
    photograph.paste(Pillow.open(buffer).crop(box), box)
    photograph.save(tmp_path / "a.jpg", quality=92)
    photograph.save(tmp_path / "a.png")
    return tmp_path


def test_a_part_saved_at_another_quality_is_brighter(spliced: Path) -> None:
    detector: Any = Bright(np.ones((4, 4), np.float32))
    shown = pictures_of(spliced / "a.jpg", Modality.IMAGE, detector)
    ghosts, side = opened(shown["ghosts"])[..., 0], scan_pictures.SIDE
    assert ghosts.shape == (side, side)
    inside = np.zeros((side, side), dtype=bool)
    inside[side // 2 : side * 3 // 4, side // 2 : side * 3 // 4] = True
    assert auc(ghosts[inside], ghosts[~inside]) > 0.8
    assert opened(shown["error_levels"]).max() > 200
    assert opened(shown["heat"]).shape == opened(shown["thumbnail"]).shape


def test_only_a_jpeg_of_bounded_size_has_them(spliced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector: Any = Bright(np.ones((4, 4), np.float32))
    assert pictures_of(spliced / "a.png", Modality.IMAGE, detector)["ghosts"] is None
    monkeypatch.setattr(scan_pictures, "MOST", 288 * 288 - 1)
    shown = pictures_of(spliced / "a.jpg", Modality.IMAGE, detector)
    assert (shown["ghosts"], shown["error_levels"]) == (None, None)
    assert shown["heat"] is not None


def test_what_cannot_be_shown_is_left_out(spliced: Path) -> None:
    detector: Any = Bright(None)
    shown = pictures_of(spliced / "a.jpg", Modality.IMAGE, detector)
    assert shown["heat"] is None
    assert shown["thumbnail"] is not None
    alone = pictures_of(spliced / "a.jpg", Modality.IMAGE, None)
    assert [name for name, image in alone.items() if image] == ["thumbnail"]
    (spliced / "b.jpg").write_bytes(b"\xff\xd8\xff")
    assert pictures_of(spliced / "b.jpg", Modality.IMAGE, detector) == NOTHING
    assert pictures_of(spliced / "a.jpg", Modality.TEXT, detector) == NOTHING
