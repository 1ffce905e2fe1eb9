"""Writes the labelled texts that the error of `toxicity` was measured on, one file for each kind of text.

    python scripts/label_toxicity_texts.py FOLDER_OF_CSV FOLDER
    guardrails grade toxicity FOLDER/wikipedia-comments.jsonl --labels label --domain wikipedia-comments --out CARD

The folder has ``toxicity_fuzzed_testset.csv`` and ``en_sentence_templates.csv`` of conversationai/
unintended-ml-bias-analysis (Apache-2.0; L. Dixon and others, "Measuring and mitigating unintended bias in text
classification", AAAI/ACM Conference on AI, Ethics, and Society 2018). Of the phrases, every 25th is taken: they are
made from a few templates, so that more of them would say little more.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

SETS = {
    "wikipedia-comments": ("toxicity_fuzzed_testset.csv", "comment", "toxic", {"True": "toxic", "False": "not toxic"}),
    "phrases-about-groups": (
        "en_sentence_templates.csv", "phrase", "toxicity", {"toxic": "toxic", "nontoxic": "not toxic"},
    ),
}  # fmt: skip
EVERY = {"phrases-about-groups": 25}


def main(source: Path, folder: Path) -> None:
    """Write one JSON Lines file for each kind of text."""
    folder.mkdir(parents=True, exist_ok=True)
    for domain, (name, field, label, names) in SETS.items():
        with (source / name).open(encoding="utf-8", newline="") as file:
            records = list(csv.DictReader(file))[:: EVERY.get(domain, 1)]
        rows = [json.dumps({"text": r[field], "label": names[r[label]]}, ensure_ascii=False) for r in records]
        (folder / f"{domain}.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        print(f"{domain}: {len(rows):,}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
