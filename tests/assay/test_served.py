"""Audits of served models: what fails is counted, the budget holds, the key stays secret, nothing is asked twice."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from guardrails import cli
from guardrails.assay import resume
from guardrails.assay.audit import orchestrator as audit
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.audit.plan import make_settings
from guardrails.core.batch import Batch, Row
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Measurement, Requests
from guardrails.core.statistics import wilson
from guardrails.core.subject import Subject
from guardrails.core.targets import Access
from guardrails.targets.endpoint import Endpoint, EndpointOptions, Patience, Reply, Usage
from guardrails.targets.endpoint.ledger import FILE, Ledger

from ..targets.endpoint import fault_server
from ..targets.endpoint.fault_server import raw, say, status
from . import fakes

KEY = "sk-test-0123456789abcdef"


class Asks(fakes.FakeProbe):
    """Asks the prompts ``0``, ``1``, … and counts the answers that say yes."""

    size = 40
    different, temperature = 40, 1.0

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        if isinstance(subject.target, fakes.FakeTarget):
            return super().collect(subject, batch, seed=seed)
        target: Any = subject.target
        prompts = [str(int(item.id) % self.different) for item in batch.items]
        texts = target.generate(prompts, max_new_tokens=4, temperature=self.temperature, seed=seed)
        return [{"item": item.id, "yes": text == "yes"} for item, text in zip(batch.items, texts, strict=True)]

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        (m,) = super().measure([row for row in rows if "error" not in row], subject, seed=seed)
        return [m.model_copy(update={"errors": sum("error" in row for row in rows)})]

    def spike(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        return None


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes.install(monkeypatch)
    from guardrails.assay.audit import plan
    from guardrails.assay.policy import policy
    from guardrails.core import registry
    from guardrails.targets.endpoint import options

    for module in (registry, plan, policy):
        monkeypatch.setattr(module, "probes", lambda: {Asks.id: Asks})
    for module in (audit, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")
    patience = Patience(connect=5, read=5, total=10, attempts=2, first_wait=0.001)
    monkeypatch.setattr(options.EndpointOptions, "patience", patience)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[fault_server.Server]:
    with fault_server.running() as running:
        running.always = say("no")
        yield running


def named(server: fault_server.Server) -> str:
    return f"openai:{server.url}#m"


def audited(server: fault_server.Server, **endpoint: Any) -> AuditResult:
    return run_audit(named(server), endpoint=endpoint, out="run")[0]


def read_as(result: AuditResult) -> str:
    return result.targets[0].read_as["target"]


def requests(result: AuditResult) -> Requests:
    assert result.timing.cost is not None
    assert result.timing.cost.requests is not None
    return result.timing.cost.requests


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


# Log-probabilities


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


# Options


def test_the_command_and_a_plan_hold_the_options(server: fault_server.Server, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(f'target = "{named(server)}"\n[endpoint]\nconcurrency = 2\nmax_requests = 50\n')
    settings = make_settings({"endpoint": {"concurrency": 3}}, plan)
    assert (settings.endpoint.concurrency, settings.endpoint.max_requests) == (3, 50)
    assert "--concurrency 3 --max-requests 50" in settings.command()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--concurrency", "2"], "there is no target"),
        (["jsonl:x.jsonl", "--concurrency", "2"], "options of endpoints are for openai:"),
        (["openai:http://h/v1#m", "--max-cost", "2"], "max_cost needs price_in and price_out"),
        (["openai:http://h/v1#m", "--max-cost", "nan"], "endpoint.max_cost"),
        (["openai:http://h/v1#m", "--timeout", "0"], "endpoint.timeout"),
        (["openai:http://h/v1#m", "--api-key-env", KEY], "the name of an environment variable"),
        (["openai:http://h/v1#m", "--api-key-env", "NOT_SET"], "NOT_SET: there is no such environment variable"),
        (["openai:http://h/v1#m", "--api-key-env", KEY, "--max-cost", "2"], "max_cost needs"),
        (["--resume", "run", "--concurrency", "2"], "only TARGET, --set, its short forms and --api-key-env"),
    ],
)
def test_a_mistake_is_one_message(arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("x.jsonl").write_text('{"text": "a"}\n')
    assert cli.run(["audit", *arguments]) == 2
    printed = " ".join(capfd.readouterr().err.split())
    assert words in printed
    assert KEY not in printed
    assert "Traceback" not in printed


def test_a_dry_run_asks_nothing(server: fault_server.Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", named(server), "--concurrency", "2", "--dry-run"]) == 0
    assert server.asked == []
    assert "--concurrency 2" in capfd.readouterr().out


def test_from_python_an_endpoint_is_a_target(server: fault_server.Server) -> None:
    import guardrails

    model = Endpoint(named(server), EndpointOptions(max_requests=100))
    result = guardrails.audit(model)
    assert requests(result).sent == 40
    assert result.targets[0].identity["model"] == "m"
    again = guardrails.audit(model)
    assert requests(again).sent == 40
    assert len(server.asked) == 80
    with pytest.raises(ConfigurationError, match="give an Endpoint its own"):
        guardrails.audit(model, endpoint={"concurrency": 2})


def test_the_shares_are_those_of_what_was_answered(server: fault_server.Server) -> None:
    server.faults = {str(i): [say("yes")] for i in range(10)}
    (finding,) = audited(server).findings
    assert finding.measurement is not None
    assert (finding.measurement.value, finding.measurement.low) == pytest.approx(wilson(10, 40)[:2])


@pytest.mark.slow
def test_the_commands_of_the_documents_run(server: fault_server.Server, capfd: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "endpoints.md").read_text(encoding="utf-8")
    address = server.url.removesuffix("/v1")
    page = page.replace("http://127.0.0.1:8000", address).replace("https://api.example.com", address)
    page = page.replace("MY_API_KEY", "MY_KEY")
    Path("train.jsonl").write_text("".join(f'{{"text": "document {i}"}}\n' for i in range(50)))
    Path("test.jsonl").write_text("".join(f'{{"text": "other {i}"}}\n' for i in range(50)))
    Path("prompts.txt").write_text("Tell me a story.\n")
    Path("api.toml").write_text(next(block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)))
    lines = re.findall(r"^guardrails (audit (?:openai|http).*)$", page, re.MULTILINE)
    assert len(lines) >= 7
    for line in [line for line in lines if "--resume" not in line]:
        answers = [raw('{"results": [{"text": "no"}]}')] if "http:api.toml" in line else [say("no")]
        server.always = answers[0]
        asked = len(server.asked)
        code = cli.run([*shlex.split(line), *([] if "--dry-run" in line else ["--out", f"run{asked}"])])
        assert code == 0, (line, capfd.readouterr())
        scores = 2 if "openai-completions:" in line else 0  # asked for log-probabilities, in two forms
        assert len(server.asked) == asked + (0 if "--dry-run" in line else 40 + scores)
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "Endpoint(" in code]
    server.always = say("no")
    exec(compile(example, "endpoints.md", "exec"), {})
    assert "sent=40" in capfd.readouterr().out
