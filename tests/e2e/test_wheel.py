"""A wheel that is built from a source distribution holds every file, and works in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGES = ("guardrails", "generators", "reports")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def built(source: Path, what: str, to: Path) -> Path:
    """Return what a build made; the tools of this environment are used, nothing is downloaded."""
    command = [sys.executable, "-c", BUILD, what, str(to)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return to / done.stdout.splitlines()[-1]


def tracked(repository: Path, *folders: str) -> set[str]:
    """Return the files of a checkout that belong to the project, tracked or new."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    return {name for name in listed.split("\0") if name and (repository / name).is_file()}


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    source = folder / "checkout"
    for name in tracked(repository, *PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, source / name)
    with tarfile.open(built(source, "build_sdist", folder)) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return built(unpacked, "build_wheel", folder)


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and finds the other packages where the tests find them."""
    home = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(home, with_pip=False)
    packages = home / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--python",
        str(home / "bin" / "python"),
    ]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    # A folder that a .pth file names is searched last, and .pth files in it, as of an editable install, are not read.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_the_wheel_holds_every_file_of_the_packages(repository: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == tracked(repository, *PACKAGES)


def test_it_works_where_nothing_else_of_the_project_is(environment: Path, tmp_path: Path) -> None:
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}

    def guardrails(*words: str) -> str:
        command = [str(environment / "bin" / "guardrails"), *words]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import guardrails, generators, reports; print(guardrails.__file__, generators.__file__, reports.__file__)"
    command = [str(environment / "bin" / "python"), "-c", where]
    places = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True).stdout
    assert all(place.startswith(str(environment)) for place in places.split())
    checked = ["--probes", "privacy.pii", "--probes", "quality.collapse"]
    result = json.loads(guardrails("audit", "--budget", "quick", "--out", "run", "--json", *checked))
    assert result["kind"] == "self-check"
    assert result["verdict"] == "pass"
    assert "<html" in (tmp_path / "run" / "report.html").read_text()
    assert guardrails("policy", "check", "default")
    assert "deepfake.fusion" in guardrails("list", "detectors")
