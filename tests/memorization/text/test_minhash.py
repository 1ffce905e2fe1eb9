"""Near-duplicates: signatures estimate similarity, and families are near-duplicates and nothing else."""

from __future__ import annotations

from random import Random

import pytest

from guardrails.memorization.text.minhash import NEAR, families, shingles, signatures


def jaccard(a: str, b: str) -> float:
    one, two = (set(shingles(text).tolist()) for text in (a, b))
    return len(one & two) / len(one | two)


def test_signatures_estimate_the_similarity_of_sets_of_five_words() -> None:
    rng = Random(2)
    for share in (0.0, 0.05, 0.2, 0.5):
        words = [f"w{rng.randrange(10**6)}" for _ in range(1000)]
        other = [f"x{i}" if rng.random() < share / 5 else word for i, word in enumerate(words)]
        pair = " ".join(words), " ".join(other)
        a, b = signatures(pair)
        assert (a == b).mean() == pytest.approx(jaccard(*pair), abs=0.15)


def test_families_are_near_duplicates_and_nothing_else() -> None:
    rng = Random(3)
    originals = [" ".join(f"w{rng.randrange(10**6)}" for _ in range(100)) for _ in range(200)]
    near = [text + " and a few more" for text in originals[:20]]
    far = [" ".join(text.split()[:60]) + f" other{i}" * 60 for i, text in enumerate(originals[20:40])]
    assert all(jaccard(a, b) > NEAR + 0.1 for a, b in zip(originals, near, strict=False))
    first_alike = families(signatures([*originals, *near, *far, near[0]]))
    assert first_alike.tolist() == [*range(200), *range(20), *range(220, 240), 0]


def test_signatures_in_several_parts_make_the_same_families() -> None:
    texts = [f"one text of {k} words in all" for k in (1, 2, 1, 3, 2, 1)]
    whole = signatures(texts)
    assert families(whole).tolist() == [0, 1, 0, 3, 1, 0]
    assert families(whole[:2], whole[2:2], whole[2:3], whole[3:]).tolist() == families(whole).tolist()


def test_case_and_spacing_make_no_difference_and_short_texts_are_compared_whole() -> None:
    assert families(signatures(["One two  three", "one TWO three", "one two four", "", " "])).tolist() == [
        0,
        0,
        2,
        3,
        3,
    ]
    assert families(signatures([])).tolist() == []
