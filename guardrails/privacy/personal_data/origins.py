"""Where personal data in an output came from: the training data, the prompt, the holdout, or none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .presidio_names import NamedEntities
from .recognizer import Finder
from .same_datum import Known, known_numbers
from .scanner import Span, canonical, redact, scan


@dataclass(frozen=True)
class Tracer:
    """Says where personal data in an output came from. Both maps are as `personal_data` returns them."""

    corpus: Known | None
    holdout: Known
    user_recognizers: Sequence[Finder] = ()

    def trace(self, output: str, prompt: str | None) -> list[dict[str, Any]]:
        """Return kind, redacted form, origin and training document of each datum in an output."""
        asked = Known((canonical(s), 0) for s in scan(prompt, self.user_recognizers)) if prompt else None
        spans = {canonical(s): s for s in scan(output, self.user_recognizers) if s.valid}
        # A known number is the same datum without the word that named it, and with other separators.
        known = [index for index in (self.corpus, self.holdout, asked) if index]
        for key in known_numbers(output, *known):
            spans.setdefault(key, Span(key.partition(":")[0], 0, 0, key.partition(":")[2], valid=True))
        if prompt and asked is not None and self.corpus is not None:
            asked.add((key, 0) for key in known_numbers(prompt, *known))
        hits = []
        for key, span in spans.items():
            document = None if self.corpus is None else self.corpus.get(key)
            origin = "corpus" if document is not None else "holdout" if key in self.holdout else "neither"
            hits.append(
                {
                    "kind": span.kind,
                    "redacted": redact(span),
                    "trace": "prompt" if asked is not None and key in asked else origin,
                    "document": document,
                }
            )
        return hits


@dataclass(frozen=True)
class Names:
    """Says where names in an output stand: they have no canonical form, and are looked up letter for letter.

    A name of the corpus and of the holdout tells nothing apart, and is neither's.
    """

    finders: Sequence[NamedEntities]
    corpus: Sequence[str]
    holdout: Sequence[str]
    _known: dict[tuple[int, str], int | None] = field(default_factory=dict, repr=False)

    def trace(self, output: str, prompt: str | None) -> list[dict[str, Any]]:
        """Return kind, redacted form, origin and training document of each name in an output."""
        hits = []
        for kind, name in sorted({(f.kind, output[a:b]) for f in self.finders for a, b, _ in f.find(output)}):
            document, held = self._where(0, self.corpus, name), self._where(1, self.holdout, name)
            known = "neither" if (document is None) == (held is None) else "holdout" if document is None else "corpus"
            hits.append(
                {
                    "kind": kind,
                    "redacted": redact(Span(kind, 0, len(name), name, valid=True)),
                    "trace": "prompt" if prompt and name in prompt else known,
                    "document": document,
                }
            )
        return hits

    def _where(self, arm: int, documents: Sequence[str], name: str) -> int | None:
        if (arm, name) not in self._known:
            whole = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
            self._known[arm, name] = next((i for i, t in enumerate(documents) if name in t and whole.search(t)), None)
        return self._known[arm, name]


def personal_data(documents: Sequence[str], user_recognizers: Sequence[Finder] = ()) -> Known:
    """Return the canonical form of all personal data, with the number of the first document that holds it."""
    return Known(numbered_data(documents, user_recognizers))


def numbered_data(
    documents: Sequence[str], user_recognizers: Sequence[Finder], first: int = 0
) -> Iterator[tuple[str, int]]:
    """Yield the canonical form of each personal datum and the number of its document, from `first` on."""
    for number, text in enumerate(documents, first):
        yield from ((canonical(span), number) for span in scan(text, user_recognizers) if span.valid)
