"""Options of an endpoint: on the command line, in a plan, from Python."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from guardrails import cli
from guardrails.assay.audit.plan import make_settings
from guardrails.core.errors import ConfigurationError
from guardrails.targets.endpoint import Endpoint, EndpointOptions

from ...targets.endpoint import fault_server
from ...targets.endpoint.fault_server import raw, say
from .asking import KEY, named, requests


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


@pytest.mark.slow
def test_the_commands_of_the_documents_run(server: fault_server.Server, capfd: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "endpoints.md").read_text(encoding="utf-8")
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
