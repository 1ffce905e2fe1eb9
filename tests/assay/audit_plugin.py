"""A probe and a kind of target of another distribution, for tests of what does batches in other processes.

What goes wrong is said by files in the folder that ``OWN_FOLDER`` names, which every process sees.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.core.batch import Batch, Item, Row, in_batches
from guardrails.core.control import Control
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement, Threshold
from guardrails.core.statistics import wilson
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality

SPECIAL = 42
"""The item over which something goes wrong."""


class Target:
    """``own:RATE`` says yes at that rate."""

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    spike_kind = "spike"

    def __init__(self, rate: str) -> None:
        self.name, self.rate = f"own:{rate}", float(rate)

    def identity(self) -> dict[str, str]:
        return {"rate": str(self.rate)}

    def answer(self, item: int, seed: int) -> bool:
        return bool(np.random.default_rng([seed, item]).random() < self.rate)


class Locked(list[str]):
    """Texts that no other process can be sent."""

    def __init__(self) -> None:
        super().__init__(["a text"])
        self.lock = threading.Lock()


class Yes(Probe):
    """The share of yes."""

    id = "own.yes"
    title = "Yes"
    question = "How often does it say yes?"
    limits = "Nothing but yes."
    risk = "none"
    modalities = frozenset({Modality.TEXT})
    requires = frozenset({Access.SAMPLING})
    headline = "yes_rate"
    metrics = ("yes_rate",)
    controls = (Control("reference:ar-molecules,hazard=1", "found"), Control("reference:ar-molecules", "clear"))
    thresholds = (Threshold(metric="yes_rate", limit=0.1, origin="a test's own choice"),)
    spike_what = "yes in place of the answer"

    def plan(self, subject: Subject, budget: Budget, *, seed: int) -> list[Batch]:
        order = np.random.default_rng(seed).permutation(200).tolist()
        return in_batches([Item(f"{i:04}", fields={"question": i}) for i in order], 10)

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        target: Any = subject.target
        questions: dict[str, int] = {item.id: item.fields["question"] for item in batch.items}
        if not isinstance(target, Target):
            return [{"item": name, "yes": "hazard" in target.name} for name in questions]
        if target.rate < 1:
            happens(list(questions.values()))
        return [{"item": name, "yes": target.answer(i, seed)} for name, i in questions.items()]

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        common: dict[str, Any] = {"probe": self.id, "metric": "yes_rate", "unit": "share", "higher_is_worse": True}
        good = [row for row in rows if "error" not in row]
        common |= {"errors": len(rows) - len(good), "method": "Wilson"}
        if not good:
            return [Measurement(**common, value=None, n=0, reason="no rows")]
        value, low, high = wilson(sum(row["yes"] for row in good), len(good))
        return [Measurement(**common, value=value, low=low, high=high, n=len(good))]

    def spike(self, subject: Subject, batches: Sequence[Batch], *, seed: int) -> Subject:
        return Subject(Target("1"))

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject
    ) -> tuple[float, float, float] | None:
        return tuple(wilson(sum(row["yes"] for row in spiked), len(spiked)))  # type: ignore[return-value]


def happens(items: Sequence[int]) -> None:
    """Note who did a batch, and have happen to it what the folder says."""
    folder = Path(os.environ["OWN_FOLDER"])
    with (folder / "done").open("a") as file:
        file.write(f"{os.getpid()} {items[0]}\n")
    time.sleep(0.5 if (folder / "slow").exists() else 0.02)
    if SPECIAL not in items:
        return
    if (folder / "kill once").exists():
        (folder / "kill once").rename(folder / "killed")
        os.kill(os.getpid(), signal.SIGKILL)
    if (folder / "kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (folder / "break").exists():
        raise ZeroDivisionError("too many answers")
    if (folder / "fill").exists():
        raise OSError(28, "No space left on device")


def install(folder: Path) -> Path:
    """Install this module as a distribution in a folder; return the folder, to be put on the path."""
    about = folder / "own_audit-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-audit\nVersion: 1.0\n")
    points = ["[guardrails.probes]", "yes = own_audit:Yes", "[guardrails.targets]", "own = own_audit:Target", ""]
    (about / "entry_points.txt").write_text("\n".join(points))
    (folder / "own_audit.py").write_text(Path(__file__).read_text())
    return folder


def run_on_two_nodes(top: Path) -> dict[str, Any]:
    """Audit on a cluster of two nodes and here, with what the tests compare; each run in a folder below `top`."""
    import ray
    from ray.cluster_utils import Cluster

    from guardrails.assay.audit import orchestrator
    from guardrails.assay.audit import ray as audit_ray
    from guardrails.core.errors import GuardrailsError

    class CutError(Exception):
        pass

    def cut(step: Any) -> None:
        if step.done == 25:
            raise CutError

    seen: dict[str, Any] = {}

    def audited(name: str, engine: str, what: str = "", **more: Any) -> None:
        # Two runs make the controls; the others find them made.
        os.environ["GUARDRAILS_CACHE"] = str(top / "cache" / ("ray" if name == "ray" else "local"))
        (top / "done").write_text("")
        if what:
            (top / what).write_text("")
        place = {"resume": top / name} if (top / name).exists() else {"out": top / name, "probes": ["own.yes"]}
        try:
            result, _ = orchestrator.run_audit("own:0.3", engine=engine, **place, **more)
            seen[name] = result.model_dump(mode="json", exclude={"timing", "cost"})
        except CutError:
            seen[name] = "cut"
        except GuardrailsError as error:
            seen[name] = str(error)
        if what:
            (top / what).unlink(missing_ok=True)
        seen[f"{name} by"] = [line.split() for line in (top / "done").read_text().splitlines()]

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    node = cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        audited("local", "local")
        audited("ray", "ray", "kill once")
        audited("ray then local", "ray", progress=cut)
        audited("ray then local", "local")
        audited("local then ray", "local", progress=cut)
        audited("local then ray", "ray")
        audited("broken here", "local", "break")
        audited("broken there", "ray", "break")
        audited("given up", "ray", "kill")
        audited("full", "ray", "fill")
        texts = [f"text {i}" for i in range(50)]
        audited("objects here", "local", corpus=texts)
        audited("objects there", "ray", corpus=texts)
        audited("not sent", "ray", corpus=Locked())
        audited(
            "node removed", "ray", "slow", progress=lambda step: step.done == 5 and cluster.remove_node(node, False)
        )
        audit_ray.sources_sha256 = lambda: "other"  # type: ignore[assignment]
        audited("other code", "ray")
    finally:
        ray.shutdown()
        cluster.shutdown()
    seen["pid"] = os.getpid()
    return seen


if __name__ == "__main__":
    import json

    outcome = run_on_two_nodes(Path(os.environ["OWN_FOLDER"]))
    (Path(os.environ["OWN_FOLDER"]) / "seen.json").write_text(json.dumps(outcome))
    sys.exit(0)
