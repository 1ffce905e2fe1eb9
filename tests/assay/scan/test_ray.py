"""What the engine ``ray`` of a scan refuses before it begins; a cluster is in `e2e`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from guardrails.assay.scan.ray import Examiner, _actors
from guardrails.core.errors import ConfigurationError


@pytest.mark.parametrize("connected", [False, True])
def test_a_client_is_refused(connected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "" if connected else "ray://127.0.0.1:10001")
    client = SimpleNamespace(ray=SimpleNamespace(is_connected=lambda: True))
    ray = SimpleNamespace(is_initialized=lambda: connected, util=SimpleNamespace(client=client))
    with pytest.raises(ConfigurationError, match="a scan needs a cluster of which this machine is a node"):
        _actors(ray)


def test_a_node_without_the_current_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no folder .*gone \(No such file or directory\)"):
        Examiner([], str(tmp_path / "gone"))
