"""What can be said of a policy before any audit: what it gates, and rows that name nothing that exists."""

from __future__ import annotations

import re
from typing import Any

from ...core.errors import did_you_mean
from ...core.probe import Probe
from ...core.registry import probes
from .known_ids import unknown_ids, wrong_ids
from .policy import Policy, load_policy, unknown_probes

_UP_TO_ONE = re.compile(r"(^|_)(rate|share|auc|risk|precision|copies|overlap|loss)(_|$)")
"""Words in the names of metrics between 0 and 1. An audit knows the unit, and judges nothing by a limit beyond."""


def mistakes_in(policy: Policy) -> list[str]:
    """Return a line for each unknown probe or framework id, and each metric that its probe does not declare.

    A probe of another distribution that declares none may measure any: `rows` says so.
    """
    wrong = unknown_probes(policy)
    for name, metric in policy.thresholds:
        cls = probes().get(name)
        if cls and cls.metrics and metric not in (known := known_metrics(cls)):
            wrong.append(f"{name} measures no '{metric}'.{did_you_mean(metric, known)}")
    return wrong + wrong_ids(policy.controls)


def notes_on(policy: Policy) -> list[str]:
    """Return a line for each possible mistake: an odd limit, an id that cannot be checked, a probe not installed."""
    limits = [
        f"{probe}/{metric}: the limit {threshold.limit:g} lies outside of 0 to 1; 5% is 0.05"
        for (probe, metric), threshold in policy.thresholds.items()
        if _UP_TO_ONE.search(metric) and not 0 <= threshold.limit <= 1
    ]
    absent = sorted({name for control in policy.controls for name in control.absent})
    notes = [f"no probe '{name}' is installed: a gap of the controls that name it.{_near(name)}" for name in absent]
    return limits + unknown_ids(policy.controls) + notes


def _near(name: str) -> str:
    hint = "" if "*" in name else did_you_mean(name, probes())
    return hint if hint.startswith(" Did you mean") else ""


def known_metrics(cls: type[Probe]) -> set[str]:
    """Return the metrics that a probe declares, by themselves or by a threshold that it brings."""
    return {cls.headline, *cls.metrics, *(t.metric for t in cls.thresholds)}


def rows(policy: Policy) -> list[dict[str, Any]]:
    """Return each row of a policy, and each that it removes, with where its limit comes from."""
    default = load_policy("default").thresholds
    out = []
    for (probe, metric), threshold in sorted(policy.thresholds.items()):
        if (probe, metric) in policy.changed:
            known = default.get((probe, metric))
            source = f"changed, {known.limit:g} by default" if known else "changed"
        elif policy.extends and (probe, metric) in default:
            source = "as in default" if threshold == default[probe, metric] else f"as in {policy.extends[0]}"
        else:
            brought = probe in probes() and any(t.metric == metric for t in probes()[probe].thresholds)
            source = "brought by the probe" if brought and not policy.extends else "this policy"
        if probe not in probes():
            source += "; of another tool: whether its file holds the figure is not known"
        elif metric not in known_metrics(probes()[probe]):  # `mistakes_in` refuses it of a probe that declares some
            source += "; metrics not declared: whether the probe measures it is not known"
        out.append(
            {"probe": probe, "metric": metric, "gated": True, "from": source} | threshold.model_dump(mode="json")
        )
    removed = [{"probe": p, "metric": m, "gated": False, "from": "removed"} for p, m in policy.removed]
    headlines = {(name, cls.headline) for name, cls in probes().items() if not policy.of_probe(name)}
    silent = [
        {"probe": p, "metric": m, "gated": False, "from": "no threshold: reported without a verdict"}
        for p, m in sorted(headlines - set(policy.removed))
    ]
    return out + removed + silent
