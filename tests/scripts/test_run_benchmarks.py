"""`make bench`: every benchmark is found, each with its peers, and none is left out in silence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))
import run_benchmarks as bench


def test_those_in_sub_folders_are_found_and_helpers_are_not() -> None:
    known = bench.benchmarks()
    assert {"memory", "deepfake/scan", "privacy/index"} <= known.keys()
    assert not {"privacy/rows", "privacy/logs"} & known.keys()
    assert bench.COMMANDS.keys() <= known.keys()


def test_each_file_of_peers_belongs_to_a_benchmark() -> None:
    known = bench.benchmarks()
    named = {bench.requirements(file, bench.COMMANDS.get(name, bench.Command())) for name, file in known.items()}
    assert set(bench.FOLDER.rglob("requirements*.txt")) == named - {None}


def test_what_it_is_given_is_what_it_takes() -> None:
    """A benchmark with peers imports them, or is told where they are; its arguments stand in its own usage."""
    for name, command in bench.COMMANDS.items():
        file = bench.benchmarks()[name]
        text = file.read_text(encoding="utf-8")
        if bench.requirements(file, command) is not None:
            assert command.within or command.read_only or "{peers}" in command.arguments, name
        assert all(need in text or need == bench.ART for need in command.needs), name
        assert all(word in text for word in command.arguments if word.startswith("--")), name


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of benchmarks: one prints what it is given, one fails; no peer is installed."""
    top = tmp_path / "benchmarks"
    (top / "deep").mkdir(parents=True)
    text = (
        "import sys\n\nif __name__ == \"__main__\":\n    open(sys.argv[1] + '/words', 'w').write(repr(sys.argv[1:]))\n"
    )
    (top / "deep" / "given.py").write_text(text)
    (top / "broken.py").write_text('\nif __name__ == "__main__":\n    raise SystemExit(3)\n')
    (top / "deep" / "lacking.py").write_text('\nif __name__ == "__main__":\n    raise SystemExit(3)\n')
    benchmarks = bench.benchmarks
    monkeypatch.setattr(bench, "benchmarks", lambda: benchmarks(top))
    commands = {
        "deep/given": bench.Command(("{keep}", "{GUARDRAILS_ART}"), (bench.ART,)),
        "deep/lacking": bench.Command(needs=(bench.SPEECH,)),
    }
    monkeypatch.setattr(bench, "COMMANDS", commands)
    monkeypatch.setenv(bench.ART, str(tmp_path))
    monkeypatch.delenv(bench.SPEECH, raising=False)
    return tmp_path


def test_one_that_fails_does_not_end_the_others(two: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--keep", str(two / "keep")]) == 1
    out, err = capfd.readouterr()
    given = two / "keep" / "deep" / "given"
    assert (given / "words").read_text() == repr([str(given), str(two)])
    assert "== deep/lacking: left out, GUARDRAILS_SPEECH does not name the folder of scripts/fetch_speech.py" in out
    assert err.splitlines()[-1] == "failed: broken"
    assert bench.main(["deep/given", "--keep", str(two / "keep")]) == 0


def test_a_list_runs_nothing(two: Path) -> None:
    assert bench.main(["--list", "--keep", str(two / "keep")]) == 0
    assert not (two / "keep").exists()


def test_a_wrong_name_is_a_mistake(two: Path) -> None:
    with pytest.raises(SystemExit):
        bench.main(["deep/givn"])


@pytest.mark.slow
@pytest.mark.parametrize("within", [True, False])
def test_peers_have_an_environment_of_their_own(two: Path, within: bool) -> None:
    import subprocess

    peers = two / "requirements-none.txt"
    peers.write_text("# none\n")
    python = bench.environment_of(peers, two / "keep", within=within)
    look = [str(python), "-P", "-c", "import guardrails, numpy"]
    assert (subprocess.run(look, capture_output=True, cwd=two, env={}).returncode == 0) is within
    before = python.lstat().st_ctime_ns
    assert bench.environment_of(peers, two / "keep", within=within).lstat().st_ctime_ns == before
