"""Which pictures stand together, and which are set apart."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardrails.core.errors import ConfigurationError
from guardrails.training.material import corpora
from guardrails.training.material.corpora import Row, rows_of, set_apart


def corpus(folder, rows):
    with_source = [(path, label, family, source, licence) for path, label, family, source, licence in rows]
    for i, (path, *_) in enumerate(with_source):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), i % 256, dtype=np.uint8)).save(folder / path)
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "family", "source", "licence"])
        writer.writerows(with_source)
    return folder


def test_models_of_one_descent_are_one_group_and_repositories_of_one_owner(tmp_path):
    rows = rows_of([corpus(tmp_path, [
        ("g/a.png", "generated", "sd15-lora", "x/y", "MIT"), ("g/b.png", "generated", "latent-diffusion", "z", "MIT"),
        ("g/c.png", "generated", "flux", "x/y", "MIT"), ("r/a.png", "real", "photograph", "Owner/one:a", "MIT"),
        ("r/b.png", "real", "photograph", "owner/two", "unclear"), ("p/c.png", "real", "art", "PyPI package p", "MIT"),
        ("f/d.png", "manipulated", "simswap", "s/t", "MIT"),
    ])])  # fmt: skip
    by_name = {row.path.name + row.path.parent.name: row for row in rows}
    assert [by_name[n].group for n in ("a.pngg", "b.pngg", "c.pngg")] == [
        "latent-diffusion",
        "latent-diffusion",
        "flux",
    ]
    assert [by_name[n].group for n in ("a.pngr", "b.pngr", "c.pngp")] == ["owner", "owner", "p"]
    assert [by_name[n].kind for n in ("c.pngg", "a.pngr", "c.pngp", "d.pngf")] == [
        "generated",
        "photograph",
        "art",
        "swap",
    ]
    assert [by_name[n].learnt for n in ("a.pngr", "b.pngr")] == [True, False]


def test_the_same_bytes_count_once(tmp_path):
    corpus(tmp_path, [("r/a.png", "real", "photograph", "o/r", "MIT")])
    twice = tmp_path / "twice"
    twice.mkdir()
    corpus(twice, [("r/b.png", "real", "photograph", "p/r", "MIT")])
    assert len(rows_of([tmp_path, twice])) == 1


def test_a_source_has_at_most_so_many(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "MOST", 3)
    files = [(f"r/{i}.png", "real", "photograph", "o/r", "MIT") for i in range(5)]
    assert len(rows_of([corpus(tmp_path, [*files, ("s/9.png", "real", "photograph", "p/r", "MIT")])])) == 4


def row(group, label=0):
    return Row(Path(f"{group}.png"), label, "f", "s", group, True, "photograph")


def test_a_third_of_the_groups_is_set_apart_whole_whatever_the_order():
    rows = [row(f"owner {i}") for i in range(30) for _ in range(1 + i % 2)] + [row(f"made {i}", 1) for i in range(9)]
    marked = {(r.label, r.group) for r in set_apart(rows) if r.apart}
    assert Counter(label for label, _ in marked) == {0: 10, 1: 3}
    assert marked == {(r.label, r.group) for r in set_apart(rows[::-1]) if r.apart}
    assert not marked & {(r.label, r.group) for r in set_apart(rows) if not r.apart}


def test_large_and_small_groups_are_set_apart_separately():
    rows = [row(f"large {i}") for i in range(3) for _ in range(20)] + [row(f"small {i}") for i in range(3)]
    assert sorted(Counter(r.group.split()[0] for r in set_apart(rows) if r.apart).values()) == [1, 20]


def test_a_manifest_without_a_licence_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,label,family,source\n")
    with pytest.raises(ConfigurationError, match="licence"):
        rows_of([tmp_path])
