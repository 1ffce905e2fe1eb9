"""A server with faults, and a probe that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.assay import resume
from guardrails.assay.audit import orchestrator as audit
from guardrails.targets.endpoint import Patience

from ...targets.endpoint import fault_server
from ...targets.endpoint.fault_server import say
from .. import fakes
from .asking import KEY, Asks


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes.install(monkeypatch)
    from guardrails.assay.audit import plan
    from guardrails.assay.policy import policy
    from guardrails.core import registry
    from guardrails.targets.endpoint import options

    for module in (registry, plan, policy):
        monkeypatch.setattr(module, "probes", lambda: {Asks.id: Asks})
    for module in (audit, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")
    patience = Patience(connect=5, read=5, total=10, attempts=2, first_wait=0.001)
    monkeypatch.setattr(options.EndpointOptions, "patience", patience)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[fault_server.Server]:
    with fault_server.running() as running:
        running.always = say("no")
        yield running
