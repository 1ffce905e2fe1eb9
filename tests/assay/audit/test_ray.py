"""What the engine ``ray`` refuses before it looks for a cluster, and how it hands out tasks; a cluster is in `e2e`."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from guardrails.assay import cluster
from guardrails.assay.audit import ray as audit_ray
from guardrails.assay.audit.engine import Collected, Series
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import make_settings
from guardrails.assay.audit.ray import TRIES, Cluster, connected
from guardrails.assay.audit.worker import Code, other_code, sendable
from guardrails.assay.cluster import connect
from guardrails.core.batch import Batch
from guardrails.core.errors import ConfigurationError, JournalError, MissingExtraError, TargetError
from guardrails.core.subject import Subject

from .. import fakes


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("python object: Model", "a Python object exists in this process only; name the target"),
        ("python:mine:answer", "the code of a callable exists in this process only"),
        ("chat:python:mine:answer", "the code of a callable exists in this process only"),
        ("openai:http://127.0.0.1:9/v1#m", "--concurrency sends more requests at a time"),
        ("openai-completions:http://127.0.0.1:9/v1#m", "its budget and its answers are counted in this process"),
        ("http:api.toml", "its budget and its answers are counted in this process"),
    ],
)
def test_a_target_of_one_process_is_refused(target: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        connected(make_settings({"target": target}))
    assert str(error.value).startswith(f"the engine 'ray' cannot share {target}: ")
    assert words in str(error.value)
    assert str(error.value).endswith("Use the engine 'local'")


def test_an_object_is_refused_before_anything_is_written(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot share python object: FakeTarget"):
        run_audit(fakes.FakeTarget(0.0), engine="ray", out=tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"unknown engine 'rays'. Did you mean 'ray'"):
        run_audit(fakes.FakeTarget(0.0), engine="rays", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", "[::1]:1", "ray://127.0.0.1:1"])
def test_an_address_where_nothing_answers_is_one_message_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(cluster, "find_spec", lambda _: "there")
    with pytest.raises(ConfigurationError, match="no Ray cluster answers at RAY_ADDRESS"):
        connect(SimpleNamespace(is_initialized=lambda: False))


def test_an_address_of_a_client_server_needs_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:1")
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"Ray's client is not available; .* pip install 'ray\[client\]'"):
        connect(SimpleNamespace(is_initialized=lambda: False))


def test_a_cluster_that_refuses_says_how_a_token_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        monkeypatch.setenv("RAY_AUTH_MODE", "token")  # as Ray itself may do
        raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379\nmore")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConfigurationError, match="needs RAY_AUTH_MODE=token") as error:
        connect(SimpleNamespace(is_initialized=lambda: False, init=refuse))
    assert signal.getsignal(signal.SIGTERM) == before
    assert "can be reached on this machine (RAY_ADDRESS is not set): Failed to connect" in str(error.value)


def test_of_a_servers_traceback_the_error_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise ConnectionAbortedError(
            "Initialization failure from server:\n\nTraceback\n  File\nRuntimeError: no room\n"
        )

    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(ConfigurationError, match="at RAY_ADDRESS 'auto': RuntimeError: no room"):
        connect(SimpleNamespace(is_initialized=lambda: False, init=fail))


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FakeRay:
    """A cluster of two processors: what becomes of a batch is told by `outcomes`, by its number, once a try."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, outcomes: dict[int, list[Any]] | None = None) -> None:
        self.outcomes = outcomes or {}
        self.begun: list[int] = []
        self.most, self.cancelled = 0, 0

    def remote(self, **_: Any) -> Any:
        def task(id: str, job: Any, series: str, batch: Batch) -> str:
            self.begun.append(batch.index)
            return f"{len(self.begun)}:{batch.index}"

        return lambda function: SimpleNamespace(remote=task)

    def put(self, job: Any) -> str:
        return "job"

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def wait(self, refs: list[str], num_returns: int, timeout: float) -> tuple[list[str], list[str]]:
        self.most = max(self.most, len(refs))
        return [refs[-1]], refs[:-1]  # the last one begun ends first

    def get(self, ref: str) -> Collected:
        number = int(ref.partition(":")[2])
        outcome = self.outcomes[number].pop(0) if self.outcomes.get(number) else []
        if isinstance(outcome, BaseException):
            raise outcome
        rows, why = (None, outcome) if isinstance(outcome, str) else (outcome, None)
        return Collected(Batch(number), rows, why)

    def cancel(self, ref: str) -> None:
        self.cancelled += 1


def ended(ray: FakeRay, batches: int = 10) -> list[Collected]:
    series = Series("fake|target", fakes.FakeProbe(), lambda: Subject(fakes.FakeTarget(0.0)), 0)
    tasks = Cluster(ray, SimpleNamespace(id="run", data={}))  # type: ignore[arg-type]
    return list(tasks.one(series, [Batch(i) for i in range(batches)]))


def test_every_batch_is_done_once_and_not_all_are_handed_out_at_a_time() -> None:
    ray = FakeRay()
    assert sorted(done.batch.index for done in ended(ray)) == sorted(ray.begun) == list(range(10))
    assert (ray.most, ray.cancelled) == (4, 0)


def test_a_batch_whose_worker_died_is_begun_again_and_given_up_in_the_end() -> None:
    ray = FakeRay({3: [RayError("The worker died. See the logs.")] * (TRIES - 1)})
    assert all(done.rows == [] for done in ended(ray))
    assert ray.begun.count(3) == TRIES
    ray = FakeRay({3: [RayError("The worker died. See the logs.")] * TRIES})
    (given_up,) = [done for done in ended(ray) if done.rows is None]
    assert given_up.why == "its batch 3 was given up: the worker died 4 times over it (The worker died)"
    assert ray.begun.count(3) == TRIES


def test_after_a_failure_no_later_batch_is_begun_and_those_under_way_end() -> None:
    ray = FakeRay({3: ["no patience"]})
    done = ended(ray)
    assert [d.batch.index for d in done if d.rows is None] == [3]
    assert sorted(d.batch.index for d in done) == ray.begun == [0, 1, 2, 3]
    assert ray.cancelled == 0


@pytest.mark.parametrize("error", [OSError(28, "full"), MemoryError(), ConfigurationError("another node")])
def test_what_ends_a_run_in_a_worker_ends_it_here_and_the_rest_is_cancelled(error: BaseException) -> None:
    ray = FakeRay({5: [RayTaskError(error)]})
    with pytest.raises(type(error)):
        ended(ray)
    assert ray.cancelled == 3


def test_a_lost_cluster_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise ConnectionError("GCS is gone. Ray says much more.")

    ray = FakeRay()
    monkeypatch.setattr(ray, "wait", lost)
    with pytest.raises(
        JournalError, match=r"the Ray cluster was lost \(GCS is gone\); what finished is kept: use --resume"
    ):
        ended(ray)


def test_a_cluster_without_processors_is_lost_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ray, cpus = FakeRay(), iter([2.0, 0.0, 2.0, 0.0, 0.0, 0.0])
    monkeypatch.setattr(ray, "wait", lambda refs, num_returns, timeout: ([], refs))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": next(cpus)})
    monkeypatch.setattr(audit_ray, "GONE", 3 * audit_ray.LOOK)
    with pytest.raises(JournalError, match="no node has a logical CPU any more"):
        ended(ray, batches=1)
    assert next(cpus, None) is None
    assert ray.cancelled == 1


class TwoPartsError(OSError):
    """One that cannot be unpickled: its arguments are not those that it was made of."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(f"{number}: {words}")


class StatedError(ConfigurationError):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TwoPartsError(7, "no quota"), OSError, "7: no quota"),
        (OSError(28, "No space left on device", "/f"), OSError, "No space left on device: '/f'"),
        (MemoryError("no room"), MemoryError, "no room"),
        (StatedError("one", "two"), ConfigurationError, "one\ntwo"),
        (TargetError("no answer"), JournalError, "no answer"),
        (SystemExit(0), JournalError, "a worker broke (SystemExit: 0); what finished is kept: use --resume"),
        (ZeroDivisionError("slip"), JournalError, "a worker broke (ZeroDivisionError: slip)"),
    ],
)
def test_what_ends_a_run_can_be_sent_whatever_its_class(
    error: BaseException, kind: type[BaseException], words: str
) -> None:
    sent = pickle.loads(pickle.dumps(sendable(error)))
    assert type(sent) is kind
    assert words in str(sent)


def test_other_code_is_named() -> None:
    code = Code("a", {"numpy": "1", "torch": "2"})
    assert other_code(code, Code("a", {"numpy": "1", "torch": "2"})) is None
    assert other_code(code, Code("b", code.versions)) == "it has other code or weights of guardrails, or other plug-ins"
    assert other_code(code, Code("b", {"numpy": "3", "torch": "2"})) == "it has numpy 3, not 1"
    assert other_code(code, Code("b", dict.fromkeys("vwxyz", "0"))) == (
        "it has numpy absent, not 1, torch absent, not 2, v 0, not absent and 4 others"
    )


def test_a_node_says_its_code_or_why_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    code = audit_ray._code_of_node()
    assert code() == (audit_ray.sources_sha256(), audit_ray.all_versions())
    monkeypatch.setitem(sys.modules, "guardrails.assay.sources", None)
    assert str(code()).startswith("its guardrails cannot be used (ModuleNotFoundError: ")


def test_a_node_without_guardrails_can_say_so() -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    program = "import pickle, sys; sys.modules['guardrails'] = None; print(pickle.load(sys.stdin.buffer)())"
    sent = cloudpickle.dumps(audit_ray._code_of_node())
    done = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=True, timeout=60)
    assert done.stdout.startswith(b"its guardrails cannot be used (ModuleNotFoundError: ")
