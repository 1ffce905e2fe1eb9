"""The documents say what is so: their examples run, the options they name exist, and none is left out."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from guardrails.cli._app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
FENCE = re.compile(r"^```(\w+)( run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OTHER_TOOLS = {
    "--address",
    "--durations",
    "--list",
    "--num-cpus",
    "--no-deps",
    "--require-hashes",
    "--confirm",
    "--minutes",
    "--only",
}


def load(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(script, ROOT / "scripts" / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: Path, language: str) -> list[tuple[bool, str]]:
    """Return (is to be run, code) of each block in a language."""
    fences = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(bool(run), code) for name, run, code in fences if name == language]


def has_output(page: Path) -> bool:
    """Tell whether a page shows what commands print."""
    return any(run for run, _ in blocks(page, "console"))


def has_examples(page: Path) -> bool:
    """Tell whether any of a page's Python is to be run."""
    return any(run for run, _ in blocks(page, "python"))


def commands() -> dict[str, set[str]]:
    """Return the options of each command, by its words."""
    group: Any = typer.main.get_command(app)
    known: dict[str, set[str]] = {"": {"--version", "--help", "-h"}}
    todo = [("", group)]
    while todo:
        words, command = todo.pop()
        known[words] = known.get(words, set()) | {option for p in command.params for option in p.opts}
        known[words] |= {"--help", "-h"}
        todo += [(f"{words} {name}".strip(), child) for name, child in getattr(command, "commands", {}).items()]
    return known


def split(line: str) -> tuple[str, list[str]]:
    """Return the command's words and the rest of a line such as ``guardrails train generator x --seed 1``."""
    words = shlex.split(line.partition(" #")[0])[1:]
    command = ""
    while words and f"{command} {words[0]}".strip() in commands():
        command = f"{command} {words.pop(0)}".strip()
    return command, words


@EVERY_PAGE
def test_python_is_python(page: Path) -> None:
    for _, code in blocks(page, "python"):
        compile(code, str(page), "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if has_examples(page) and not has_output(page)], ids=str)
def test_examples_run(page: Path, tmp_path: Path) -> None:
    load("run_examples").refreshed(page, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if has_output(page)], ids=str)
def test_commands_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    examples = load("run_examples")
    text = examples.without_use(examples.refreshed(page, tmp_path))
    assert text == examples.without_use(page.read_text(encoding="utf-8")), "type: make docs"


def test_an_example_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console run\nguardrails list formats --json\n[]\n```\n\n```text\nguardrails list\n```\n")
    text = load("run_examples").refreshed(page, tmp_path)
    assert text.startswith("```console run\nguardrails list formats --json\n[\n")
    assert "html" in text
    assert text.endswith("]\n```\n\n```text\nguardrails list\n```\n")


def test_an_example_that_is_refused_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console run\nguardrails audit nosuch:thing\n```\n")
    with pytest.raises(RuntimeError, match="guardrails audit nosuch:thing\nexit code 2"):
        load("run_examples").refreshed(page, tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if any(run for run, _ in blocks(page, "toml"))], ids=str)
def test_policies_in_the_documents_are_policies(page: Path, tmp_path: Path) -> None:
    from guardrails.assay.policy.check import mistakes_in
    from guardrails.assay.policy.policy import load_policy

    for run, code in blocks(page, "toml"):
        if run:
            (tmp_path / "policy.toml").write_text(code, encoding="utf-8")
            policy = load_policy(tmp_path / "policy.toml")
            assert mistakes_in(policy) == []
            assert policy.extends == ("default",)
            assert policy.changed
            assert policy.removed


@EVERY_PAGE
def test_command_lines_are_accepted(page: Path) -> None:
    lines = [line for _, code in blocks(page, "console") for line in code.splitlines()]
    for line in lines:
        if line.startswith("guardrails"):
            command, words = split(line)
            assert command, line
            assert {word for word in words if word.startswith("-")} <= commands()[command], line


@EVERY_PAGE
def test_every_option_that_is_named_exists(page: Path) -> None:
    named = set(OPTION.findall(page.read_text(encoding="utf-8"))) - OTHER_TOOLS
    assert named <= set().union(*commands().values())


def test_every_command_and_option_is_documented() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for command, options in commands().items():
        assert command.split(" ")[0] in text
        for option in options - {"-h"}:
            assert re.search(rf"{re.escape(option)}\b", text), f"{command} {option}"


def test_the_pages_of_probes_and_generators_are_up_to_date() -> None:
    for path, text in load("write_docs").pages().items():
        assert path.read_text(encoding="utf-8") == text, "type: make docs"


def test_a_broken_link_and_a_lost_page_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checker = load("check_links")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("[a](a.md#one) [b](b.md) [c](a.md#two) [web](https://example.org) `[no](no.md)`\n")
    (docs / "a.md").write_text("# One\n")
    (docs / "lost.md").write_text("# Lost\n")
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    monkeypatch.setattr(checker, "START", docs / "index.md")
    monkeypatch.setattr(checker, "documents", lambda root: root.rglob("*.md"))
    assert checker.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "docs/index.md: b.md: no such file",
        "docs/index.md: a.md#two: no such heading",
        "docs/lost.md: no way here from docs/index.md",
    ]
