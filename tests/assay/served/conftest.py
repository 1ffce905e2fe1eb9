"""A server with faults, and a probe that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.targets.endpoint import EndpointOptions, Patience

from ...targets.endpoint import fault_server
from ...targets.endpoint.fault_server import say
from .. import fakes
from .asking import KEY, Asks


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes.install_one(monkeypatch, Asks, tmp_path)
    patience = Patience(connect=5, read=5, total=10, attempts=2, first_wait=0.001)
    monkeypatch.setattr(EndpointOptions, "patience", patience)
    monkeypatch.setenv("MY_KEY", KEY)


@pytest.fixture
def server() -> Iterator[fault_server.Server]:
    with fault_server.running() as running:
        running.always = say("no")
        yield running
