"""How the weights of `deepfake.video` are made: what they may say, and how a video is written larger or smaller."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrails.deepfake.images.fitted_head import read
from guardrails.deepfake.videos.model import NAME, STEM, Labelled, described, shipped
from guardrails.deepfake.videos.temporal_traces import WIDTHS
from guardrails.deepfake.videos.tracks import Place, Track
from guardrails.kit.video import read_video
from guardrails.training import videos


def test_trained_weights_give_no_verdict_on_footage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def labelled(setting: str, n: int, *, seed: int, whole: bool) -> Iterator[Labelled]:
        rng = np.random.default_rng(seed % 1000)
        for person in range(6):
            for forged in (False, True):
                rows = rng.normal(forged, 0.3, (11, sum(WIDTHS.values()))).astype(np.float32)
                track = Track([t / 12 for t in range(12)], [Place(50, 50, 40)] * 12, list(rows), seen=2)
                yield Labelled(described(track), np.full(12, forged), f"{setting}/{whole}/{person}")

    def nothing(*given: Any, **more: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(videos, "labelled", labelled)
    monkeypatch.setattr(videos, "judged", lambda *given, **more: [])
    monkeypatch.setattr(videos, "summary", nothing)
    monkeypatch.setattr(videos, "encoded_otherwise", nothing)
    videos.train_shipped(tmp_path, 0)
    heads, _ = read(tmp_path, STEM)
    assert heads[NAME].scope is not None
    assert heads[NAME].scope == shipped().fitted.scope
    assert not heads[NAME].scope.kinds


@pytest.mark.parametrize("scale", [0.5, 0.75, 1, 1.5, 2])
def test_a_video_is_written_at_a_scale(tmp_path: Path, scale: float) -> None:
    frames = np.zeros((3, 48, 64, 3), np.uint8)
    frames[:, :, 32:] = 200
    path = videos.Encoder(scale=scale).write(frames, tmp_path, "clip", 12.0)
    shots = list(read_video(path))
    assert [shot.shape for shot in shots] == [(round(48 * scale), round(64 * scale), 3)] * 3
    assert shots[0][:, : round(24 * scale)].max() < 20
    assert shots[0][:, -round(24 * scale) :].min() > 180
