"""A finding as a test: ``@pytest.mark.guardrails(probe=…, target=…)``. Without the marker, this plugin does nothing.

Nothing heavy is imported before a marked test runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .core.results import AuditResult, Finding

MARKER = "guardrails"
TARGET = "guardrails_target"
_RESULTS = pytest.StashKey[dict[str, "AuditResult"]]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(probe, target=None, **options): audit a target by the probes that match; see gr.audit"
    )


@pytest.fixture
def guardrails_result(request: pytest.FixtureRequest) -> AuditResult:
    """The result of the audit that the marker of this test asks for."""
    return _result(request.node, request)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Audit before the body of a marked test runs: a failure fails the test, an open finding skips it."""
    __tracebackhide__ = True
    if item.get_closest_marker(MARKER) is not None and isinstance(item, pytest.Function):
        _judge(_result(item, item._request))
    yield


def _result(item: pytest.Item, request: pytest.FixtureRequest) -> AuditResult:
    marker = item.get_closest_marker(MARKER)
    if marker is None:
        raise pytest.UsageError(f"{item.nodeid}: guardrails_result is for tests with @pytest.mark.{MARKER}")
    options = _options(marker, item)
    if "target" not in options:
        try:
            options["target"] = request.getfixturevalue(TARGET)
        except pytest.FixtureLookupError:
            raise pytest.UsageError(
                f"{item.nodeid}: name a target in the marker, or define a fixture {TARGET}"
            ) from None
    from .assay.audit.orchestrator import audit
    from .core.errors import GuardrailsError

    results = item.session.stash.setdefault(_RESULTS, {})
    # An object is itself again only as long as it lives: those of a fixture are audited anew for each test.
    key = repr(sorted(options.items())) if isinstance(options["target"], str) else item.nodeid
    if key not in results:
        try:
            results[key] = audit(**options)
        except GuardrailsError as error:
            pytest.fail("\n".join(error.lines), pytrace=False)
    return results[key]


def _options(marker: pytest.Mark, item: pytest.Item) -> dict[str, Any]:
    options = dict(marker.kwargs)
    names = [*marker.args, *([options.pop("probe")] if "probe" in options else [])]
    if len(names) != 1 or "probes" in options:
        raise pytest.UsageError(f"{item.nodeid}: the marker takes one probe, as @pytest.mark.{MARKER}(probe='…')")
    return {"budget": "quick", "seed": 0, **options, "probes": names}


def _judge(result: AuditResult) -> None:
    """Fail or skip the test as the findings say."""
    __tracebackhide__ = True
    failed = [f for f in result.findings if f.control_failed or (f.status == "fail" and not f.excused)]
    if failed:
        pytest.fail("\n".join(map(_line, failed)), pytrace=False)
    if result.verdict != "pass":
        open_ = [f for f in result.findings if f.outcome not in ("pass", "waived", "known")]
        pytest.skip("; ".join(map(_line, open_)) or f"{result.verdict}: nothing was assessed")
    if excused := [f for f in result.findings if f.excused]:
        pytest.skip("; ".join(map(_line, excused)))


def _line(finding: Finding) -> str:
    word = "its control failed: " if finding.control_failed else ""
    reason = f" ({finding.reason})" if finding.reason else ""
    return f"{word}{finding.line()}{reason}"
