"""The scanner beside Presidio on rows made for it: kinds × separators × labels × languages, and what only looks alike.

    pip install -r benchmarks/privacy/requirements-pii.txt    # in an environment with guardrails, for this only
    python benchmarks/privacy/separators.py [--part choose|check|new] [--without-presidio] [--missed]

Each row is one datum of an invented person, written with some separator behind some label in one of four languages, or
a number that is nobody's (an order, a version, a hash). There are three parts, with other templates, labels and seeds:
words and patterns of the scanner were chosen on the first, corrected once on the second, and the third was written
afterwards and chose nothing; the documentation has its figures.

A span counts as right where it overlaps a label of its kind; `exact` says how many of these begin and end where the
label does. Presidio runs with its patterns alone, in English, at its own threshold of 0, for the kinds that it knows.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable

from rows import GROUPED, PARTS, WHOLE, Row, rows

from guardrails.core.statistics import wilson
from guardrails.privacy.personal_data.scanner import scan

PRESIDIO = {
    "email": "EMAIL_ADDRESS",
    "card": "CREDIT_CARD",
    "iban": "IBAN_CODE",
    "ssn": "US_SSN",
    "ip": "IP_ADDRESS",
    "phone": "PHONE_NUMBER",
}


Spans = list[tuple[str, int, int]]


def ours(text: str) -> Spans:
    return [(s.kind, s.start, s.end) for s in scan(text) if s.valid]


def presidio() -> Callable[[str], Spans]:
    from pii import KNOWN
    from pii import presidio as engine

    find, kinds = engine(None, KNOWN), {entity: kind for kind, entity in PRESIDIO.items()}
    return lambda text: [(kinds[entity], start, end) for entity, start, end in find(text)]


def shown(k: int, n: int) -> str:
    if not n:
        return "–"
    value, low, high = wilson(k, n)
    return f"{k}/{n} = {value:.3f} [{low:.3f}, {high:.3f}]"


def report(made_rows: list[Row], finders: dict[str, Callable[[str], Spans]], missed: bool) -> bool:
    """Print precision and recall by kind, misses by separator and false finds; return whether the bars hold."""
    detections = {who: [find(row.text) for row in made_rows] for who, find in finders.items()}
    met = True
    print(f"{'kind':13}{'who':12}{'recall':32}{'exact':32}{'precision':32}")
    for kind in (*GROUPED, *WHOLE):
        for who, spans in detections.items():
            if who == "presidio" and kind not in PRESIDIO:
                continue
            seen = exact = total = right = labelled = 0
            for row, got in zip(made_rows, spans, strict=True):
                of_kind = [(a, b) for k, a, b in got if k == kind]
                hit = [span for span in of_kind if row.kind == kind and span[0] < row.end and row.start < span[1]]
                labelled += row.kind == kind
                seen += bool(hit)
                exact += (row.start, row.end) in hit
                total, right = total + len(of_kind), right + len(hit)
            print(f"{kind:13}{who:12}{shown(seen, labelled):32}{shown(exact, seen):32}{shown(right, total):32}")
            met &= who == "presidio" or right >= 0.95 * total
    by = {who: defaultdict(lambda: [0, 0]) for who in detections}
    for who, spans in detections.items():
        for row, got in zip(made_rows, spans, strict=True):
            if row.kind in PRESIDIO:
                cell = by[who][row.kind, row.how]
                cell[0] += any(k == row.kind and a < row.end and row.start < b for k, a, b in got)
                cell[1] += 1
    for cell, (k, n) in by["guardrails"].items():
        other = by["presidio"][cell][0] if "presidio" in by else 0
        if k < n or k < other:
            print(f"  {cell[0]:8}{cell[1]:22} {k}/{n}" + (f"   presidio {other}" if "presidio" in by else ""))
            met &= k >= other
    for who, spans in detections.items():
        false = sum(bool(got) for row, got in zip(made_rows, spans, strict=True) if not row.kind)
        print(f"{who}: a find in {shown(false, sum(not row.kind for row in made_rows))} of the rows that are nobody's")
    if missed:
        for row, got in zip(made_rows, detections["guardrails"], strict=True):
            right = any(k == row.kind and (a, b) == (row.start, row.end) for k, a, b in got)
            wrong = [s for s in got if s[0] != row.kind or not (s[1] < row.end and row.start < s[2])]
            if (row.kind and not right) or wrong:
                finds = [(kind, row.text[a:b]) for kind, a, b in got]
                print(row.kind or "-", row.how, repr(row.text), repr(row.text[row.start : row.end]), finds, sep="|")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, default="new", help="which templates, labels and seeds")
    parser.add_argument("--without-presidio", action="store_true")
    parser.add_argument("--missed", action="store_true", help="list what is missed or wrong")
    options = parser.parse_args()
    if options.missed and options.part == "new":
        sys.exit("--missed would show the rows that the figures come from: it goes with another --part")
    finders: dict[str, Callable[[str], Spans]] = {"guardrails": ours}
    if not options.without_presidio:
        finders["presidio"] = presidio()
    met = report(rows(PARTS.index(options.part)), finders, options.missed)
    print(f"bars: {'met' if met else 'MISSED'}")
    sys.exit(not met)


if __name__ == "__main__":
    main()
