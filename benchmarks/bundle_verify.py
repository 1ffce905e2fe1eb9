"""How fast a bundle of 1 GB is verified, as a ratio to ``sha256sum`` of the same file in the same run.

Usage: python benchmarks/bundle_verify.py [--megabytes 1024]
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.bundle.verify import verify
from guardrails.assay.bundle.write import bundle as write_bundle

REPEATS = 5


def main() -> None:
    """Write a bundle, verify it and hash it in turn, and print the medians and their ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=1024)
    megabytes = options.parse_args().megabytes
    with tempfile.TemporaryDirectory() as temporary:
        run, bundle = Path(temporary) / "run", Path(temporary) / "bundle.tar"
        run_audit("reference:tabular", probes="privacy.linkability", budget="quick", out=run)
        (run / "media").mkdir(exist_ok=True)
        piece = random.Random(0).randbytes(1 << 20)
        for number in range(megabytes):
            (run / "media" / f"{number:05}.png").write_bytes(number.to_bytes(8, "big") + piece[8:])
        write_bundle(run, bundle)
        hashing, verifying = [], []
        for _ in range(REPEATS):
            start = time.perf_counter()
            subprocess.run(["sha256sum", str(bundle)], check=True, stdout=subprocess.DEVNULL)
            hashing.append(time.perf_counter() - start)
            start = time.perf_counter()
            assert verify(bundle).ok
            verifying.append(time.perf_counter() - start)
    seconds, reference = statistics.median(verifying), statistics.median(hashing)
    print(f"{megabytes} MB, median of {REPEATS}: verify {seconds:.2f} s, sha256sum {reference:.2f} s")
    print(f"verify runs at {reference / seconds:.2f} of the speed of sha256sum")


if __name__ == "__main__":
    main()
