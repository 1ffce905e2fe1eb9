"""Waivers of a run that is resumed: the file is read again, and one that expired meanwhile is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrails.assay import resume
from guardrails.assay.audit import orchestrator
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.core.errors import ConfigurationError

from .. import fakes

ROW = '[[waiver]]\nprobe = "fake.yes"\nmetric = "yes_rate"\ntarget = "python object: FakeTarget"\nowner = "Ada"\n'


class CutError(Exception):
    """Ends a run."""


def test_a_waiver_that_expired_is_refused_and_one_renewed_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fakes.install(monkeypatch)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    for module in (orchestrator, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")
    waivers, target = tmp_path / "waivers.toml", fakes.FakeTarget(1.0)
    waivers.write_text(f'{ROW}reason = "as planted here"\nexpires = 2999-01-01\n')

    def cut(step: Any) -> None:
        if step.done == 55:
            raise CutError

    with pytest.raises(CutError):
        run_audit(target, waivers=waivers, out=tmp_path / "run", progress=cut)
    waivers.write_text(f'{ROW}reason = "as planted here"\nexpires = 1999-01-01\n')
    with pytest.raises(ConfigurationError, match="waivers") as error:
        run_audit(target, resume=tmp_path / "run")
    assert "expired on 1999-01-01" in error.value.lines[1]
    waivers.write_text(f'{ROW}reason = "as planted here"\nexpires = 2999-06-01\n')
    result, _ = run_audit(target, resume=tmp_path / "run")
    finding = next(f for f in result.findings if f.id == "fake.yes/yes_rate")
    assert finding.waiver is not None
    assert (finding.outcome, finding.waiver.expires) == ("waived", "2999-06-01")
