"""What cached outcomes and runs are bound to: every library that computes, our files, and plug-ins."""

from __future__ import annotations

import ast
import sys
from importlib import metadata
from pathlib import Path

import pytest

import guardrails
from guardrails.assay import sources

ROOT = Path(guardrails.__file__).parents[1]
MODULES = {  # the names of modules that differ from those of their distributions
    "PIL": "pillow",
    "cv2": "opencv-python",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "stdnum": "python-stdnum",
    "presidio_analyzer": "presidio-analyzer",
}


@pytest.fixture(autouse=True)
def _forget():
    cached = (
        sources.versions, sources.all_versions, sources.sources_sha256, sources.code_sha256, sources._opencv,
    )  # fmt: skip
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def imported_libraries() -> set[str]:
    """Return the top-level modules that our packages import anywhere and that are not of the standard library."""
    names: set[str] = set()
    for package in ("guardrails", "generators", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                    names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"guardrails", "generators", "reports", "__future__"}


def test_every_library_that_is_imported_is_hashed_with_its_version():
    known = {name.lower().replace("_", "-") for name in sources.all_versions()}
    wanted = {MODULES.get(name, name).lower().replace("_", "-") for name in imported_libraries()}
    assert wanted >= {"torch", "soundfile", "pandas", "safetensors", "pydivsufsort"}
    optional = {"presidio-analyzer", "spacy"}  # where they are not installed, what they require is not known either
    optional |= {"pytest"}  # imported by its plugin alone, which pytest loads
    assert (wanted | {"onnxruntime"}) - optional <= known


def test_what_the_libraries_require_themselves_is_hashed_too():
    assert {"tokenizers", "huggingface-hub", "joblib"} <= sources.all_versions().keys()
    assert not {"pytest", "ruff", "mypy"} & sources.all_versions().keys()


def test_another_version_of_any_library_is_another_hash(monkeypatch):
    before, version = sources.sources_sha256(), metadata.version
    for name in ("soundfile", "tokenizers"):
        _clear()
        monkeypatch.setattr(
            metadata, "version", lambda asked, name=name: "0.0.1" if asked.lower() == name else version(asked)
        )
        assert sources.sources_sha256() != before, name


def _clear():
    sources.all_versions.cache_clear()
    sources.sources_sha256.cache_clear()
    sources.code_sha256.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('opencv_version = "5.1.0"\ncontrib = False\nheadless = True\n', "5.1.0 headless"),
        ('opencv_version = "5.1.0"\ncontrib = False\nheadless = False\n', "5.1.0"),
    ],
)
def test_opencv_is_the_one_that_is_imported(tmp_path, monkeypatch, text, expected):
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2" / "__init__.py").write_text("")
    (tmp_path / "cv2" / "version.py").write_text(text)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert sources.versions()["opencv-python"] == expected


def test_a_plug_in_s_files_are_hashed(tmp_path, monkeypatch):
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[guardrails.probes]\nmine = mine_plugin:Mine\n")
    (tmp_path / "mine_plugin.py").write_text("raise SystemExit('never imported')\n")
    before = sources.sources_sha256()
    monkeypatch.syspath_prepend(tmp_path)
    _clear()
    with_plugin = sources.sources_sha256()
    (tmp_path / "mine_plugin.py").write_text("changed = True\n")
    _clear()
    assert len({before, with_plugin, sources.sources_sha256()}) == 3


def test_without_metadata_every_installed_distribution_counts(monkeypatch):
    monkeypatch.setattr(sources, "DISTRIBUTION", "no-such-distribution")
    assert {"torch", "soundfile"} <= {name.lower() for name in sources.all_versions()}
