"""What the controls of all probes are shown."""

from __future__ import annotations

from guardrails.assay.audit.controls import control_subject
from guardrails.core.registry import load_probe, probes


def test_no_source_is_made_twice_in_a_process() -> None:
    sources = {control.source for name in probes() for control in load_probe(name).controls}
    assert control_subject.cache_parameters()["maxsize"] >= len(sources)
