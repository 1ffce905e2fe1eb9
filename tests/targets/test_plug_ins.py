"""Targets of other distributions: loaded by the name of their entry point, and their errors are their own."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from guardrails import targets
from guardrails.core.errors import TargetError

from ..assay.fakes import FakeTarget


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the targets own: and gone:, of which the latter's module does not exist."""
    module = SimpleNamespace(load=lambda text: FakeTarget(float(text)))
    monkeypatch.setitem(sys.modules, "own_targets", module)
    points = [
        EntryPoint("own", "own_targets:load", "guardrails.targets"),
        EntryPoint("gone", "targets_that_are_gone:load", "guardrails.targets"),
    ]
    monkeypatch.setattr(targets, "entry_points", lambda group: points if group == "guardrails.targets" else [])


def test_a_plug_in_takes_what_stands_behind_the_colon() -> None:
    assert targets.load_target("own:0.5").name == FakeTarget(0.5).name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("own:half", r"the plug-in own \(own_targets:load\) does not load the target \(ValueError: could not convert"),
        ("gone:1", r"the plug-in gone \(.*\) does not load the target \(ModuleNotFoundError: No module named"),
    ],
)
def test_what_a_plug_in_raises_is_an_error_of_the_target(name: str, why: str) -> None:
    with pytest.raises(TargetError, match=why):
        targets.load_target(name)
