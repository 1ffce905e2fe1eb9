"""The folder of an audit that was cut off, and that of a finished scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay import resume
from guardrails.assay.audit import orchestrator as audit
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.scan.run import run_scan

from . import fakes
from .scan_plugin import installed, picture


class CutError(Exception):
    """Ends a run at a batch of the test's choice."""


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a run with 55 of its 100 batches."""
    fakes.install(monkeypatch)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    for module in (audit, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")

    def cut(step: Any) -> None:
        if step.done == 55:
            raise CutError

    with pytest.raises(CutError):
        run_audit(fakes.FakeTarget(0.3), out=tmp_path / "run", progress=cut)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def finished_scan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a finished scan of eight pictures."""
    with installed(tmp_path_factory.mktemp("plugin")):
        top = tmp_path_factory.mktemp("scanned")
        (top / "in").mkdir()
        for i in range(8):
            (top / "in" / f"{i}.png").write_bytes(picture(30 * i + 10))
        run = top / "run"
        run_scan([str(top / "in")], detectors=["own.bright"], out=run, workers=1)
        yield run
