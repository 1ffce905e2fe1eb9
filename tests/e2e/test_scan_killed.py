"""A killed and resumed scan gives the rows of an uninterrupted one; memory does not grow with the files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..assay import scan_plugin

pytestmark = pytest.mark.slow

PATIENCE = 120.0
MEASURED = """
import json, resource, sys
from pathlib import Path
from guardrails.assay.scan.run import run_scan
result, _ = run_scan([sys.argv[1]], detectors=["own.bright"], out=Path(sys.argv[2]), workers=2)
print(json.dumps([result.files, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(scan_plugin.install(tmp_path_factory.mktemp("plugin")))}


def started(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "guardrails", "scan", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_scan_goes_on_to_the_same_rows(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(240):
        (folder / f"{i:03d}.png").write_bytes(scan_plugin.picture(10 + i % 200, side=16 + i // 200))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = [str(folder), "--detectors", "own.slow", "--out"]
    one = started(environment, *arguments, str(whole))
    said = one.communicate(timeout=PATIENCE)
    assert one.returncode == 0, said
    rows = killed / "scan.jsonl"
    for kills, share in enumerate((0.02, 0.4, 0.7)):
        more = ["--resume"] if kills else []
        process = started(environment, *arguments, str(killed), *more)
        deadline = time.monotonic() + PATIENCE
        while not rows.exists() or rows.stat().st_size < share * (whole / "scan.jsonl").stat().st_size:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert rows.stat().st_size < (whole / "scan.jsonl").stat().st_size
    last = started(environment, "--resume", "--out", str(killed), "--format", "jsonl")
    out, err = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, err
    assert rows.read_bytes() == (whole / "scan.jsonl").read_bytes()
    assert out == rows.read_text()
    assert scan_plugin.summary(killed) == scan_plugin.summary(whole)


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path, environment: dict[str, str]) -> None:
    peaks = []
    for files in (1_000, 50_000):
        folder = tmp_path / f"{files}"
        for i in range(files):
            if i % 1000 == 0:
                here = folder / f"{i // 1000:03d}"
                here.mkdir(parents=True)
            (here / f"{i:06d}").write_bytes(b"%d" % i)
        (folder / "one.png").write_bytes(scan_plugin.picture(90))
        run = tmp_path / f"run-{files}"
        command = [sys.executable, "-c", MEASURED, str(folder), str(run)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        seen, peak = json.loads(done.stdout.splitlines()[-1])
        assert seen == files + 1
        peaks.append(peak)
    assert peaks[1] < 1.05 * peaks[0], peaks
