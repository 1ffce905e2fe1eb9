"""Shows the detectors of a default scan their controls, and writes the outcomes that ship.

python scripts/write_control_outcomes.py

The outcomes hold for this machine's versions of Python and of the libraries that compute, and for these sources and
weights; where any of them is another one, a scan shows the controls itself.
"""

from __future__ import annotations

import json
import sys

from guardrails.assay.scan.detector_controls import control_of
from guardrails.assay.scan.run import DEFAULT
from guardrails.assay.scan.shipped_outcomes import FILE, key_of, shipped_outcome, versions
from guardrails.core.registry import load_detector

NAMES = (*DEFAULT, "deepfake.fusion:traces")


def main() -> int:
    """Write the file; what is current in it stays."""
    stated = {}
    for name in NAMES:
        outcome = shipped_outcome(name) or control_of(name, load_detector(name))
        if outcome.missing:
            print(f"{name}: {outcome.reason}", file=sys.stderr)
            return 1
        print(name, outcome.auc, outcome.n)
        stated[name] = {"key": key_of(name), "versions": versions(name), "outcome": outcome.model_dump()}
    FILE.write_text(json.dumps(stated, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
