"""What can be said of a policy before any audit: what it gates, and rows that name nothing there is."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.base import Probe
from ..core.errors import did_you_mean
from ..core.registry import probes
from .policy import Policy, load_policy, unknown_probes


def mistakes_in(policy: Policy) -> list[str]:
    """Return a line for each unknown probe, and each metric that its probe's code does not name."""
    wrong = unknown_probes(policy)
    for name, metric in policy.thresholds:
        cls = probes().get(name)
        if cls is None or metric in (known := known_metrics(cls)):
            continue
        if not any(re.fullmatch(pattern, metric) for pattern in _texts(cls)):
            wrong.append(f"{name} measures no '{metric}'.{did_you_mean(metric, known)}")
    return wrong


def known_metrics(cls: type[Probe]) -> set[str]:
    """Return the metrics of a probe that are known without measuring: its headline and those with a default limit."""
    return {cls.headline} | {t.metric for t in load_policy("default").of_probe(cls.id)}


def _texts(cls: type[Probe]) -> Iterator[str]:
    """Yield each text in the code of a probe as a pattern, in which any text may stand for what is formatted in.

    Its code is its own file and those private modules beside it that it names.
    """
    file = Path(inspect.getfile(cls))
    code = file.read_text(encoding="utf-8")
    for path in [file, *(p for p in file.parent.glob("_*.py") if re.search(rf"\b{p.stem}\b", code))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".+" for v in node.values]
                if any(isinstance(v, ast.Constant) and len(str(v.value)) > 3 for v in node.values):
                    yield "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.escape(node.value)


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
            brought = any(t.metric == metric for t in probes()[probe].thresholds)
            source = "brought by the probe" if brought and not policy.extends else "this policy"
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
