import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.assay.policy import frameworks, judge, load_policy, policy_names
from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import probes
from guardrails.core.results import Measurement, Status, Threshold

LIMIT = Threshold(metric="rate", limit=0.1, origin="a test's own choice")


def measurement(value, low, high, *, worse=True, errors=0, n=100, unit="share", needed=None, first=None):
    return Measurement(
        probe="p", metric="rate", value=value, low=low, high=high, n=n, unit=unit, higher_is_worse=worse,
        method="m", errors=errors, first_error=first, needed=needed, reason=None if value is not None else "too few",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "value", "high", "worse", "status"),
    [
        (0.0, 0.02, 0.1, True, Status.PASS),
        (0.0, 0.02, 0.11, True, Status.INCONCLUSIVE),
        (0.1, 0.2, 0.3, True, Status.INCONCLUSIVE),
        (0.11, 0.2, 0.3, True, Status.FAIL),
        (0.1, 0.2, 0.3, False, Status.PASS),
        (0.0, 0.05, 0.09, False, Status.FAIL),
        (0.0, 0.05, 0.1, False, Status.INCONCLUSIVE),
    ],
)
def test_the_whole_interval_must_lie_on_one_side(low, value, high, worse, status):
    assert judge(measurement(value, low, high, worse=worse), LIMIT)[0] is status


def test_what_was_not_measured_is_not_assessed_and_says_why():
    assert judge(measurement(None, None, None), LIMIT) == (Status.NOT_ASSESSED, "too few")


def test_errors_are_bounded_by_their_worst_case():
    clean = measurement(0.02, 0.0, 0.08, n=96)
    assert judge(clean, LIMIT)[0] is Status.PASS
    assert judge(measurement(0.02, 0.0, 0.08, n=96, errors=4), LIMIT)[0] is Status.INCONCLUSIVE
    status, why = judge(measurement(0.0, 0.0, 0.04, n=90, errors=10), LIMIT)
    assert status is Status.NOT_ASSESSED
    assert "10 of 100" in why


def test_a_finding_spoilt_by_errors_says_what_the_first_was():
    spoilt = measurement(0.0, 0.0, 0.04, n=48, errors=12, first="no answer to prompt 3")
    said = "12 of 60 items failed (20%); at most 5% may; the first: no answer to prompt 3"
    assert judge(spoilt, LIMIT) == (Status.NOT_ASSESSED, said)
    nothing = measurement(None, None, None, n=0, errors=60, first="the server is down")
    status, why = judge(nothing, LIMIT)
    assert status is Status.NOT_ASSESSED
    assert why.startswith("too few; 60 of 60 items failed")
    assert why.endswith("the first: the server is down")


def test_an_inconclusive_finding_says_what_would_settle_it():
    _, why = judge(measurement(0.09, 0.05, 0.15, needed=4000), LIMIT)
    assert "4,000 samples" in why


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 4))
def test_errors_never_turn_a_finding_into_a_pass(a, b, c, errors):
    low, value, high = sorted((a, b, c))
    without = judge(measurement(value, low, high), LIMIT)[0]
    with_errors = judge(measurement(value, low, high, errors=errors), LIMIT)[0]
    if with_errors is Status.PASS:
        assert without is Status.PASS


def test_every_mistake_in_a_policy_is_reported_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ndescription = "d"\n[[threshold]]\nprobe = "p"\nmetric = "m"\nlimit = "much"\n'
        'severity = "terrible"\norigin = "none"\n'
    )
    with pytest.raises(ConfigurationError) as error:
        load_policy(path)
    text = str(error.value)
    assert all(word in text for word in ("limit", "severity", "origin"))


@pytest.mark.parametrize("content", ["= not toml", "\xff\xfe", ""])
def test_a_file_that_is_no_policy_is_refused(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        load_policy(path)


def test_unknown_names_get_the_nearest_known_one():
    with pytest.raises(ConfigurationError, match="Did you mean 'default'"):
        load_policy("defualt")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_policy("missing.toml")


@pytest.mark.parametrize("name", policy_names())
def test_shipped_policies_gate_known_probes_and_every_headline(name):
    policy = load_policy(name)
    assert {probe for probe, _ in policy.thresholds} <= set(probes())
    for probe in probes().values():
        assert policy.threshold(probe.id, probe.headline) is not None


def test_every_framework_key_of_a_probe_is_known():
    for probe in probes().values():
        assert set(probe.frameworks) <= set(frameworks()), probe.id
