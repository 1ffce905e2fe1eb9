"""Real pictures, through the command line: photographs in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .audit_command import audit, findings

N = 150
"""Pictures in a folder: enough for each verdict, and a third of the time that 300 take."""
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "motorcycle_left", "retina", "rocket", "ihc")


def crops(n: int, seed: int) -> list[np.ndarray]:
    """Return crops of scikit-image's photographs: a quarter to a half of each side, anywhere."""
    from skimage import data, io

    folder = Path(data.__file__).parent
    photographs = [io.imread(next(folder.glob(f"{name}.*")))[..., :3] for name in PHOTOGRAPHS]
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        photograph = photographs[i % len(photographs)]
        side = int(min(photograph.shape[:2]) * rng.uniform(0.25, 0.5))
        y, x = (rng.integers(0, edge - side) for edge in photograph.shape[:2])
        out.append(photograph[y : y + side, x : x + side])
    return out


def write(folder: Path, pictures: list[np.ndarray]) -> Path:
    from PIL import Image

    folder.mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i:04}.png", compress_level=1)
    return folder


@pytest.mark.slow
def test_a_folder_of_photographs(tmp_path):
    """Crops of the same photographs: covered, and not to be told from the reference."""
    outputs, reference = write(tmp_path / "outputs", crops(N, 1)), write(tmp_path / "reference", crops(N, 2))
    run = tmp_path / "run"
    code, said, error = audit(f"dir:{outputs}", "--reference", str(reference), "--budget", "quick", "--out", str(run))
    assert code == 3, said + error  # memorization.copies is required and was given no corpus
    by_id = findings(run)
    assert by_id["quality.collapse/coverage_loss"]["status"] == "pass"
    assert by_id["deepfake.detectability/detectability_auc"]["status"] == "fail"  # they are real
    assert by_id["memorization.copies/copy_rate"]["status"] == "not-assessed"
    assert "--corpus" in by_id["memorization.copies/copy_rate"]["reason"]
    assert by_id["privacy.pii/pii_leak_rate"]["status"] == "not-applicable"
    assert (run / "report.html").exists()


@pytest.mark.slow
def test_a_folder_that_holds_copies_of_its_training_pictures(tmp_path):
    training = crops(N, 3)
    copies = [np.clip(p.astype(int) + 6, 0, 255).astype(np.uint8) for p in training[: N // 5]]
    outputs = write(tmp_path / "outputs", copies + crops(N - N // 5, 4))
    corpus, holdout = write(tmp_path / "corpus", training), write(tmp_path / "holdout", crops(N, 5))
    run = tmp_path / "run"
    words = ("--corpus", str(corpus), "--holdout", str(holdout), "--budget", "quick", "--out", str(run))
    code, said, error = audit(f"dir:{outputs}", *words, "--probes", "memorization.copies")
    assert code == 1, said + error
    finding = findings(run)["memorization.copies/copy_rate"]
    assert finding["status"] == "fail"
    assert finding["measurement"]["low"] <= 0.2 <= finding["measurement"]["high"]
    assert all((run / name).exists() for e in finding["measurement"]["evidence"] for name in e["media"])
