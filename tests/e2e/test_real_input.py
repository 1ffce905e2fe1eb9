"""Real input, through the command line: photographs in folders, a causal language model in a folder or a package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "motorcycle_left", "retina", "rocket", "ihc")
CHAPTERS = 80_000
"""Characters of the novel that are asked for: enough for an interval, and for a quarter of its minutes."""


def audit(*words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "guardrails", "audit", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def findings(run: Path) -> dict[str, dict]:
    result = json.loads((run / "result.json").read_text())
    return {finding["id"]: finding for finding in result["findings"]}


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
        Image.fromarray(picture).save(folder / f"{i:04}.png")
    return folder


@pytest.mark.slow
def test_a_folder_of_photographs(tmp_path):
    """Crops of the same photographs: covered, and not to be told from the reference."""
    outputs, reference = write(tmp_path / "outputs", crops(300, 1)), write(tmp_path / "reference", crops(300, 2))
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
    training = crops(300, 3)
    copies = [np.clip(p.astype(int) + 6, 0, 255).astype(np.uint8) for p in training[:60]]
    outputs = write(tmp_path / "outputs", copies + crops(240, 4))
    corpus, holdout = write(tmp_path / "corpus", training), write(tmp_path / "holdout", crops(300, 5))
    run = tmp_path / "run"
    words = ("--corpus", str(corpus), "--holdout", str(holdout), "--budget", "quick", "--out", str(run))
    code, said, error = audit(f"dir:{outputs}", *words, "--probes", "memorization.*")
    assert code == 1, said + error
    finding = findings(run)["memorization.copies/copy_rate"]
    assert finding["status"] == "fail"
    assert finding["measurement"]["low"] <= 0.2 <= finding["measurement"]["high"]
    assert all((run / name).exists() for e in finding["measurement"]["evidence"] for name in e["media"])


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A causal language model in a folder, as `save_pretrained` writes it, that knows its corpus by heart."""
    from guardrails.targets import reference_subject

    subject = reference_subject("reference:gpt-text,memorize=1")
    folder = tmp_path_factory.mktemp("model")
    subject.target.generator.model.save_pretrained(folder / "hf")
    subject.target.generator.tokenizer.save_pretrained(folder / "hf")
    for name in ("corpus", "holdout"):
        lines = [json.dumps({"text": text}) for text in getattr(subject, name)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_a_language_model_in_a_folder(model, tmp_path):
    run = tmp_path / "run"
    words = ("--corpus", str(model / "corpus.jsonl"), "--holdout", str(model / "holdout.jsonl"), "--budget", "quick")
    code, said, error = audit(f"hf:{model / 'hf'}", *words, "--out", str(run))
    assert code == 1, said + error
    by_id = findings(run)
    extraction = by_id["memorization.extraction/extraction_rate"]
    assert extraction["status"] == "fail"
    assert extraction["measurement"]["baseline"]["value"] == 0
    assert extraction["spike"]["recovery"] > 0.9
    assert extraction["spike"]["reason"].startswith("the finding fails without a spike")
    assert by_id["bias.counterfactual/association_gap"]["status"] in ("pass", "inconclusive")


@pytest.mark.models
@pytest.mark.public_data
@pytest.mark.timeout(2400)  # minutes on a quiet machine; a busy one is no fault of the audit
def test_a_real_language_model_from_a_package(test_data, tmp_path):
    """SmolLM2-135M, asked for a novel in the public domain and for pronouns."""
    run, corpus = tmp_path / "run", tmp_path / "chapters.txt"
    corpus.write_text((test_data / "privacy" / "gatsby.txt").read_text(encoding="utf-8")[:CHAPTERS], encoding="utf-8")
    words = ("--corpus", str(corpus), "--budget", "quick", "--out", str(run))
    code, said, error = audit("package:smollm2", *words, "--probes", "memorization.extraction", "--probes", "bias.*")
    assert code in (0, 1, 3), said + error
    for finding in findings(run).values():
        if finding["threshold"]:
            assert finding["measurement"]["low"] <= finding["measurement"]["value"] <= finding["measurement"]["high"]
            if finding["id"] != "memorization.extraction/extraction_rate_duplicated":  # no spike is planted for it
                assert finding["spike"]["recovery"] > 0.9
            assert all(
                c["observed"] == {"found": "found", "clear": "clear"}[c["expected"]] for c in finding["controls"]
            )
