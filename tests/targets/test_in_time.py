"""The limit of a stranger's model is on what it computes, not on how busy the machine is."""

from __future__ import annotations

import time

import pytest

from guardrails.targets.model_files import errors
from guardrails.targets.model_files.errors import in_time


def test_a_call_that_waits_for_a_processor_is_waited_for() -> None:
    assert in_time(lambda: time.sleep(0.4) or "done", 0.1) == "done"


def test_a_call_that_computes_for_longer_is_stopped() -> None:
    ended = []

    def endless() -> None:
        try:
            while True:
                pass
        finally:
            ended.append(True)

    with pytest.raises(TimeoutError):
        in_time(endless, 0.1)
    deadline = time.monotonic() + 60
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended


def test_a_call_that_only_waits_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "BUSY", 2)
    with pytest.raises(TimeoutError):
        in_time(lambda: time.sleep(5), 0.1)


def test_what_a_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 / 0, 10.0)
