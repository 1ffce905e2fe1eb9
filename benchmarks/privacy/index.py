"""The corpus index beside infini-gram: 40 MB of text, the longest match of 200 KB of outputs, 400 counts.

    pip install -r benchmarks/privacy/requirements-index.txt    # in an environment with guardrails, for this only
    python benchmarks/privacy/index.py

The corpus is the source of the running Python's standard library, a file a document, again and again with one word in
twenty exchanged, until there are 40 MB. Of 800 outputs of 250 characters a third hold 60 to 200 characters of it
verbatim; the rest of them is the library with one word in four exchanged. infini-gram indexes the same bytes (``u8``)
from a file that is made for it beforehand: only its sorting is timed, with one thread as ours and with all cores.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.memorization.text.corpus_index import CorpusIndex
from guardrails.memorization.text.index_folder import build_index

BARS = {"faster": 2.0, "cached": 30.0, "bytes": 8.0}
SIZE, OUTPUTS, LENGTH, COUNTS, NAIVE = 40_000_000, 800, 250, 400, 40
NO_LIMIT_ON_MEMORY = 64


def library() -> list[str]:
    """Return the readable files of the standard library."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    texts = []
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" not in path.parts:
            with contextlib.suppress(UnicodeDecodeError):
                texts.append(path.read_text(encoding="utf-8"))
    return [text for text in texts if text.strip() and "\0" not in text]


def varied(text: str, share: float, words: list[str], rng: random.Random) -> str:
    """Return a text with a share of its words exchanged."""
    pieces = re.split(r"(\W+)", text)
    return "".join(rng.choice(words) if p.isalnum() and rng.random() < share else p for p in pieces)


def make_corpus(rng: random.Random) -> tuple[list[str], list[str]]:
    """Return 40 MB of documents, and the words of the library."""
    files = library()
    words = sorted(set(re.findall(r"\w+", " ".join(files[:400]))))
    documents: list[str] = []
    size, turn = 0, 0
    while True:
        for text in files:
            document = varied(text, 0.05, words, rng) if turn else text
            documents.append(document)
            size += len(document.encode()) + 1
            if size >= SIZE:
                return documents, words
        turn += 1


def make_outputs(documents: list[str], words: list[str], rng: random.Random) -> list[str]:
    long = [d for d in documents if len(d) > 2 * LENGTH]

    def piece(length: int) -> str:
        document = rng.choice(long)
        at = rng.randrange(len(document) - length)
        return document[at : at + length]

    outputs = []
    for number in range(OUTPUTS):
        text = varied(piece(LENGTH), 0.25, words, rng)
        if number % 3 == 0:
            copied = piece(rng.randint(60, 200))
            text = text[:20] + copied + text[20 + len(copied) :]
        outputs.append(text[:LENGTH])
    return outputs


def seconds(work: Callable[[], Any], rounds: int = 1) -> float:
    """Return the best time of several."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def infini_gram(documents: list[str], folder: Path, cpus: int) -> float:
    """Return the seconds of infini-gram's sorting."""
    import infini_gram.indexing as peer

    folder.mkdir()
    offsets, size = [], 0
    with (folder / "tokenized.0").open("wb") as file:
        for document in documents:
            offsets.append(size)
            size += file.write(b"\xff" + document.encode())
    np.array(offsets, dtype=np.uint64).tofile(folder / "offset.0")
    arguments = argparse.Namespace(
        save_dir=str(folder), temp_dir=str(folder), worker_id=0, shards=1, workers=1, cpus=cpus,
        mem=NO_LIMIT_ON_MEMORY, token_width=1,
    )  # fmt: skip
    here = os.getcwd()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return seconds(lambda: peer.build_sa(arguments))
    finally:
        os.chdir(here)  # the peer changes it


def occurrences(text: bytes, string: bytes) -> Iterator[int]:
    """Yield every place, also of those that overlap, which `bytes.count` leaves out."""
    at = text.find(string)
    while at >= 0:
        yield at
        at = text.find(string, at + 1)


ANSWER = """
import json, re, sys, time
from guardrails.memorization.text.corpus_index import CorpusIndex
outputs = json.load(open(sys.argv[2]))

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

CorpusIndex.from_documents(["warm up"]).longest(["warm"])
best, before = None, peak()
for _ in range(5):
    begun = time.perf_counter()
    index = CorpusIndex.open(sys.argv[1])
    found = index.longest(outputs)
    best = min(best or 1e9, time.perf_counter() - begun)
print(json.dumps([best, peak() - before, [m.length for m in found]]))
"""


def main() -> None:
    rng = random.Random(0)
    documents, words = make_corpus(rng)
    outputs = make_outputs(documents, words, rng)
    size = sum(len(d.encode()) + 1 for d in documents)
    print(f"{size:,} bytes in {len(documents):,} documents; {sum(map(len, outputs)):,} characters of outputs")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus.jsonl").write_text("".join(json.dumps({"text": d}) + "\n" for d in documents))
        (folder / "outputs.json").write_text(json.dumps(outputs))
        built: list[CorpusIndex] = []
        in_memory = seconds(lambda: built.append(CorpusIndex.from_documents(documents)))
        at_once = seconds(lambda: built[0].longest(outputs))
        lengths = [m.length for m in built.pop().longest(outputs)]
        whole = seconds(lambda: build_index([folder / "corpus.jsonl"], folder / "ours"))
        peer = {
            cpus: infini_gram(documents, folder / f"peer-{cpus}", cpus) for cpus in sorted({1, os.cpu_count() or 1})
        }
        answered = subprocess.run(
            [sys.executable, "-c", ANSWER, str(folder / "ours"), str(folder / "outputs.json")],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        cached, grown, again = json.loads(answered.stdout)
        assert again == lengths
        index = CorpusIndex.open(folder / "ours")
        held = sum(a.nbytes for s in index.shards for a in (s.array.text, s.array.suffixes, s.array.keys, s.starts))
        fastest = min(peer.values())
        rows = [
            ("index in memory + longest match", f"{in_memory + at_once:.1f} s", ""),
            *((f"infini-gram, index alone, {cpus} threads", f"{s:.1f} s", "") for cpus, s in peer.items()),
            ("  times faster than its fastest", f"{fastest / (in_memory + at_once):.1f}", f"bar {BARS['faster']:g}"),
            ("index folder: read, sort, near-duplicates, write", f"{whole:.1f} s", ""),
            ("open the folder + longest match of all outputs", f"{cached:.3f} s", ""),
            ("  times faster than building in memory", f"{in_memory / cached:.0f}", f"bar {BARS['cached']:g}"),
            ("  times faster than building the folder", f"{whole / cached:.0f}", ""),
            ("mapped bytes a byte of text", f"{held / size:.2f}", f"bar {BARS['bytes']:g}"),
            ("resident memory that the answers took, a byte of text", f"{grown / size:.2f}", f"bar {BARS['bytes']:g}"),
            ("memory at most, in all", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB", ""),
        ]
        show(rows)
        show(counts(index, documents, folder / "peer-1", rng))


def show(rows: list[tuple[str, str, str]]) -> None:
    for what, figure, bar in rows:
        print(f"{what:55} {figure:>10}  {bar}", flush=True)


def counts(index: CorpusIndex, documents: list[str], peer: Path, rng: random.Random) -> list[tuple[str, str, str]]:
    """Return rows on counts: time, and whether they agree."""
    from infini_gram.engine import InfiniGramEngine

    strings = []
    while len(strings) < COUNTS:
        document = rng.choice(documents)
        at = rng.randrange(len(document))
        strings.append((document[at : at + rng.randint(1, 40)] or "e").encode())
    ours = index.counts(strings)
    engine = InfiniGramEngine([str(peer)], eos_token_id=254, vocab_size=255, token_dtype="u8")
    theirs = [engine.count(list(string))["count"] for string in strings]
    text = b"\xff".join(document.encode() for document in documents)
    naive = [sum(1 for _ in occurrences(text, string)) for string in strings[:NAIVE]]
    held = [sum(string in document.encode() for document in documents) for string in strings[:NAIVE]]
    agree = [count.occurrences for count in ours] == theirs
    literal = [tuple(count) for count in ours[:NAIVE]] == list(zip(naive, held, strict=True))
    return [
        (f"{COUNTS} counts", f"{seconds(lambda: list(index._ranges(strings)), 3):.3f} s", ""),
        (f"{COUNTS} counts, with numbers of documents", f"{seconds(lambda: index.counts(strings), 3):.3f} s", ""),
        (
            f"{COUNTS} counts of infini-gram",
            f"{seconds(lambda: [engine.count(list(s)) for s in strings], 3):.3f} s",
            "",
        ),
        ("  all agree", str(agree), "bar True"),
        (f"  {NAIVE} agree with a literal search, documents too", str(literal), "bar True"),
    ]


if __name__ == "__main__":
    main()
