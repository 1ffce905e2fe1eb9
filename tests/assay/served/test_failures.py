"""Audits of served models: failed requests are counted, the budget holds, the key is written nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.core.results import AuditResult
from guardrails.core.statistics import wilson
from guardrails.core.targets import Access
from guardrails.targets.endpoint.ledger import FILE

from ...targets.endpoint import fault_server
from ...targets.endpoint.fault_server import raw, say, status
from .asking import KEY, Asks, audited, named, requests


def read_as(result: AuditResult) -> str:
    return result.targets[0].read_as["target"]


def test_a_few_failures_are_counted_and_the_rest_is_read(server: fault_server.Server) -> None:
    server.faults = {"7": [status(400)], "21": [status(500)], "30": [say(None, refusal="I will not.")]}
    result = audited(server)
    (finding,) = result.findings
    assert finding.measurement is not None
    assert (finding.status, finding.measurement.n, finding.measurement.errors) == ("inconclusive", 39, 1)
    assert finding.measurement.first_error == "the server answered 400: no"
    made = requests(result)
    assert (made.sent, made.repeated, made.answered, made.refused, made.empty) == (41, 1, 39, 1, 0)
    assert (made.filtered, made.failed, made.not_sent) == (0, {"the server answered 400": 1}, 0)
    assert len(server.asked) == 41
    assert result.timing.cost is not None
    used = result.timing.cost.total.reading
    assert (used.requests, used.items, used.money) == (41, 40, None)
    assert used.prompt_tokens > 0


@pytest.mark.parametrize("fault", [status(400), say("yes", finish="content_filter"), raw("<html>")])
def test_too_many_failures_are_no_pass(server: fault_server.Server, fault: fault_server.Fault) -> None:
    server.faults = {str(i): [fault] for i in (3, 14, 25, 36)}
    result = audited(server)
    assert [f.status for f in result.findings] == ["not-assessed"]
    assert result.exit_code == 3
    made = requests(result)
    assert (made.filtered, sum(made.failed.values())) in ((4, 0), (0, 4))


@pytest.mark.parametrize("limit", [{"max_requests": 15}, {"max_tokens": 120}, {"max_cost": 1.0}])
def test_a_budget_that_is_spent_ends_the_requests_and_is_no_pass(
    server: fault_server.Server, limit: dict[str, Any]
) -> None:
    server.always = say("no", usage={"prompt_tokens": 3, "completion_tokens": 5})
    prices = {"price_in": 5_000.0, "price_out": 10_000.0}  # 0.065 a request: 16 of them
    result = audited(server, **limit, **prices, concurrency=1)
    assert len(server.asked) == (16 if "max_cost" in limit else 15)
    assert [f.status for f in result.findings] == ["not-assessed"]
    assert "not sent: the budget of" in str(result.findings[0].measurement)
    assert requests(result).not_sent == 40 - len(server.asked)
    assert requests(result).money == pytest.approx(0.065 * len(server.asked))
    assert result.timing.cost is not None
    used = result.timing.cost.total.reading
    assert (used.prompt_tokens, used.completion_tokens) == (3 * len(server.asked), 5 * len(server.asked))
    assert used.money == pytest.approx(0.065 * len(server.asked))


def test_repetitions_count_in_the_budget(server: fault_server.Server) -> None:
    server.always = status(500)
    audited(server, max_requests=5, concurrency=8)
    assert len(server.asked) == 5


def test_without_token_counts_an_upper_bound_is_counted(server: fault_server.Server) -> None:
    server.always = say("no", usage="none")
    made = requests(audited(server, max_tokens=10_000))
    assert (made.estimated, made.prompt_tokens, made.completion_tokens) == (40, 10 + 60, 40 * 4)


def test_answers_that_cannot_be_used_cost_what_others_do(server: fault_server.Server) -> None:
    server.always = raw('{"choices": []}')
    prices = {"price_in": 0.0, "price_out": 250_000.0}  # at most 1 for an answer of 4 tokens
    result = audited(server, max_cost=4.0, concurrency=1, **prices)
    assert len(server.asked) == 4
    assert (requests(result).not_sent, requests(result).money) == (36, pytest.approx(4))
    assert requests(result).failed == {"the answer could not be used": 4}


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_the_key_is_in_no_file_of_a_run(
    server: fault_server.Server, quiet: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    server.faults = {
        "1": [say(f"yes {KEY}")],
        "2": [status(401, json.dumps({"error": {"message": f"bad key {KEY}"}}))],
        "3": [raw(f"<p>{KEY}", Content_Type=f"text/{KEY}")],
        "4": [status(400, "x" * 190 + KEY)],
    }
    server.models = {"data": [{"id": "m", "owned_by": KEY}]}
    code = cli.run(["audit", named(server), "--api-key-env", "MY_KEY", "--out", "run", *quiet])
    assert code == 3
    assert {h["Authorization"] for h in server.headers_seen} == {f"Bearer {KEY}"}
    files = [path for path in Path("run").rglob("*") if path.is_file()]
    assert {"journal.sqlite", "result.json", "report.html", FILE} <= {path.name for path in files}
    assert [path for path in files if KEY[:8].encode() in path.read_bytes()] == []
    printed = capfd.readouterr()
    assert KEY[:8] not in printed.out + printed.err
    assert f"prompts are sent to 127.0.0.1:{server.server_address[1]}" in printed.err
    assert "40 requests sent" in " ".join(printed.out.split())
    assert "--api-key-env MY_KEY" in Path("run/result.json").read_text()


def test_a_server_that_is_not_there_leaves_no_folder(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "openai:http://127.0.0.1:9/v1#m", "--out", "run"]) == 2
    assert "is the server running?" in capfd.readouterr().err
    assert not Path("run").exists()


@pytest.mark.parametrize("fault", [say(""), say(None, refusal="I will not.")])
def test_a_model_that_says_nothing_is_remarked_upon(server: fault_server.Server, fault: fault_server.Fault) -> None:
    remark = "most answers are empty or refusals"
    server.faults = {str(i): [fault] for i in range(20)}
    assert remark not in read_as(audited(server))
    server.faults = {str(i): [fault] for i in range(21)}
    assert remark in read_as(run_audit(named(server), out="again")[0])


def test_what_a_server_is_found_not_to_take_is_in_the_report(server: fault_server.Server) -> None:
    def strict(handler: Any, body: dict[str, Any]) -> None:
        (status(400, '{"error": {"message": "unknown field: seed"}}') if "seed" in body else say("no"))(handler, body)

    server.always = strict
    assert "the server takes no seed" in read_as(audited(server))


@pytest.mark.parametrize(
    ("text", "temperature", "remarked"),
    [("the same", 1.0, True), ("the same", 0.0, False), (None, 1.0, False), ("", 1.0, False)],
)
def test_a_server_that_does_not_sample_is_remarked_upon(
    server: fault_server.Server, monkeypatch: pytest.MonkeyPatch, text: str | None, temperature: float, remarked: bool
) -> None:
    monkeypatch.setattr(Asks, "different", 3)
    monkeypatch.setattr(Asks, "temperature", temperature)

    def answers(handler: Any, body: dict[str, Any]) -> None:
        say(f"drawn with {body['seed']}" if text is None else text)(handler, body)

    server.always = answers
    said = read_as(audited(server))
    assert ("37 of 37 answers to a question asked before, with another seed, repeat an earlier one" in said) is remarked
    assert ("repeat an earlier one" in said) is remarked
    lines = [json.loads(line) for line in Path("run", FILE).read_text().splitlines()]
    assert sum(line.get("repeats") is True for line in lines) == (37 if remarked else 0)


def test_a_chat_is_said_to_give_no_log_probabilities(
    server: fault_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asks, "requires", frozenset({Access.LOGPROBS}))
    result = audited(server)
    (finding,) = result.findings
    assert finding.status == "not-assessed"
    why = "missing: access 'logprobs' to the target (a chat gives no log-probabilities of what it is asked)"
    assert finding.reason == why
    assert server.asked == []


def test_a_server_that_ignores_echo_is_asked_once_and_the_finding_says_it(
    server: fault_server.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asks, "requires", frozenset({Access.LOGPROBS}))
    result = run_audit(f"openai-completions:{server.url}#m", out="run")[0]
    (finding,) = result.findings
    assert finding.status == "not-assessed"
    assert "'echo': the server ignores 'echo'" in str(finding.reason)
    assert "'prompt_logprobs': the server gives no 'prompt_logprobs'" in str(finding.reason)
    assert "logprobs" not in result.targets[0].access
    assert "the server gives no log-probabilities of a text that it is sent" in read_as(result)
    assert [body.get("echo") for body in server.asked] == [True, None]
    assert (requests(result).sent, requests(result).failed) == (2, {"the answer could not be used": 2})


def test_a_dry_run_says_that_log_probabilities_are_asked_for_later(
    server: fault_server.Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Asks, "requires", frozenset({Access.LOGPROBS}))
    assert cli.run(["audit", f"openai-completions:{server.url}#m", "--dry-run"]) == 0
    assert "whether the server gives log-probabilities is asked when the audit begins" in capfd.readouterr().out
    assert server.asked == []


def test_the_shares_are_those_of_what_was_answered(server: fault_server.Server) -> None:
    server.faults = {str(i): [say("yes")] for i in range(10)}
    (finding,) = audited(server).findings
    assert finding.measurement is not None
    assert (finding.measurement.value, finding.measurement.low) == pytest.approx(wilson(10, 40)[:2])
