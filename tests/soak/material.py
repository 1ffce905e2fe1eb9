"""Small inputs for audits, scans and indices: made from a seed, the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

from guardrails.kit.io import encode_png


def prose(n: int, name: str) -> list[str]:
    """Return texts of random words, each with an address."""
    rng = Random(name)
    words = [f"word{i}" for i in range(400)]
    return [
        " ".join(rng.choices(words, k=60)) + f" mail u{rng.randrange(10**6)}@example.org now "
        + " ".join(rng.choices(words, k=30))
        for _ in range(n)
    ]  # fmt: skip


def write_texts(path: Path, texts: list[str]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def write_pictures(folder: Path, n: int, seed: int) -> Path:
    """Write PNG files of coloured squares."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(n):
        squares = np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((12, 12, 1)))
        (folder / f"{i:03d}.png").write_bytes(encode_png(squares.astype(np.uint8)))
    return folder


def write_people(path: Path, n: int, seed: int) -> Path:
    """Write a table of people."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    people = pd.DataFrame(
        {
            "age": age,
            "income": np.round(rng.normal(30_000 + 100 * age, 9_000, n)),
            "city": rng.choice(["Ulm", "Bonn", "Jena", "Gera"], n),
            "married": rng.random(n) < 0.4,
        }
    )
    people.to_csv(path, index=False)
    return path


def write_all(folder: Path) -> Path:
    """Write corpus, holdout and outputs of texts, pictures and a table; a fifth of the outputs are copies."""
    folder.mkdir()
    corpus, holdout = prose(120, "corpus"), prose(120, "holdout")
    write_texts(folder / "corpus.jsonl", corpus)
    write_texts(folder / "holdout.jsonl", holdout)
    write_texts(folder / "outputs.jsonl", prose(100, "outputs") + corpus[:20])
    write_texts(folder / "clean.jsonl", prose(120, "clean"))
    for number in range(8):
        write_texts(folder / f"large-{number}.jsonl", prose(300, f"large{number}"))
    for seed, name in enumerate(("corpus", "holdout", "outputs")):
        write_pictures(folder / name, 40, seed)
        write_people(folder / f"{name}.csv", 200, seed)
    for i in range(10):
        (folder / "outputs" / f"copy-{i}.png").write_bytes((folder / "corpus" / f"{i:03d}.png").read_bytes())
    return folder
