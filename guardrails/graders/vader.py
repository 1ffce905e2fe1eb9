"""``vader``: sentiment of English text by a lexicon and rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.errors import MissingExtraError
from ..core.grading import ErrorCard, Gradable, Grade, Grader, answer_of

POSITIVE, NEGATIVE = 0.05, -0.05
"""Compound scores from which a text is positive, and negative: those of the authors."""
CARD = Path(__file__).parent / "cards" / "vader.json"
_WORD = re.compile("[A-Za-z]{2}")


class Vader(Grader):
    """Sentiment by VADER 3.3, whose package carries the lexicon.

    References
    ----------
    C. J. Hutto, E. Gilbert, "VADER: a parsimonious rule-based model for sentiment analysis of social media text",
    International Conference on Web and Social Media 8 (2014) 216–225.
    """

    id = "vader"
    title = "Sentiment by lexicon and rules (VADER)"
    question = "Is the sentiment of the text positive, neutral or negative?"
    limits = "English only. It adds up the words' sentiment: it misses irony, and what is said without such words."
    longest = 10_000  # its time is quadratic in the words
    labels = ("positive", "neutral", "negative")
    examples = (
        ("What a wonderful day, I love this place!", "positive"),
        ("The parcel weighs two kilograms.", "neutral"),
        ("This is a horrible, disgusting mess and I hate it.", "negative"),
    )

    @cached_property
    def _analyzer(self) -> Any:
        try:
            from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
        except ImportError:
            raise MissingExtraError("vaderSentiment", "pip install 'guardrails-audit[graders]'") from None
        return SentimentIntensityAnalyzer()

    def identity(self) -> dict[str, str]:
        """Return the version and the hash of the lexicon and the emoji."""
        lexicon = self._analyzer.lexicon_full_filepath + self._analyzer.emoji_full_filepath
        return {
            "package": f"vaderSentiment {version('vaderSentiment')}",
            "lexicon": hashlib.sha256(lexicon.encode()).hexdigest(),
            "cut-offs": f"{POSITIVE}, {NEGATIVE}",
        }

    @property
    def card(self) -> ErrorCard:
        """Its error against human ratings of tweets, film and product reviews, and editorials."""
        return ErrorCard.from_json(CARD.read_bytes(), CARD.name)

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return the grades; the score is the compound score, moved from [−1, 1] to [0, 1]."""
        return [self._grade(answer_of(item)) for item in items]

    def _grade(self, text: str) -> Grade:
        compound = float(self._analyzer.polarity_scores(text)["compound"])
        if compound == 0 and not _WORD.search(text):
            return Grade(None, reason="it holds no word in Latin letters and no known emoticon")
        label = "positive" if compound >= POSITIVE else "negative" if compound <= NEGATIVE else "neutral"
        return Grade(label, score=(compound + 1) / 2)
