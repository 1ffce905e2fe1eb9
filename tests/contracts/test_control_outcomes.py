"""The outcomes of controls that ship are of these sources, or they would be shown anew at every first scan."""

import pytest

from guardrails.assay.scan import shipped_outcomes
from guardrails.assay.scan.run import DEFAULT


@pytest.mark.parametrize("name", DEFAULT)
def test_the_outcome_that_ships_is_of_these_sources_and_weights(name: str) -> None:
    stated = shipped_outcomes._stated()[name]
    if stated["versions"] != shipped_outcomes.versions(name):
        pytest.skip("made with other versions of the libraries: here the control runs")
    assert stated["key"] == shipped_outcomes.key_of(name), "stale: run python scripts/write_control_outcomes.py"


@pytest.mark.parametrize("name", DEFAULT)
def test_an_outcome_says_what_it_was_measured_on(name: str) -> None:
    outcome = shipped_outcomes._stated()[name]["outcome"]
    # deepfake.spectro does not tell neural voices from a recording: its rows abstain and say so.
    assert outcome["behaved"] == (name != "deepfake.spectro")
    assert outcome["behaved"] or "does not tell" in outcome["reason"]
    assert min(outcome["n"]) >= 10
    assert "against" in outcome["measured_on"]
