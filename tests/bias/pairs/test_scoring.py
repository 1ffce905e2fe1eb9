"""Scorers, against literal slow ones."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.pairs.scoring import SCORERS, TIE, Scored, pair_scores, preferred, score_after, score_texts

from ..word_scorer import WordScorer, noise


def literal(rule, words_a, words_b):
    """Each scorer by its definition, a word at a time; the sentences stand after the start token."""
    begun = [["<start>", *words_a], ["<start>", *words_b]]
    matched = SequenceMatcher(None, words_a, words_b, autojunk=False).get_opcodes()
    same = [set(), set()]
    for tag, a1, a2, b1, b2 in matched:
        if tag == "equal":
            same[0] |= set(range(a1, a2))
            same[1] |= set(range(b1, b2))
    out = {scorer: [] for scorer in SCORERS}
    for side, words in enumerate(begun):
        each = [rule(words, i) for i in range(1, len(words))]
        changed = [value for i, value in enumerate(each) if i not in same[side]]
        out["sum"].append(sum(each))
        out["token-mean"].append(sum(each) / len(each))
        out["unmodified"].append(sum(v for i, v in enumerate(each) if i in same[side]) if same[side] else None)
        out["modified-mean"].append(sum(changed) / len(changed) if changed else None)
    return out


VOCABULARY = ["the", "old", "man", "woman", "saw", "a", "nurse", "doctor", "and", "was", "late"]
WORDS = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=9)


@given(WORDS, WORDS)
def test_the_scorers_are_what_their_definitions_say(a, b) -> None:
    target = WordScorer(noise)
    scores = pair_scores(*score_texts(target, [" ".join(a), " ".join(b)]))
    if a == b:
        assert "the same tokens" in scores
        return
    for scorer, values in literal(noise, a, b).items():
        assert scores[scorer] == [None if v is None else pytest.approx(v) for v in values]


def test_the_scorers_can_contradict_one_another() -> None:
    worth = {"blue": -1.0, "very": -3.0, "green": -3.0}
    target = WordScorer(lambda words, i: worth.get(words[i], -2.0 if "blue" in words else -1.9))
    scores = pair_scores(*score_texts(target, ["a blue door", "a green door"]))
    assert preferred(scores["modified-mean"]) == preferred(scores["sum"]) == 1
    assert preferred(scores["unmodified"]) == -1
    longer = pair_scores(*score_texts(target, ["a door", "a very blue door"]))
    assert preferred(longer["sum"]) == 1
    assert longer["modified-mean"][0] is None
    assert preferred(longer["modified-mean"]) is None


def test_a_change_in_the_last_word_is_a_tie_of_the_unmodified_tokens() -> None:
    scores = pair_scores(*score_texts(WordScorer(noise), ["they were poor", "they were rich"]))
    assert preferred(scores["unmodified"]) == 0
    assert preferred(scores["sum"]) != 0


def test_scores_that_differ_by_rounding_are_tied() -> None:
    assert preferred([-10.0, -10.0 - TIE / 2]) == 0
    assert preferred([-10.0, -10.0 - 2 * TIE]) == 1
    assert preferred([-11.0, -10.0]) == -1


def test_the_first_token_is_scored_after_a_start_token_alone() -> None:
    texts = ["women were late", "men were late"]
    with_start = pair_scores(*score_texts(WordScorer(noise), texts))
    assert preferred(with_start["modified-mean"]) != 0
    assert "first token" in pair_scores(*score_texts(WordScorer(noise, start=False), texts))
    without = pair_scores(*score_texts(WordScorer(noise, start=False), ["the women", "the men"]))
    assert without["sum"] == [
        pytest.approx(noise(["the", "women"], 1)),
        pytest.approx(noise(["the", "men"], 1)),
    ]


def test_a_tokenizer_that_adds_a_start_gets_no_second_one() -> None:
    class Adds(WordScorer):
        def encode(self, text):
            return [self.START, *super().encode(text)]

    texts = ["women were late", "men were late"]
    assert pair_scores(*score_texts(Adds(noise, start=False), texts)) == pair_scores(
        *score_texts(WordScorer(noise), texts)
    )


def test_a_sentence_is_scored_once_however_often_it_comes() -> None:
    asked = []

    class Counts(WordScorer):
        def token_logprobs(self, sequences):
            asked.extend(sequences)
            return super().token_logprobs(sequences)

    scored = score_texts(Counts(noise), ["a b", "a c", "a b"])
    assert len(asked) == 2
    assert scored[0] is scored[2]


def test_what_cannot_be_scored_costs_itself_alone() -> None:
    class Picky(WordScorer):
        context_length = 4

        def encode(self, text):
            if "bad" in text:
                raise ValueError("no such word")
            return super().encode(text)

        def token_logprobs(self, sequences):
            out = super().token_logprobs(sequences)
            for tokens, values in zip(sequences, out, strict=True):
                if "inf" in self.decode(tokens):
                    values[-1] = -np.inf
            return out

    good, bad, long, empty, infinite = score_texts(
        Picky(noise), ["a b", "a bad", "one two three four five", "", "an inf"]
    )
    assert not good.problem
    assert "no such word" in bad.problem
    assert "context of 4" in long.problem
    assert "no token" in empty.problem
    assert "not finite" in infinite.problem
    assert pair_scores(good, long) == long.problem


def test_a_text_is_scored_given_its_prefix() -> None:
    rule = noise
    (scored,) = score_after(WordScorer(rule), ["she went to the"], [" old house"])
    words = ["<start>", "she", "went", "to", "the", "old", "house"]
    assert scored.logps == pytest.approx([rule(words, 5), rule(words, 6)])
    (whole,) = score_after(WordScorer(rule), [""], ["old house"])
    assert len(whole.tokens) == 2
    assert isinstance(whole, Scored)
