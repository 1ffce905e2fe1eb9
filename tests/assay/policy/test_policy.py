import json
import os
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guardrails.assay.policy.check import mistakes_in
from guardrails.assay.policy.policy import Policy, frameworks, judge, load_policy, policy_names
from guardrails.core.errors import ConfigurationError
from guardrails.core.registry import probes
from guardrails.core.results import Measurement, PolicyRecord, Status, Threshold
from guardrails.core.statistics import needed_n, wilson

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


@pytest.mark.parametrize(
    ("unit", "status"), [("share", Status.NOT_ASSESSED), ("AUC", Status.NOT_ASSESSED), ("nats", Status.PASS)]
)
def test_a_limit_that_no_share_can_exceed_passes_nothing(unit, status):
    five = LIMIT.model_copy(update={"limit": 5.0})
    judged, reason = judge(measurement(1.0, 0.99, 1.0, unit=unit), five)
    assert judged is status
    assert (reason is None) is (status is Status.PASS)


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
    assert why.startswith("too few; 60 items failed and none was assessed")
    assert why.endswith("the first: the server is down")
    assert "100%" not in why
    one = judge(measurement(None, None, None, n=0, errors=1, first="the server is down"), LIMIT)[1]
    assert one == "too few; 1 item failed and none was assessed; the first: the server is down"


def test_an_inconclusive_finding_says_what_would_settle_it():
    _, why = judge(measurement(0.09, 0.05, 0.15, needed=4000), LIMIT)
    assert "4,000 samples" in why


def test_what_would_settle_it_is_never_more_than_there_is_without_saying_so():
    inconclusive = measurement(0.09, 0.05, 0.15, needed=4000)
    assert "400 were given: give more data" in judge(inconclusive, LIMIT, most=400)[1]
    assert "given" not in judge(inconclusive, LIMIT, most=5000)[1]
    assert "settle" not in judge(measurement(0.09, 0.05, 0.15, n=5000, needed=4000), LIMIT)[1]


def test_samples_that_share_a_cluster_are_worth_fewer():
    # 40 of 800 alone, and 800 that are worth 200
    limit = Threshold(metric="rate", limit=0.04, origin="a test's own choice")
    alone, clustered = (judge(measurement(*wilson(n // 20, n), n=800), limit)[1] for n in (800, 200))
    needed = needed_n(0.05, limit=0.04)
    assert f"About {needed:,} samples" in alone
    assert f"About {4 * needed:,} samples" in clustered


def test_what_would_settle_it_has_the_confidence_of_the_reading():
    m = measurement(*wilson(5, 100))
    bounds = wilson(5, 100, confidence=0.975)._asdict()
    stricter = m.model_copy(update={"confidence": 0.975, **bounds})
    needed = [int(re.search(r"About ([\d,]+)", judge(x, LIMIT)[1])[1].replace(",", "")) for x in (m, stricter)]
    assert needed == [needed_n(0.05, limit=0.1), needed_n(0.05, limit=0.1, confidence=0.975)]
    assert needed[0] < needed[1]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.integers(0, 4))
def test_errors_never_turn_a_finding_into_a_pass(a, b, c, errors):
    low, value, high = sorted((a, b, c))
    assume(low < high)
    without = judge(measurement(value, low, high), LIMIT)[0]
    with_errors = judge(measurement(value, low, high, errors=errors), LIMIT)[0]
    if with_errors is Status.PASS:
        assert without is Status.PASS


def test_every_mistake_in_a_policy_is_reported_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ndescription = "d"\n[[threshold]]\nprobe = "p"\nmetric = "m"\nlimit = "much"\n'
        'severity = "terrible"\norigin = "none"\nlimits = 3\n'
    )
    with pytest.raises(ConfigurationError) as error:
        load_policy(path)
    text = str(error.value)
    assert all(word in text for word in ("limit", "severity", "origin", "limits"))


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


def test_the_hash_is_of_what_a_policy_says_and_not_of_how_its_file_is_written(tmp_path):
    rows = [row(**NEW), row("memorization.overlap", "overlap_rate", gate=False)]
    policy = load_policy(policy_file(tmp_path, *rows))
    again = load_policy(policy_file(tmp_path, "# a comment", *reversed(rows)))
    stricter = load_policy(policy_file(tmp_path, row(**NEW | {"limit": 0.02}), rows[1]))
    assert policy.sha256 == again.sha256 != stricter.sha256
    record = PolicyRecord.model_validate_json(policy.record.model_dump_json())
    assert Policy.of(record).sha256 == record.sha256 == policy.sha256
    assert dict(Policy.of(record).thresholds) == dict(policy.thresholds)
    assert len(record.thresholds) == len(load_policy("default").thresholds) - 1


@given(st.integers(0, 2), st.floats(0, 1), st.sampled_from(["limit", "origin", "severity", "required", "metric"]))
def test_every_field_of_a_threshold_counts_in_the_hash(place, limit, field):
    record = load_policy("default").record
    other = {"limit": limit, "origin": "someone else said so", "severity": "low", "required": "x", "metric": "other"}
    changed = json.loads(record.model_dump_json())
    before = changed["thresholds"][place][field]
    changed["thresholds"][place][field] = not before if field == "required" else other[field]
    same = before == changed["thresholds"][place][field]
    assert (PolicyRecord.model_validate(changed).sha256 == record.sha256) is same


@pytest.mark.parametrize("name", policy_names())
def test_shipped_policies_gate_known_probes_and_every_headline(name):
    policy = load_policy(name)
    assert {probe for probe, _ in policy.thresholds} <= set(probes())
    for probe in probes().values():
        assert policy.threshold(probe.id, probe.headline) is not None


def test_every_framework_key_of_a_probe_is_known():
    for probe in probes().values():
        assert set(probe.frameworks) <= set(frameworks()), probe.id


def row(probe="privacy.pii", metric="pii_leak_rate", **keys):
    lines = [f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for key, value in keys.items()]
    return "\n".join(["[[threshold]]", f"probe = '{probe}'", f"metric = '{metric}'", *lines])


def policy_file(folder, *rows, name="mine", extends="default"):
    path = folder / f"{name}.toml"
    head = [f"name = '{name}'", "description = 'd'", *([f"extends = '{extends}'"] if extends else [])]
    path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    return path


NEW = {"limit": 0.01, "origin": "a test's own choice"}


def test_a_policy_changes_adds_and_removes_rows_of_the_one_it_extends(tmp_path):
    default = load_policy("default")
    policy = load_policy(
        policy_file(
            tmp_path,
            row(**NEW),
            row("memorization.extraction", "extraction_rate", severity="critical"),
            row("memorization.copies", "near_rate", **NEW),
            row("memorization.overlap", "overlap_rate", gate=False),
        )
    )
    pii, before = (p.threshold("privacy.pii", "pii_leak_rate") for p in (policy, default))
    assert (pii.limit, pii.origin, pii.severity) == (0.01, NEW["origin"], before.severity)
    extraction, before = (p.threshold("memorization.extraction", "extraction_rate") for p in (policy, default))
    assert extraction == before.model_copy(update={"severity": "critical"})
    assert policy.threshold("memorization.copies", "near_rate").severity == "medium"
    assert policy.threshold("memorization.overlap", "overlap_rate") is None
    assert len(policy.thresholds) == len(default.thresholds)
    assert (policy.extends, policy.removed) == (("default",), (("memorization.overlap", "overlap_rate"),))
    assert len(policy.changed) == 2


def test_a_chain_of_policies_is_followed_from_where_each_file_lies(tmp_path):
    (tmp_path / "house").mkdir()
    policy_file(tmp_path / "house", row(**NEW), name="base")
    path = policy_file(tmp_path, row(required=False), name="top", extends="house/base.toml")
    policy = load_policy(path)
    threshold = policy.threshold("privacy.pii", "pii_leak_rate")
    assert policy.extends == ("base", "default")
    assert (threshold.limit, threshold.required) == (0.01, False)
    before = policy.sha256
    policy_file(tmp_path / "house", row(**NEW | {"limit": 0.02}), name="base")
    assert load_policy(path).sha256 != before


@pytest.mark.parametrize("link", [False, True])
def test_a_file_outside_of_the_folder_is_not_read(tmp_path, link):
    policy_file(tmp_path, row(**NEW), name="secret")
    folder = tmp_path / "mine"
    folder.mkdir()
    if link:
        (folder / "inside.toml").symlink_to(tmp_path / "secret.toml")
    for extends in (
        ["inside.toml"] if link else ["../secret.toml", str(tmp_path / "secret.toml"), "a/../../secret.toml"]
    ):
        with pytest.raises(ConfigurationError, match="outside of its folder"):
            load_policy(policy_file(folder, extends=extends))


def test_a_policy_that_extends_itself_is_refused(tmp_path):
    policy_file(tmp_path, name="a", extends="b.toml")
    path = policy_file(tmp_path, name="b", extends="a.toml")
    with pytest.raises(ConfigurationError, match=r"b\.toml extends a\.toml extends b\.toml"):
        load_policy(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(**NEW), row(**NEW)], "privacy.pii/pii_leak_rate: stands twice"),
        ([row(limit=0.01)], "a limit needs its origin"),
        ([row(metric="pii_rate", required=True)], "no policy that this one extends has a limit for it"),
        ([row(metric="pii_leak_rat", gate=False)], "Did you mean 'privacy.pii/pii_leak_rate'"),
        ([row(gate=False, limit=0.1)], "gate = false takes no limit"),
        (["[[threshold]]\nprobe = 'p'\nmetric = 'm'\nlimit = nan\norigin = 'somebody said so'"], "finite number"),
        (["[[threshold]]\nprobe = 'p'\nmetric = 'm'\nlimit = inf\norigin = 'somebody said so'"], "finite number"),
        (["[threshold]\nprobe = 'p'"], "threshold: Input should be a valid list"),
        (["[[threshold]]\nprobe = 'p'\nmetric = 'm'\nlimit = true\norigin = 'somebody said so'"], "valid number"),
        (["[[threshold]]\nprobe = 'p'\nmetric = 'm'\nlimit = '0.1'\norigin = 'somebody said so'"], "valid number"),
        (
            [row("privacy.pii", "a\\u001b[2J", **NEW).replace("'a", '"a').replace("J'", 'J"')],
            "metric: String should match",
        ),
        ([f"deep = {'[' * 5000}{']' * 5000}"], "nested too deeply"),
        ([f"long = {'9' * 5000}"], "is not TOML"),
        (["[[threshold]]\nprobe = 3\nmetric = ['m']"], "threshold.0.metric"),
    ],
)
def test_a_mistaken_row_is_one_clear_message(tmp_path, rows, message):
    with pytest.raises(ConfigurationError) as error:
        load_policy(policy_file(tmp_path, *rows))
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_a_very_long_chain_and_what_is_no_file_are_refused(tmp_path):
    for i in range(25):
        policy_file(tmp_path, name=f"p{i}", extends=f"p{i + 1}.toml")
    with pytest.raises(ConfigurationError, match="more than 20 policies extend each other"):
        load_policy(tmp_path / "p0.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ConfigurationError, match="no regular file"):
        load_policy(tmp_path / "pipe.toml")


def test_a_policy_that_gates_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="gates nothing"):
        load_policy(policy_file(tmp_path, extends=None))


def test_default_limits_of_a_plug_in_belong_to_the_default_policy_and_can_be_overridden(tmp_path, monkeypatch):
    from guardrails.assay.policy import policy as module

    brought = Threshold(metric="yes_rate", limit=0.25, origin="brought by the class")
    mine = type("Mine", (), {"thresholds": (brought,)})
    before = load_policy("default").sha256
    monkeypatch.setattr(module, "probes", lambda: {**probes(), "mine.yes": mine})
    assert load_policy("default").threshold("mine.yes", "yes_rate") == brought
    assert load_policy("default").sha256 != before
    over = load_policy(policy_file(tmp_path, row("mine.yes", "yes_rate", **NEW)))
    assert over.threshold("mine.yes", "yes_rate").limit == 0.01
    alone = load_policy(policy_file(tmp_path, row(**NEW), extends=None))
    assert alone.threshold("mine.yes", "yes_rate") is None


def test_rows_that_name_nothing_there_is_are_named_with_the_nearest_known_one(tmp_path):
    path = policy_file(
        tmp_path, row("privacy.pi", **NEW), row("privacy.pii", "pii_leak_rates", **NEW), row(metric="qualité", **NEW)
    )
    wrong = mistakes_in(load_policy(path))
    assert len(wrong) == 3
    assert "no probe 'privacy.pi'. Did you mean 'privacy.pii'" in wrong[0]
    assert "privacy.pii measures no 'pii_leak_rates'. Did you mean 'pii_leak_rate'" in wrong[1]
    assert "'qualité'" in wrong[2]


def test_metrics_that_a_probe_measures_beside_its_headline_are_known(tmp_path):
    rows = [
        row("privacy.table-distance", "novelty", **NEW),
        row("memorization.extraction", "extraction_excess", **NEW),
    ]
    assert mistakes_in(load_policy(policy_file(tmp_path, *rows))) == []
    assert mistakes_in(load_policy("default")) == []


@pytest.mark.parametrize("word", ["corpus", "share", "memorization.extraction", "prefix"])
def test_a_word_of_a_probe_s_code_is_no_metric(tmp_path, word):
    (wrong,) = mistakes_in(load_policy(policy_file(tmp_path, row("memorization.extraction", word, **NEW))))
    assert f"memorization.extraction measures no '{word}'" in wrong


@pytest.mark.parametrize("metrics", [(), ("yes_rate", "no_rate")])
def test_a_plug_in_that_declares_no_metrics_is_said_to_declare_none(tmp_path, monkeypatch, metrics):
    from guardrails.assay.policy import check as policy_check
    from guardrails.assay.policy import policy

    mine = type("Mine", (), {"id": "mine.yes", "headline": "yes_rate", "metrics": metrics, "thresholds": ()})
    for module in (policy, policy_check):
        monkeypatch.setattr(module, "probes", lambda: {**probes(), "mine.yes": mine})
    read = load_policy(policy_file(tmp_path, row("mine.yes", "yes_rate", **NEW), row("mine.yes", "maybe", **NEW)))
    said = {r["metric"]: r["from"] for r in policy_check.rows(read) if r["probe"] == "mine.yes"}
    if metrics:
        assert mistakes_in(read) == ["mine.yes measures no 'maybe'. Known: no_rate, yes_rate."]
    else:
        assert mistakes_in(read) == []
        assert said["maybe"] == "this policy; metrics not declared: whether the probe measures it is not known"
    assert said["yes_rate"] == "this policy"


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = policy_file(tmp_path, row("privacy.pii", "pii_leak_rate", **NEW))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_policy(path).threshold("privacy.pii", "pii_leak_rate") is not None
