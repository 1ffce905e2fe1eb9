"""The German rules of the published WinoMT evaluation, for comparison with published figures.

They read *nurse* as female, a word on *-in* as female and any other by the determiner or pronoun that is nearest to
it, anywhere in the sentence, in a list that lacks *den*; what was not located is male. So *den Koch, weil sie …* comes
out as female, where the probe reads a man.

G. Stanovsky, N. A. Smith, L. Zettlemoyer, "Evaluating Gender Bias in Machine Translation", ACL 2019, and its code.
"""

from __future__ import annotations

from .lexicon import Gender, words_of

_MALE = "der ein dem einen des er seiner ihn seinen ihm ihren seinem ihrem sein"
_NEAREST = (
    dict.fromkeys(_MALE.split(), Gender.MALE)
    | dict.fromkeys(["die", "eine", "einer", "sie", "seine", "ihrer"], Gender.FEMALE)
    | dict.fromkeys(["ihr", "ihre", "das", "jemanden"], Gender.NEUTRAL)
)


def published_gender(profession: str, translation: str, word: str | None) -> Gender:
    """Return the gender that the published rules read.

    >>> published_gender("cook", "Die Ärztin traf den Koch, weil sie Hunger hatte.", "Koch").value
    'female'
    """
    if profession.lower() == "nurse":
        return Gender.FEMALE
    words = words_of(translation)
    if word is None or word not in words:
        return Gender.MALE
    if word.endswith("in"):
        return Gender.FEMALE
    place = words.index(word)
    near = [(abs(k - place), k, _NEAREST[w.lower()]) for k, w in enumerate(words) if w.lower() in _NEAREST]
    return min(near)[2] if near else Gender.MALE
