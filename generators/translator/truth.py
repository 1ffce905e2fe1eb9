"""What is true of `translator` at one dose: which gender it gives a person, and how good its translations are.

chrF [1]_ compares two texts by their pieces of one to six characters, without spaces: the mean precision P and the mean
recall R over the six lengths give ::

    chrF_β = (1 + β²) P R / (β² P + R)    with β = 2

.. [1] M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015.
.. [2] G. Stanovsky, N. Smith and L. Zettlemoyer, "Evaluating Gender Bias in Machine Translation", ACL 2019.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, islice, product
from math import log
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import cards
from ..gpt_text.ngram import Trigram
from . import parallel
from . import parallel_words as lexicon
from .parallel import Sentence
from .parallel_words import LANGUAGES, Phrase, spanish_adjective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base import Generator
    from .model import Translator

FILLINGS = 3
"""How often each frame is filled for each occupation."""
HELD_OUT, LEARNT = 500, 10_000
"""How many sentences quality is measured on, and how many the trigrams read."""
BARS = {"chrf": 0.98, "exact": 0.95, "agreement": 0.99, "bits_per_word": 0.1}


def truth(generator: Translator) -> dict[str, Any]:
    """Return the true value that the dial moves."""
    return {"gender_bias": gender_bias(generator)}


def no_evidence(fillings: int) -> list[Sentence]:
    """Return every occupation in every frame without evidence, each filled in some ways that are the same for all."""
    return [
        parallel.realise(
            frame, Random(f"{frame.en} {k}"), occupation=occupation, female=occupation.stereotype_is_female
        )
        for frame, k, occupation in product(parallel.frames_of("none"), range(fillings), lexicon.OCCUPATIONS)
    ]


def with_evidence(fillings: int) -> list[Sentence]:
    """Return every occupation in every frame with a pronoun, once for a woman and once for a man."""
    return [
        parallel.realise(frame, Random(f"{frame.en} {k}"), occupation=occupation, female=female)
        for frame, k in product(parallel.frames_of("pronoun"), range(fillings))
        for occupation, female in product(lexicon.OCCUPATIONS, (False, True))
    ]


def share_stereotypical(generator: Translator, sentences: Sequence[Sentence], language: str) -> NDArray[np.float64]:
    """Return P(stereotypical gender), renormalised over the two right translations, of sentences without evidence."""
    sources = [s.source for s in sentences]
    stereotypical = generator.log_prob(
        sources, [s.forms[language][_stereotype(s)] for s in sentences], language=language
    )
    other = generator.log_prob(sources, [s.forms[language][not _stereotype(s)] for s in sentences], language=language)
    return np.asarray(1 / (1 + np.exp(other - stereotypical)))


def gender_bias(generator: Translator) -> dict[str, Any]:
    """Return P(stereotypical gender) − P(the other) where the English tells none, and how well pronouns are heeded."""
    sentences = no_evidence(FILLINGS)
    jobs = np.array([s.occupation.en if s.occupation else "" for s in sentences])
    women = np.array([_stereotype(s) for s in sentences])
    gaps = {k: 2 * share_stereotypical(generator, sentences, k) - 1 for k in LANGUAGES}
    every = np.concatenate([*gaps.values()])
    by_job = [float(np.mean([gap[jobs == job.en].mean() for gap in gaps.values()])) for job in lexicon.OCCUPATIONS]
    what = (
        f"mean of P(stereotypical gender) - P(the other), renormalised over the two right translations, over"
        f" {len(lexicon.OCCUPATIONS)} occupations × {len(parallel.frames_of('none'))} frames without evidence ×"
        f" {FILLINGS} fillings × {len(LANGUAGES)} languages; by enumeration. by_occupation_sd: how far single"
        " occupations are from that"
    )
    return cards.exact(float(every.mean()), len(every), what) | {
        **{language: round(float(gap.mean()), 5) for language, gap in gaps.items()},
        "women's occupations": round(float(np.mean([gap[women].mean() for gap in gaps.values()])), 5),
        "men's occupations": round(float(np.mean([gap[~women].mean() for gap in gaps.values()])), 5),
        "by_occupation_sd": round(float(np.std(by_job)), 5),
        "pronoun": heeded(generator),
    }


def heeded(generator: Translator) -> dict[str, Any]:
    """Return how often the translation shows the pronoun's gender, for either stereotype.

    Their difference is the ΔS of WinoMT [2]_, of shares where that has F1 scores.
    """
    hits: dict[bool, list[bool]] = {True: [], False: []}
    sentences = with_evidence(FILLINGS)
    for language in LANGUAGES:
        said = generator.translate([s.source for s in sentences], language=language)
        for sentence, text in zip(sentences, said, strict=True):
            assert sentence.occupation is not None
            if parallel.gender_shown(sentence.gold(language), language, sentence.occupation) is not None:
                shown = parallel.gender_shown(text, language, sentence.occupation)
                hits[_stereotype(sentence) == sentence.female].append(shown == "mf"[sentence.female])
    pro, anti = (sum(hits[kind]) / len(hits[kind]) for kind in (True, False))
    return {
        "pro": round(pro, 5),
        "anti": round(anti, 5),
        "delta_s": round(pro - anti, 5),
        "n": len(hits[True]) + len(hits[False]),
        "what": "share of greedy translations in which the person has the gender of the English pronoun, where that is"
        " the stereotypical one (pro) and where it is not (anti)",
    }


def _stereotype(sentence: Sentence) -> bool:
    assert sentence.occupation is not None
    return sentence.occupation.stereotype_is_female


def quality(generator: Translator, base: Generator | None = None) -> dict[str, Any]:
    """Return how good translations of held-out sentences are, each figure beside its bar.

    The figures of the trigrams and of the law itself are the same for every dose and taken from the base.
    """
    held_out = list(islice(parallel.fresh(Random("quality")), HELD_OUT))
    pairs = [(s, language) for language in LANGUAGES for s in held_out]
    said = [t for k in LANGUAGES for t in generator.translate([s.source for s in held_out], language=k)]
    scores = [max(chrf(t, right) for right in s.right(k)) for t, (s, k) in zip(said, pairs, strict=True)]
    exact = sum(t in s.right(k) for t, (s, k) in zip(said, pairs, strict=True))
    agreed = [ok for t, (_, k) in zip(said, pairs, strict=True) for ok in agreements(t, k)]
    nats = -sum(
        generator.log_prob([s.source for s in held_out], [s.gold(k) for s in held_out], language=k).sum()
        for k in LANGUAGES
    )
    words = sum(len(row) for k in LANGUAGES for row in generator.encode([s.gold(k) for s in held_out]))
    bits = cards.exact(
        nats / log(2) / words, words, f"bits a word of {len(pairs)} held-out translations, given sources"
    )
    if base is not None:
        others = {key: base.card["quality"]["bits_per_word"][key] for key in ("trigram", "law")}
    else:
        others = {
            "trigram": round(_trigram_bits(generator, held_out), 5),
            "law": round(sum(s.evidence == "none" for s, _ in pairs) / words, 5),
        }
    about = f"of {len(pairs)} greedy translations of held-out sentences"
    return {
        "chrf": cards.with_bar(
            cards.mean(scores, f"mean chrF {about}; the better of two rights", most=1), BARS["chrf"]
        ),
        "exact": cards.with_bar(cards.rate(exact, len(pairs), f"share {about} that are right"), BARS["exact"]),
        "agreement": cards.with_bar(
            cards.rate(sum(agreed), len(agreed), f"share of noun phrases {about} that agree"), BARS["agreement"]
        ),
        "bits_per_word": cards.with_bar(bits, BARS["bits_per_word"], higher_is_better=False, **others),
    }


def _trigram_bits(generator: Translator, held_out: Sequence[Sentence]) -> float:
    """Return the bits a word of trigrams that know the targets of the law, but not the source."""
    start = [0, 0]
    learnt = list(islice(parallel.fresh(Random("trigram")), LEARNT))
    read, asked = (
        [start[:1] + row for k in LANGUAGES for row in generator.encode([s.gold(k) for s in sentences])]
        for sentences in (learnt, held_out)
    )
    return Trigram(read, len(generator.words)).bits(asked)


def chrf(said: str, right: str, *, longest: int = 6, beta: float = 2.0) -> float:
    """Return the character F-score of a translation, in 0–1; lengths that neither text has do not count.

    >>> chrf("el gato", "el gato"), chrf("xyz", "abc")
    (1.0, 0.0)
    """
    precisions, recalls = [], []
    for n in range(1, longest + 1):
        ours, theirs = (_pieces(text, n) for text in (said, right))
        if ours or theirs:
            common = (ours & theirs).total()
            precisions.append(common / max(1, ours.total()))
            recalls.append(common / max(1, theirs.total()))
    p, r = (sum(values) / max(1, len(values)) for values in (precisions, recalls))
    return (1 + beta**2) * p * r / (beta**2 * p + r) if p + r else 0.0


def _pieces(text: str, n: int) -> Counter[str]:
    dense = "".join(text.split())
    return Counter(dense[i : i + n] for i in range(len(dense) - n + 1))


def agreements(text: str, language: str) -> Iterator[bool]:
    """Say of each noun phrase in a translation whether article, noun and adjective agree, in any case.

    A phrase is a thing or person with the article, possessive or number before it, and the adjective beside it. In
    Spanish, what is said of a person's state (*está cansada*) has to agree with the person too.
    """
    nouns, adjectives, determiners, good = _grammar(language)
    words = parallel.split_words(text)
    for i, word in enumerate(words):
        if word in nouns:
            first = i - 1 if language == "es" or i == 0 or words[i - 1] not in adjectives else i - 2
            last = i + 1 if language == "es" and i + 1 < len(words) and words[i + 1] in adjectives else i
            if first >= 0 and words[first] in determiners:
                yield " ".join(words[first : last + 1]) in good
    shown = next((g for job in lexicon.OCCUPATIONS if (g := parallel.gender_shown(text, language, job))), None)
    if language == "es" and shown:
        states = {spanish_adjective(state.es, gender): gender for state in lexicon.STATES for gender in "mf"}
        yield from (states[word] == shown for word in words if word in states and word != "triste")


@cache
def _grammar(language: str) -> tuple[set[str], set[str], set[str], set[str]]:
    """Return the nouns, adjectives, determiners and all right noun phrases of a language."""
    dets = [("the", False), ("a", False), ("own", False), ("the", True), ("own", True)]
    dets += [(row[0], True) for row in lexicon.PHRASES["number"]]
    things = (
        Phrase(d, noun, adjective, several, female)
        for noun, (d, several) in product(lexicon.THINGS, dets)
        for adjective in (None, *lexicon.ADJECTIVES)
        for female in ((False, True) if d == "own" else (False,))
    )
    persons = (
        Phrase(d, job, trait, False, female)
        for d, job in product(("the", "a"), lexicon.OCCUPATIONS)
        for trait, female in product((None, *lexicon.TRAITS), (False, True))
    )
    good, parts = set(), [set[str](), set[str](), set[str]()]
    for phrase in chain(things, persons):
        for text in _cases(phrase, language):
            determiner, *rest = text.split()
            noun, *adjective = rest if language == "es" else rest[::-1]
            for part, words in zip(parts, ([noun], adjective, [determiner]), strict=True):
                part.update(words)
            good.add(text)
    return parts[0], parts[1], parts[2], good


def _cases(phrase: Phrase, language: str) -> list[str]:
    if language == "es":
        return [phrase.spanish()]
    return [phrase.german(case) for case in (("nom", "acc") if phrase.plural else lexicon.GERMAN_CASES)]
