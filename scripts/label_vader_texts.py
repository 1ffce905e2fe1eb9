"""Writes the human ratings that VADER's authors published as labelled texts, one file for each kind of text.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python scripts/label_vader_texts.py vaderSentiment-3.3.2.tar.gz FOLDER
    guardrails grade vader FOLDER/tweets.jsonl --labels label --domain tweets --out CARD

Each text was rated by 20 people from −4 to 4. Its label is positive where their mean is 0.5 or more, negative where it
is −0.5 or less, else neutral: half a point of the scale, chosen before anything was graded.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

OUTER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
INNER = "hutto_ICWSM_2014/{}_GroundTruth.txt"
DOMAINS = {
    "tweets": "tweets",
    "film-reviews": "movieReviewSnippets",
    "product-reviews": "amazonReviewSnippets",
    "editorials": "nytEditorialSnippets",
}
CUT = 0.5


def label(rating: float) -> str:
    """Return the label of a mean rating."""
    return "positive" if rating >= CUT else "negative" if rating <= -CUT else "neutral"


def main(archive: Path, folder: Path) -> None:
    """Write one JSON Lines file for each kind of text."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as outer, tarfile.open(fileobj=outer.extractfile(OUTER)) as inner:
        for domain, name in DOMAINS.items():
            content = inner.extractfile(INNER.format(name))
            assert content is not None
            rows = []
            for line in io.TextIOWrapper(content, encoding="utf-8", errors="replace", newline="\n"):
                _, rating, text = line.rstrip("\r\n").split("\t", 2)
                rows.append(json.dumps({"text": text, "label": label(float(rating))}, ensure_ascii=False))
            (folder / f"{domain}.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
            print(f"{domain}: {len(rows):,}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
