"""Waivers: what is accepted, by whom, until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from guardrails.assay.policy.waivers import load_waivers
from guardrails.core.errors import ConfigurationError

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
GOOD = {
    "probe": '"memorization.extraction"', "metric": '"extraction_rate"', "target": '"hf:models/mine"',
    "owner": '"Ada <ada@example.org>"', "reason": '"the corpus is public, see ticket 12"', "expires": "2027-01-31",
}  # fmt: skip


def written(folder: Path, *waivers: dict[str, str]) -> Path:
    path = folder / "waivers.toml"
    rows = ("[[waiver]]\n" + "".join(f"{key} = {value}\n" for key, value in waiver.items()) for waiver in waivers)
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("expires", "holds"),
    [
        ("2026-12-02", True), ("2026-12-01", True), ("2026-11-30", False), ("2026-12-01T12:00:01Z", True),
        ("2026-12-01T12:00:00Z", False), ("2026-12-01T13:30:00+01:00", True), ("2026-12-01T12:30:00+01:00", False),
        ("2026-12-01T00:30:00-12:00", True), ("2026-12-02T01:00:00+14:00", False), ("9999-12-31", True),
        ("0001-01-01", False),
    ],
)  # fmt: skip
def test_a_date_holds_until_its_end_in_utc_and_a_time_exactly(expires: str, holds: bool, tmp_path: Path) -> None:
    path = written(tmp_path, {**GOOD, "expires": expires})
    if holds:
        assert len(load_waivers(path, now=NOW).waivers) == 1
        return
    with pytest.raises(ConfigurationError, match=r"expired on .*: renew it, or remove it"):
        load_waivers(path, now=NOW)


@pytest.mark.parametrize("hours", [-13, 0, 15])
def test_the_end_of_a_day_is_the_same_moment_everywhere(hours: int, tmp_path: Path) -> None:
    path = written(tmp_path, {**GOOD, "expires": "2026-12-01"})
    end = datetime(2026, 12, 2, tzinfo=UTC)
    from datetime import timezone

    zone = timezone(timedelta(hours=hours))
    load_waivers(path, now=(end - timedelta(seconds=1)).astimezone(zone))
    with pytest.raises(ConfigurationError, match="expired"):
        load_waivers(path, now=end.astimezone(zone))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"owner": None}, "owner: Field required"), ({"reason": None}, "reason: Field required"),
        ({"expires": None}, "expires: Field required"), ({"owner": '"  "'}, "owner"), ({"reason": '"no"'}, "reason"),
        ({"expires": '"2027-01-31"'}, "a date without quotes"), ({"expires": "2027"}, "a date without quotes"),
        ({"expires": "2027-01-31T12:00:00"}, "a time needs its offset"), ({"expires": "true"}, "a date without quotes"),
        ({"target": None}, "all three"), ({"fingerprint": f'"{"a" * 64}"'}, "not both"),
        ({"fingerprint": '"abc"', "probe": None, "metric": None, "target": None}, "fingerprint"),
        ({"probe": None, "metric": None, "target": None}, "give the fingerprint"), ({"until": "1"}, "until"),
        ({"owner": '"a\\u001b[2J"'}, "owner"),
    ],
)  # fmt: skip
def test_a_waiver_that_is_not_complete_is_refused(change: dict[str, str | None], message: str, tmp_path: Path) -> None:
    values = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(ConfigurationError, match=r"waivers .*waivers\.toml") as error:
        load_waivers(written(tmp_path, values), now=NOW)
    assert message in "\n".join(error.value.lines)


def test_every_mistake_and_every_expired_waiver_is_named(tmp_path: Path) -> None:
    old = {**GOOD, "expires": "2020-01-01"}
    with pytest.raises(ConfigurationError) as error:
        load_waivers(written(tmp_path, old, GOOD, {**old, "owner": '"Bob"'}), now=NOW)
    assert [line.partition(" (")[0].strip() for line in error.value.lines[1:]] == ["waiver 1", "waiver 3"]
    assert "owner Bob" in error.value.lines[2]


@pytest.mark.parametrize("content", ["", "[waiver]", "x = 1", "[[waiver]", "\x00", "waiver = []"])
def test_a_file_without_a_waiver_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="waivers"):
        load_waivers(path, now=NOW)
    with pytest.raises(ConfigurationError, match="No such file"):
        load_waivers(tmp_path / "absent.toml")
