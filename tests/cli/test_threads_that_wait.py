"""Threads that wait give a busy machine's processors back, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = "from guardrails import cli; cli.run(['list', 'formats']); import torch"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other libraries of OpenMP say it otherwise")
@pytest.mark.parametrize(("given", "spins"), [({}, False), ({"OMP_WAIT_POLICY": "active"}, True)])
def test_openmp_is_told_before_it_is_loaded(given: dict[str, str], spins: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "verbose", **given}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert "GOMP_SPINCOUNT = " in done.stderr
    assert ("GOMP_SPINCOUNT = '0'" not in done.stderr) is spins
