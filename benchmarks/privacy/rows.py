"""Rows of invented personal data, and of what only looks alike, for `separators.py`.

Kinds × separators × labels of four languages × templates, in three parts with other templates, labels and seeds.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from invented_data import address, birth, card, email, iban, ip, national, phone, secret, ssn
from labels import ALONE, LABELS, NEW_LABELS, NEW_NO_LABEL, NEW_TEMPLATES, NO_LABEL, SEPARATORS, TEMPLATES
from lookalikes import hard

ROWS = 60
"""Rows for each kind and separator."""
HARD = 40
"""Rows for each kind of thing that only looks alike."""


@dataclass(frozen=True)
class Row:
    """A text with the place of its datum, if it holds one."""

    text: str
    kind: str
    how: str
    start: int = 0
    end: int = 0


GROUPED = {"card": card, "iban": iban, "ssn": ssn, "phone": phone, "national-id": national}
WHOLE: dict[str, Callable[..., str]] = {
    "email": email,
    "ip": ip,
    "birth-date": birth,
    "address": address,
    "secret": secret,
}
PARTS = ("choose", "check", "new")
LANGUAGES = ("en", "de", "fr", "es")


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text)


def made(rng: random.Random, kind: str, how: str, half: int) -> Row:
    """Return a row of one half."""
    language = rng.choice(LANGUAGES)
    many = (phone, national, birth, address)
    maker = GROUPED.get(kind) or WHOLE[kind]
    value = maker(rng, language) if maker in many else maker(rng)
    if kind in GROUPED:
        separator = SEPARATORS[how]
        datum = separator.join(value)
        datum = wide(datum) if how == "fullwidth digits" else datum
        if kind == "phone":
            forms = [datum, datum]
            if language == "de" and separator == "-":
                forms.append(f"{value[0]}/{value[1]}{value[2]}")
            if language == "en" and separator in (" ", "-", "\u00a0") and value[0] != "020":
                forms += [f"({value[0]}) {value[1]}-{value[2]}", f"+1{separator}{datum}"]
            datum = rng.choice(forms)
    else:
        datum = value
    usual = kind in ("card", "iban", "ssn") and how not in (
        "none",
        "fullwidth digits",
        "soft hyphen",
        "zero-width space",
        "word joiner",
    )
    bare = kind in ALONE or usual
    if bare and rng.random() < 0.3:
        template, label = rng.choice(NEW_NO_LABEL if half == 2 else NO_LABEL[half::2]), ""
    else:
        templates = NEW_TEMPLATES if half == 2 else TEMPLATES[half::2]
        known = LABELS[kind][language]
        labels = NEW_LABELS[kind][language] if half == 2 else known[half::2] or known
        template, label = rng.choice(templates), rng.choice(labels)
    head = template.replace("{{", "{").replace("}}", "}").replace("{l}", label).partition("{d}")[0]
    tail = template.replace("{{", "{").replace("}}", "}").replace("{l}", label).partition("{d}")[2]
    return Row(head + datum + tail, kind, how, len(head), len(head) + len(datum))


def rows(half: int) -> list[Row]:
    """Return the rows of one half."""
    out = []
    for kind in (*GROUPED, *WHOLE):
        for how in SEPARATORS if kind in GROUPED else ("",):
            rng = random.Random(f"{kind} {how} {half}")
            out += [made(rng, kind, how, half) for _ in range(ROWS if kind in GROUPED else 4 * ROWS)]
    rng = random.Random(f"hard {half}")
    for _ in range(HARD):
        out += [Row(rng.choice(ways if half == 2 else ways[half::2]), "", what) for what, ways in hard(rng)]
    return out
