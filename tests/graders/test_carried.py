"""Files of models that packages carry: read only where they are the known ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from guardrails.core.errors import MissingExtraError, TargetError
from guardrails.graders.carried import Carried


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Carried:
    folder = tmp_path / "carrier_of_the_test"
    (folder / "model").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('a package that is never imported')")
    (folder / "model" / "net.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    known = {"net.bin": hashlib.sha256(b"weights").hexdigest()}
    return Carried("carrier", "carrier_of_the_test", "model", known)


def test_the_known_files_are_read_and_the_package_is_not_imported(package: Carried) -> None:
    assert package.read() == {"net.bin": b"weights"}


def test_another_file_of_that_name_is_refused(package: Carried, tmp_path: Path) -> None:
    path = tmp_path / "carrier_of_the_test" / "model" / "net.bin"
    path.write_bytes(b"other weights")
    with pytest.raises(TargetError, match="is not the file of the version of carrier that is known here"):
        package.read()
    path.unlink()
    with pytest.raises(TargetError, match=r"carrier is installed, but .* is missing"):
        package.read()


def test_an_absent_package_is_named() -> None:
    with pytest.raises(MissingExtraError, match="make models"):
        Carried("nobody", "nobody_of_the_test", "model", {"x": "0"}).read()
