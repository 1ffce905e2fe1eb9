"""`guardrails generate` on a disk that fills at the last bytes of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails import cli

resource = pytest.importorskip("resource")  # not on Windows


@pytest.mark.parametrize("missing", [1, 500, 3000])
@pytest.mark.parametrize("name", ["voice", "faceswap,output=video", "tabular", "vae-medical"])
def test_a_file_that_is_not_whole_is_said(
    name: str, missing: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["generate", name, "-n", "60" if name == "tabular" else "1", "--out", str(tmp_path / "whole")]) == 0
    largest = max(file.stat().st_size for file in (tmp_path / "whole").iterdir())
    if largest <= missing:
        pytest.skip("the file is smaller")
    capsys.readouterr()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - missing, limits[1]))
    try:
        code = cli.run(["generate", name, "-n", "60" if name == "tabular" else "1", "--out", str(tmp_path / "cut")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    errors = capsys.readouterr().err
    assert code == 5
    assert "is not complete: free some space" in errors
    assert "defect" not in errors
