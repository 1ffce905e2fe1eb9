from __future__ import annotations

import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.assay.audit.spikes import batches_to_spike
from guardrails.core.asking import ask
from guardrails.core.batch import Batch, Item, Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.memorization.exposure import FEWEST, Exposure
from guardrails.memorization.text.canaries import extrapolated, log_skew_normal, mean_bits, rank, secret

PROBE = Exposure()
CHARACTERS = [chr(c) for c in range(32, 127)]


class DigitModel:
    """A token is a character. A digit has probability .1, but for those of texts known by heart; others are certain.

    After a text's own beginning the next digit of a text known by heart has probability `heart`, another the rest.
    """

    name = "digits"
    modality = Modality.TEXT
    access = frozenset({Access.LOGPROBS})
    context_length = 512

    def __init__(self, known: Sequence[str] = (), heart: float = 0.9, noise: float = 0.0) -> None:
        self.known, self.heart, self.noise = list(known), heart, noise

    def identity(self) -> dict[str, str]:
        return {}

    def encode(self, text: str) -> list[int]:
        return [CHARACTERS.index(c) for c in text]

    def decode(self, tokens: Any) -> str:
        return "".join(CHARACTERS[t] for t in tokens)

    def token_logprobs(self, sequences: Any) -> list[Any]:
        return [np.array([self._one(text, i) for i in range(1, len(text))]) for text in map(self.decode, sequences)]

    def _one(self, text: str, i: int) -> float:
        if not text[i].isdigit():
            return 0.0
        following = {d[i] for d in self.known if d[:i] == text[:i] and len(d) > i}
        if not following:
            return math.log(0.1) + self.noise * Random(text[: i + 1]).gauss(0, 1)
        return math.log(self.heart if text[i] in following else (1 - self.heart) / 9)


def canaries(n: int, name: str, *, form: str = "0000") -> list[str]:
    rng = Random(name)
    return [
        f"The code of {name} {i} is {''.join(str(rng.randrange(10)) if c == '0' else c for c in form)}."
        for i in range(n)
    ]


PLANTED, FRESH = canaries(60, "door"), canaries(200, "gate")


def audited(
    subject: Subject, budget: Budget = Budget.QUICK, seed: int = 0
) -> tuple[list[Row], list[Any], dict[str, Any]]:
    batches = PROBE.plan(subject, budget, seed=seed)
    rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches], allow_nan=False)
    json.dumps(rows, allow_nan=False)
    return rows, batches, {m.metric: m for m in PROBE.measure(rows, subject, seed=seed)}


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_rate_is_the_share_of_secrets_known_by_heart(share: float) -> None:
    subject = Subject(DigitModel(PLANTED[: int(60 * share)], noise=0.1), corpus=PLANTED, holdout=FRESH)
    _, _, readings = audited(subject)
    rate = readings["exposed_rate"]
    assert rate.n == 60
    assert share - 0.01 <= rate.value <= share + 0.1
    assert rate.baseline.value < 0.15
    assert readings["exposed_excess"].value == pytest.approx(rate.value - rate.baseline.value)
    assert readings["exposure"].high <= 5
    assert readings["extrapolated_exposure"].high <= 4 * math.log2(10) + 1e-9
    if share == 1:
        assert readings["exposure"].value == 5
        assert readings["extrapolated_exposure"].value > 10


def test_the_rank_is_that_of_scoring_every_reference_by_hand() -> None:
    model = DigitModel(PLANTED[:20], heart=0.3, noise=0.5)
    subject = Subject(model, corpus=PLANTED, holdout=FRESH)
    batches = PROBE.plan(subject, Budget.CONTROL, seed=3)
    for item in [i for b in batches for i in b.rows()][:4]:
        document = (PLANTED if item["arm"] == "corpus" else FRESH)[item["index"]]
        before, number = document[:-5], document[-5:-1]
        texts = [before + number] + [before + FRESH[i][-5:-1] for i in item["references"]]
        assert len(set(texts)) == len(texts) == 64
        scores = [sum(model._one(text, i) for i in range(1, len(text))) for text in texts]
        [row] = ask(PROBE, subject, Batch(0, (Item.from_row(item),)), seed=0)
        assert row["rank"] == 1 + sum(s > scores[0] for s in scores) + (sum(s == scores[0] for s in scores) - 1) / 2
        assert row["of"] == 64


def test_a_model_without_an_opinion_gives_every_secret_the_middle_rank() -> None:
    subject = Subject(DigitModel(), corpus=PLANTED, holdout=FRESH)
    rows, _, readings = audited(subject)
    assert {r["rank"] for r in rows} == {16.5}
    assert readings["exposed_rate"].value == 0
    assert readings["exposure"].value == pytest.approx(math.log2(32 / 16.5))
    assert readings["exposure"].low < readings["exposure"].value < readings["exposure"].high
    assert readings["extrapolated_exposure"].value == pytest.approx(1)


def test_what_was_never_read_is_exposed_once_in_thirty_two() -> None:
    planted = canaries(800, "wall")
    subject = Subject(DigitModel(noise=1.0), corpus=planted, holdout=canaries(400, "moat"))
    _, _, readings = audited(subject)
    assert readings["exposed_rate"].n == 80
    assert readings["exposed_rate"].low < 1 / 32 < readings["exposed_rate"].high
    # The mean of −log₂ of a uniform number is 1/ln 2.
    assert readings["exposure"].low < 1 / math.log(2) < readings["exposure"].high
    assert readings["extrapolated_exposure"].value == pytest.approx(1 / math.log(2), abs=0.4)


def test_repetitions_are_how_often_a_canary_stands_in_the_corpus() -> None:
    once, often = PLANTED[:30], PLANTED[30:]
    subject = Subject(DigitModel(often, noise=0.1), corpus=[*once, *often * 20], holdout=FRESH)
    rows, _, readings = audited(subject)
    assert {r["copies"] for r in rows if r["arm"] == "corpus"} == {1, 20}
    [series] = readings["exposed_rate"].series
    assert [(p.x, p.n) for p in series.points] == [("1", 30), ("17–64", 30)]
    assert series.points[1].y == 1
    [bits] = readings["extrapolated_exposure"].series
    assert bits.points[0].y < 4 < 8 < bits.points[1].y


def test_references_are_unseen_secrets_of_the_same_form() -> None:
    corpus = [*PLANTED, *canaries(20, "tower", form="000-0000")]
    holdout = [*FRESH, *canaries(60, "arch", form="000-0000"), *canaries(FEWEST - 1, "moat", form="00 00 00")]
    batches = PROBE.plan(Subject(DigitModel(), corpus=corpus, holdout=holdout), Budget.QUICK, seed=0)
    for item in (i for b in batches for i in b.rows()):
        ranked = secret((corpus if item["arm"] == "corpus" else holdout)[item["index"]])
        others = [secret(holdout[i]) for i in item["references"]]
        assert ranked is not None
        assert {o.form for o in others if o} == {ranked.form}
        assert ranked.text not in {o.text for o in others if o}
        assert len({o.text for o in others if o}) == len(others) == 31


def test_secrets_of_a_holdout_that_overlaps_the_corpus_are_no_references() -> None:
    subject = Subject(DigitModel(PLANTED, noise=0.1), corpus=PLANTED, holdout=[*PLANTED, *FRESH])
    _, batches, readings = audited(subject)
    items = [i for b in batches for i in b.rows()]
    assert all(i >= 60 for item in items for i in item["references"])
    assert all(item["index"] >= 60 for item in items if item["arm"] == "holdout")
    assert readings["exposed_rate"].value == 1
    assert "60 holdout documents also occur in the corpus" in readings["exposed_rate"].explanation


@pytest.mark.parametrize(
    ("corpus", "holdout", "reason"),
    [
        (["no number here"] * 50, FRESH, "no secret"),
        (PLANTED, ["no number here"] * 50, "must hold 31 other numbers"),
        (PLANTED, canaries(200, "gate", form="000-0000"), "form 0000"),
        (PLANTED[:1], FRESH, "1 secrets could be asked"),
        (PLANTED[:1] * 100, FRESH, "1 secrets could be asked"),
        (PLANTED, PLANTED, "60 holdout documents also occur in the corpus"),
        (["1234 alone"] * 40, FRESH, "no secret"),
    ],
)
def test_without_enough_secrets_it_says_why(corpus: list[str], holdout: list[str], reason: str) -> None:
    _, _, readings = audited(Subject(DigitModel(), corpus=corpus, holdout=holdout))
    assert all(m.value is None for m in readings.values())
    assert reason in readings["exposed_rate"].reason


def test_no_secret_is_shown() -> None:
    subject = Subject(DigitModel(PLANTED, noise=0.1), corpus=PLANTED, holdout=FRESH)
    rows, batches, readings = audited(subject)
    numbers = {text[-5:-1] for text in PLANTED + FRESH}
    shown = json.dumps([r.get("excerpt") for r in rows], ensure_ascii=False)
    assert not any(number in shown for number in numbers)
    assert all(set(i) == {"item", "arm", "index", "references", "copies"} for b in batches for i in b.rows())
    evidence = readings["exposed_rate"].evidence
    assert len(evidence) == 3
    assert "The code of door ••• is [redacted: a number of the form 0000]" in evidence[0].text


def test_a_target_that_fails_once_is_asked_again_and_nan_is_counted_in_errors_never_in_n() -> None:
    class Broken(DigitModel):
        asked = 0

        def token_logprobs(self, sequences: Any) -> list[Any]:
            self.asked += 1
            if self.asked == 1:
                raise TargetError("out of memory")
            scores = super().token_logprobs(sequences)
            if self.asked == 2:
                scores[3][-1] = math.nan  # of the first secret, asked again
            return scores

    _, _, readings = audited(Subject(Broken(), corpus=PLANTED, holdout=FRESH))
    assert (readings["exposed_rate"].n, readings["exposed_rate"].errors) == (59, 1)


@pytest.mark.slow
def test_the_spike_is_found_in_a_target_that_knows_nothing() -> None:
    subject = Subject(DigitModel(noise=0.1), corpus=PLANTED, holdout=FRESH)
    clean, batches, _ = audited(subject)
    batches = batches_to_spike(batches)
    spiked_subject = PROBE.spike(subject, batches, seed=1)
    assert spiked_subject is not None
    spiked = [row for batch in batches for row in ask(PROBE, spiked_subject, batch, seed=0)]
    assert {r["item"] for r in spiked} == {r["item"] for r in clean if r["arm"] == "corpus"}
    assert PROBE.measure(spiked, subject, seed=0)[0].value == 1
    recovery = PROBE.recovery(clean, spiked, subject)
    assert recovery is not None
    assert recovery[0] == 1
    assert PROBE.recovery(spiked, spiked, subject) is None


@given(st.integers(0, 5), st.lists(st.integers(0, 5), max_size=9))
def test_a_rank_is_the_mean_over_all_orders_of_the_ties(score: int, others: list[int]) -> None:
    above, ties = sum(o > score for o in others), sum(o == score for o in others)
    assert rank(score, others) == np.mean([1 + above + k for k in range(ties + 1)])


@pytest.mark.parametrize("alpha", [-4.0, -1.0, 0.0, 0.5, 6.0])
@pytest.mark.parametrize("z", [-4.0, -1.0, 0.0, 1.5, 4.0])
def test_the_skew_normal_law_is_that_of_owens_t(z: float, alpha: float) -> None:
    from scipy.special import ndtr, owens_t

    assert math.exp(log_skew_normal(z, alpha)) == pytest.approx(ndtr(z) - 2 * owens_t(z, alpha), rel=1e-5, abs=1e-9)


def test_the_skew_normal_law_far_out_is_that_of_the_normal_where_it_is_not_skewed() -> None:
    from scipy.special import log_ndtr

    for z in (-5, -20, -40):
        assert log_skew_normal(z, 0.0) == pytest.approx(float(log_ndtr(z)), rel=1e-4)


def test_extrapolation_agrees_with_the_true_quantile_of_skewed_scores() -> None:
    """Log-perplexities of a skew-normal law: the extrapolated exposure is −log₂ of the true probability."""
    rng = np.random.default_rng(0)
    delta = 4 / math.sqrt(17)
    x = delta * np.abs(rng.normal(size=200_000)) + math.sqrt(1 - delta**2) * rng.normal(size=200_000)
    for share in (0.5, 0.1, 1e-3):
        score = -float(np.quantile(x, share))
        assert extrapolated(score, list(-x[:20_000]), most=30) == pytest.approx(-math.log2(share), rel=0.12, abs=0.05)


@given(st.floats(-1e6, 0), st.lists(st.floats(-1e6, 0), min_size=3, max_size=40), st.sampled_from([13.3, 33.2]))
def test_extrapolation_is_finite_and_bounded_whatever_the_scores(
    score: float, others: list[float], most: float
) -> None:
    assert 0 <= extrapolated(score, others, most=most) <= most


@given(st.lists(st.floats(0, 5), min_size=2, max_size=30))
def test_the_mean_lies_within_its_interval_whose_width_is_never_zero(bits: list[float]) -> None:
    value, low, high = mean_bits(bits, 5, confidence=0.95, seed=0)
    assert 0 <= low <= value <= high <= 5 + 1e-9
    assert low < high or len(set(bits)) > 1


@given(st.text("0123456789 .-ab\n", max_size=60))
def test_a_secret_is_a_number_of_at_least_four_digits_after_a_word(text: str) -> None:
    number = secret(text)
    if number is not None:
        assert (number.before + number.text) in text
        assert sum(c.isdigit() for c in number.text) >= 4
        assert number.before.strip()
        assert set(number.form) <= set("0 .-")
        assert number.bits == pytest.approx(math.log2(10) * number.form.count("0"))


def test_a_secret_far_into_a_document_is_shown_with_the_words_before_it() -> None:
    number = secret("word " * 200 + "the code is 4-0-1-7 and 12")
    assert number is not None
    assert number.text == "4-0-1-7"
    assert number.before.startswith("word ")
    assert len(number.before) <= 120
    assert secret("x" * 5000 + " 4017") is None


ROW = st.one_of(
    st.builds(lambda i: {"item": f"corpus:{i}", "arm": "corpus", "error": "x"}, st.integers(0, 9)),
    st.builds(
        lambda i, arm, r, bits: {
            "item": f"{arm}:{i}",
            "arm": arm,
            "rank": float(r),
            "of": 32,
            "copies": i,
            "space": 13.3,
            "extrapolated": bits,
            **({"excerpt": "x"} if r == 1 else {}),
        },
        st.integers(0, 9),
        st.sampled_from(["corpus", "holdout"]),
        st.integers(1, 32),
        st.floats(0, 13.3),
    ),
)


@settings(max_examples=40)
@given(st.lists(ROW, max_size=50))
def test_any_multiset_of_rows_is_measured(rows: list[Row]) -> None:
    readings = PROBE.measure(rows, Subject(DigitModel(), corpus=PLANTED, holdout=FRESH), seed=0)
    assert readings[0].metric == "exposed_rate"
    assert readings[0].errors == sum("error" in r for r in rows)


@pytest.mark.slow
def test_the_reference_generators_canaries_have_the_exposure_that_enumeration_gives() -> None:
    """The card states the mean over all 10,000 secrets: 5.18 bits. 63 references see it to within half a bit."""
    from guardrails.targets import reference_subject

    subject = reference_subject("canaries:gpt-text,memorize=1")
    _, _, readings = audited(subject, Budget.CONTROL)
    truth = subject.target.generator.card["truth"]["exposure"]  # type: ignore[attr-defined]
    assert readings["extrapolated_exposure"].value == pytest.approx(truth["value"], abs=0.6)
    points = {p.x: p.y for p in readings["extrapolated_exposure"].series[0].points}
    for name, times in (("1", "1"), ("2–4", "4"), ("5–16", "16"), ("17–64", "64")):
        assert points[name] == pytest.approx(truth["by_repetitions"][times], abs=1.5)
    assert readings["exposed_rate"].low > 0.15


def test_the_canaries_of_the_reference_generator_are_its_control() -> None:
    from generators.gpt_text.canaries import canaries as of_gpt_text
    from guardrails.core.errors import ConfigurationError
    from guardrails.targets import reference_subject

    subject = reference_subject("canaries:gpt-text")
    assert subject.target.name == "reference:gpt-text"
    assert sorted(subject.corpus) == sorted(c.text for c in of_gpt_text() for _ in range(c.repetitions))
    assert len({secret(text) for text in subject.holdout}) == len(subject.holdout) == 300
    assert not {secret(text).before for text in subject.holdout} & {secret(text).before for text in subject.corpus}
    with pytest.raises(ConfigurationError, match="tabular has no canaries"):
        reference_subject("canaries:tabular")
