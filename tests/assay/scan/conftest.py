"""A folder of pictures with its finished scan, by the detector of a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..scan_plugin import installed, picture
from .scanning import scanned


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(tmp_path_factory.mktemp("plugin")):
        yield


@pytest.fixture(scope="module")
def folder(plugin: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("scanned") / "in"
    (top / "deep").mkdir(parents=True)
    for i in range(6):
        (top / f"{i}.png").write_bytes(picture(30 * i + 10))
    (top / "deep" / "same.jpg").write_bytes(picture(10))
    (top / "deep" / "words.png").write_text("words")
    return top


@pytest.fixture(scope="module")
def finished(folder: Path) -> Path:
    """A run over the folder: copy it before changing it."""
    run = folder.parent / "finished"
    scanned(folder, run)
    return run
