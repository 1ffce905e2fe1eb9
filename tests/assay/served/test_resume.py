"""Audits of served models that are resumed or repeated: no request is sent twice, no other run's answer is used."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit import orchestrator as audit
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.core.errors import ConfigurationError
from guardrails.targets.endpoint import EndpointOptions, Reply, Usage
from guardrails.targets.endpoint.ledger import FILE, Ledger

from ...targets.endpoint import fault_server
from ...targets.endpoint.fault_server import say, status
from .asking import audited, named, requests


class CutError(Exception):
    """Ends a run after the first batch of its target."""


def cut(step: Any) -> None:
    if step.label.endswith("|target"):
        raise CutError


def test_a_resumed_run_asks_nothing_twice_and_has_what_is_left_of_the_budget(server: fault_server.Server) -> None:
    options = {"api_key_env": "MY_KEY", "max_requests": 30, "concurrency": 3}

    target = named(server)
    with pytest.raises(CutError):
        run_audit(target, endpoint=options, out="run", progress=cut)
    before = len(server.asked)
    assert before == 10
    with pytest.raises(ConfigurationError, match="the target of the run"):
        run_audit(resume="run")
    with pytest.raises(ConfigurationError, match="--api-key-env of the run in run, MY_KEY, holds a secret"):
        run_audit(target, resume="run")
    with pytest.raises(ConfigurationError, match="begun with --api-key-env MY_KEY, not HOME"):
        run_audit(target, endpoint={"api_key_env": "HOME"}, resume="run")
    with pytest.raises(ConfigurationError, match="begun with endpoint"):
        run_audit(target, endpoint={"api_key_env": "MY_KEY", "concurrency": 4}, resume="run")
    assert len(server.asked) == before
    assert audit.how_to_resume(Path("run")) == f"guardrails audit '{target}' --api-key-env MY_KEY --resume run"
    result, _ = run_audit(target, endpoint={"api_key_env": "MY_KEY"}, resume="run")
    assert len(server.asked) == 30
    made = requests(result)
    assert (made.sent, made.repeated, made.answered, made.not_sent) == (30, 0, 30, 10)


def test_answers_of_a_batch_that_was_cut_off_are_used_again(server: fault_server.Server) -> None:
    class KilledError(BaseException):
        pass

    def journal_dies(*_: Any) -> None:
        raise KilledError

    target = named(server)
    with pytest.MonkeyPatch.context() as patch:
        finish = audit.Journal.finish

        def dies(self: Any, series: str, *rest: Any) -> None:
            journal_dies() if series.endswith("|target") else finish(self, series, *rest)

        patch.setattr(audit.Journal, "finish", dies)
        with pytest.raises(KilledError):
            run_audit(target, out="run")
    assert len(server.asked) == 10
    with Path("run", FILE).open("a") as file:
        file.write('{"attempts": 1, "fin')  # killed while it wrote
    result, _ = run_audit(target, resume="run")
    assert len(server.asked) == 40
    assert len({json.dumps(body, sort_keys=True) for body in server.asked}) == 40
    assert (requests(result).sent, requests(result).reused) == (40, 10)


@pytest.mark.slow
def test_one_at_a_time_and_sixteen_give_the_same_result(server: fault_server.Server, tmp_path: Path) -> None:
    server.always = None
    results = []
    for n in (1, 16):
        server.faults = {"7": [status(400)], "8": [say("yes", wait=0.02)], "9": [status(429), say("yes")]}
        result, _ = run_audit(named(server), endpoint={"concurrency": n}, out=f"run{n}")
        for finding in (values := result.model_dump(exclude={"timing", "command"}))["findings"]:
            finding.pop("command"), finding.pop("controls")  # the second run has them from the cache
        results.append(values)
    assert results[0] == results[1]
    assert results[0]["findings"][0]["measurement"]["n"] == 39


def test_no_cache_keeps_no_answer(server: fault_server.Server) -> None:
    server.always = say("a secret answer")
    assert cli.run(["audit", named(server), "--no-cache", "--out", "run"]) == 0
    lines = [json.loads(line) for line in Path("run", FILE).read_text().splitlines()]
    assert len(lines) == 40
    assert all("text" not in line and "key" not in line for line in lines)
    assert b"a secret answer" not in b"".join(p.read_bytes() for p in Path("run").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_answers_are_for_the_user_alone(server: fault_server.Server) -> None:
    audited(server)
    assert Path("run", FILE).stat().st_mode & 0o777 == 0o600


def test_answers_of_another_run_are_not_taken(server: fault_server.Server) -> None:
    Path("run").mkdir()
    Path("run", FILE).write_text("")
    with pytest.raises(ConfigurationError, match="holds the answers of another run"):
        audited(server)
    Path("run", FILE).unlink()
    Path("run", FILE).symlink_to("elsewhere")
    with pytest.raises(ConfigurationError, match="is a link"):
        audited(server)
    assert not Path("elsewhere").exists()
    assert server.asked == []


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"null", b"5", b"[]", b'{"attempts": -1}', b"\xff\xfe", b"[" * 9999, b'{"attempts": 1, "tokens": [1]}',
     b'{"attempts": 1, "tokens": [true, 1], "finish": "stop"}', b'{"attempts": 1, "tokens": "12", "finish": "stop"}',
     b'{"attempts": 1, "tokens": [1, 1], "finish": ["stop"]}', b'{"attempts": 1e5, "tokens": [1, 1], "finish": ""}'],
)  # fmt: skip
def test_a_line_that_no_run_writes_is_left_out(line: bytes, tmp_path: Path) -> None:
    ledger = Ledger(EndpointOptions())
    ledger.keep_in(tmp_path, resumed=False)
    ledger.sent(again=False)
    ledger.add("k", Reply("text", usage=Usage(1, 2)), 1, Usage(9, 9))
    ledger.close()
    path = tmp_path / FILE
    path.write_bytes(line + b"\n" + path.read_bytes() + line)
    again = Ledger(EndpointOptions())
    again.keep_in(tmp_path, resumed=True)
    again.close()
    assert again.cached("k") == Reply("text", usage=Usage(1, 2))
    assert (again.counts.requests, again.counts.answered, again.counts.prompt_tokens) == (1, 1, 1)
