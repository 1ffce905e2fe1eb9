"""How the weights of `deepfake.face` are made: what they may say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrails.deepfake.face import FaceManipulation, shipped
from guardrails.deepfake.images.fitted_head import Fitted, read
from guardrails.training import faces
from guardrails.training.material.photographs import COLUMNS


def test_trained_weights_give_no_verdict_on_a_face(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 12)
    blocks = {"network": rng.normal(0, 0.3, (24, 5)) + labels[:, None]}
    names = [f"person {i // 2}" for i in range(24)]
    places = np.zeros((12, 24, 24), np.float32)
    described = faces.Described(blocks, labels, names, ["portraits"] * 24, places, places > 1)

    def nothing(*given: Any, **more: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(faces, "portraits", lambda n, *, seed: [])
    monkeypatch.setattr(faces, "shipped_photographs", lambda names: [])
    monkeypatch.setattr(faces, "fit_net", lambda *given, **more: faces.FaceNet(faces.network(), (0.2, 0.1)))
    monkeypatch.setattr(faces, "describe", lambda *given, **more: described)
    monkeypatch.setattr(faces, "exam", nothing)
    monkeypatch.setattr(faces, "_listed", nothing)
    monkeypatch.delenv(faces.FOLDER, raising=False)
    faces.train_shipped(tmp_path, 0)
    head: Fitted = read(tmp_path, "face")[0][FaceManipulation.id]
    assert head.scope is not None
    assert head.scope == shipped().scope
    assert not head.scope.kinds


def test_photographs_of_several_folders_are_learnt_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders = []
    for source, licence in (("first", "MIT"), ("second", "CC0-1.0"), ("third", "unclear")):
        folder = tmp_path / source
        folder.mkdir()
        Image.fromarray(np.full((90, 90, 3), 128, np.uint8)).save(folder / "a.png")
        row = {"path": "a.png", "label": "real", "family": "photograph", "source": source, "licence": licence}
        lines = (",".join(COLUMNS), ",".join(row.get(name, "") for name in COLUMNS))
        (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
        folders.append(str(folder))
    monkeypatch.setenv(faces.FOLDER, os.pathsep.join(folders))
    assert [[base.source.split("/")[0] for base in part] for part in faces.fetched_photographs()] == [
        ["first"],
        ["second"],
    ]
