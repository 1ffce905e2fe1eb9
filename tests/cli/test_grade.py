"""``guardrails grade``: rates with the grader's error, and how a user measures that error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from guardrails import cli

MODULE = """
def rude(items):
    return [None if "?" in item else "!" in item for item in items]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "grader_of_the_cli_test", raising=False)
    (tmp_path / "grader_of_the_cli_test.py").write_text(MODULE)
    return tmp_path


NAME = "python:grader_of_the_cli_test:rude"


def write(name: str, *groups: tuple[str, str | None, int]) -> None:
    rows = [{"text": text} | ({} if truth is None else {"truth": truth}) for text, truth, n in groups for _ in range(n)]
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def measure() -> int:
    write("labelled.jsonl", ("no!", "rude", 90), ("no", "rude", 10), ("yes", "calm", 95), ("yes!", "calm", 5))
    names = ["--map", "rude=yes", "--map", "calm=no"]
    return cli.run(["grade", NAME, "labelled.jsonl", "--labels", "truth", *names, "--domain", "chats", "--out", "card"])


def test_a_measured_error_corrects_later_rates(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure() == 0
    assert "0.900 [0.826, 0.945]" in capsys.readouterr().out
    write("new.jsonl", ("no!", None, 30), ("no", None, 170))
    options = ["--card", "card/card.json", "--domain", "chats", "--json", "--out", "graded"]
    assert cli.run(["grade", NAME, "new.jsonl", *options]) == 0
    rows = {row["label"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert rows["yes"]["rate"] == pytest.approx((0.15 - 0.05) / 0.85)
    assert rows["no"]["rate"] == pytest.approx(1 - (0.15 - 0.05) / 0.85)
    assert rows["yes"]["as graded"] == pytest.approx(0.15)
    assert rows["yes"]["sensitivity"][0] == 0.9
    grades = [json.loads(line) for line in Path("graded/grades.jsonl").read_text().splitlines()]
    assert [grade["item"] for grade in grades] == list(range(1, 201))
    assert "no!" not in Path("graded/grades.jsonl").read_text()


def test_the_card_says_what_measured_it() -> None:
    measure()
    control = json.loads(Path("card/card.json").read_text())["controls"][0]
    assert control["command"] == (
        f"guardrails grade {NAME} labelled.jsonl --text-field text --labels truth --map rude=yes --map calm=no "
        "--domain chats"
    )
    assert control["data"] == "labelled.jsonl"


def test_the_command_in_a_card_measures_the_same() -> None:
    measure()
    first = json.loads(Path("card/card.json").read_text())
    command = first["controls"][0]["command"].split()[1:]
    assert cli.run([*command, "--out", "again"]) == 0
    assert json.loads(Path("again/card.json").read_text()) == first


def test_another_domain_is_added_to_a_card() -> None:
    measure()
    write("mails.jsonl", ("no!", "yes", 3), ("a", "no", 4))
    options = ["--labels", "truth", "--domain", "mails", "--card", "card/card.json", "--out", "both"]
    assert cli.run(["grade", NAME, "mails.jsonl", *options]) == 0
    card = json.loads(Path("both/card.json").read_text())
    assert [control["domain"] for control in card["controls"]] == ["chats", "chats", "mails", "mails"]


@pytest.mark.parametrize("domain", [[], ["--domain", "mails"]])
def test_outside_the_measured_domains_the_rate_stays_as_graded(
    domain: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vaderSentiment")
    write("new.jsonl", ("I love this", None, 30), ("I hate this", None, 10))
    assert cli.run(["grade", "vader", "new.jsonl", *domain]) == 0
    captured = capsys.readouterr()
    assert "not corrected: the grader's error was not measured on items of this kind" in captured.out
    assert "0.750" in captured.out
    assert "editorials, film-reviews, product-reviews, tweets" in captured.err


def test_its_shipped_error_corrects_a_rate_in_its_domain(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vaderSentiment")
    write("new.jsonl", ("I love this", None, 60), ("I hate this", None, 25), ("It is a parcel", None, 15))
    assert cli.run(["grade", "vader", "new.jsonl", "--domain", "film-reviews", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert (row["label"], row["domain"], row["as graded"]) == ("positive", "film-reviews", 0.6)
    assert row["rate"] != row["as graded"]
    assert row["interval"][0] <= row["rate"] <= row["interval"][1]


def test_more_than_one_in_twenty_ungraded_is_no_rate_and_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    write("new.jsonl", ("no!", None, 30), ("why?", None, 2))
    assert cli.run(["grade", NAME, "new.jsonl"]) == 3
    assert (
        "2 of 32 items could not be graded, more than 5%; the first: the function gave no label"
        in capsys.readouterr().out
    )


def test_a_useless_grader_gives_no_rate(capsys: pytest.CaptureFixture[str]) -> None:
    write("labelled.jsonl", ("a!", "yes", 10), ("a", "yes", 10), ("a!", "no", 10), ("a", "no", 10))
    assert cli.run(["grade", NAME, "labelled.jsonl", "--labels", "truth", "--domain", "d", "--out", "card"]) == 0
    write("new.jsonl", ("a!", None, 30))
    assert cli.run(["grade", NAME, "new.jsonl", "--domain", "d", "--card", "card/card.json"]) == 3
    assert "not shown to be better than chance" in capsys.readouterr().out


def test_a_grader_that_changed_is_not_corrected_by_its_old_card(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure()
    (here / "grader_of_the_cli_test.py").write_text(MODULE + "\n# changed\n")
    assert cli.run(["grade", NAME, "labelled.jsonl", "--domain", "chats", "--card", "card/card.json"]) == 2
    assert "differs from the one in use in file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vader", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["vadar", "new.jsonl"], "unknown grader 'vadar'"),
        ([NAME, "new.jsonl", "--text-field", "body"], "no field 'body'; its fields are text"),
        ([NAME, "new.jsonl", "--labels", "truth"], "--labels needs --domain NAME"),
        ([NAME, "new.jsonl", "--labels", "truth", "--domain", "d"], "no label in the field 'truth'"),
        ([NAME, "new.jsonl", "--card", "card.json"], "--card needs --domain NAME"),
        ([NAME, "new.jsonl", "--card", "nowhere.json", "--domain", "d"], "nowhere.json cannot be read"),
        ([NAME, "new.jsonl", "--card", "new.jsonl", "--domain", "d"], "is no error card"),
        ([NAME, "new.jsonl", "--map", "a=yes"], "--map says which values"),
        ([NAME, "new.jsonl", "--map", "a=b", "--labels", "truth", "--domain", "d"], "--map a=b: write VALUE=LABEL"),
        (
            [NAME, "new.jsonl", "--map", "a=yes", "--map", "a=no", "--labels", "truth", "--domain", "d"],
            "--map gives 'a' two labels: yes and no",
        ),
        ([NAME, "new.jsonl", "--out", "."], "is not an empty folder"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("new.jsonl", ("no!", None, 3))
    assert cli.run(["grade", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_items_that_repeat_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    write("new.jsonl", ("no!", None, 3), ("no", None, 1))
    assert cli.run(["grade", NAME, "new.jsonl"]) == 0
    assert "2 of 4 items repeat an earlier one" in capsys.readouterr().err
    write("new.jsonl", ("no!", None, 1), ("no", None, 1))
    assert cli.run(["grade", NAME, "new.jsonl"]) == 0
    assert "repeat" not in capsys.readouterr().err


def test_the_graders_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "graders", "--json"]) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)]
    assert names == ["hf:…", "judge:…", "python:…", "refusal", "regard", "sentiment", "toxicity", "vader"]
