"""A network that writes symbols one by one: its law, its samples, and what it learns."""

from __future__ import annotations

from itertools import islice, product
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.recurrent import (
    EDGE,
    Recipe,
    SymbolNet,
    _batches,
    continue_from,
    decode,
    draw,
    encode,
    learn,
    log_prob,
    token_log_probs,
)
from guardrails.core.errors import ConfigurationError

UNITS = pytest.mark.parametrize("unit", ["gru", "lstm"])


def network(unit: str = "gru", seed: int = 0, sharpness: float = 4.0) -> SymbolNet:
    """An untrained network, its logits scaled so that its law is far from uniform."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = SymbolNet("abc", embedding=4, hidden=6, layers=2, unit=unit)
        with torch.no_grad():
            net.net["head"].weight.mul_(sharpness)
    return net


def next_law(net: SymbolNet, read: list[int]) -> Any:
    """The law of the next symbol, from the whole history anew, one sequence, no batch."""
    with torch.no_grad():
        return net.logits(torch.tensor([read]))[0][0, -1].double().softmax(-1).numpy()


@UNITS
def test_log_prob_is_the_sum_over_places_read_one_by_one(unit: str) -> None:
    net = network(unit)
    sequences = ["", "a", "abcabc", "cc", "b" * 30]
    for sequence, log_p in zip(sequences, log_prob(net, sequences), strict=True):
        ids = encode(net, sequence)
        assert log_p == pytest.approx(sum(np.log(next_law(net, ids[:i])[ids[i]]) for i in range(1, len(ids))), abs=1e-4)


@UNITS
def test_all_sequences_together_have_probability_one(unit: str) -> None:
    net = network(unit)
    short = ["".join(s) for n in range(6) for s in product("abc", repeat=n)]
    beyond = ["".join(s) for s in product("abc", repeat=6)]  # whatever begins so and goes on or not
    reached = [np.exp(values[:-1].sum()) for values in token_log_probs(net, beyond)]
    assert np.exp(log_prob(net, short)).sum() + np.sum(reached) == pytest.approx(1, abs=1e-5)


@UNITS
def test_samples_follow_the_law(unit: str) -> None:
    net = network(unit)
    samples = draw(net, 20_000, seed=1, limit=40)
    for sequence in ("", "a", "b", "cc", "ab"):
        p = float(np.exp(log_prob(net, [sequence])[0]))
        share = sum("".join(s) == sequence for s in samples) / len(samples)
        assert share == pytest.approx(p, abs=4 * (p * (1 - p) / len(samples)) ** 0.5 + 1e-4)


def test_the_first_samples_are_the_same_however_many_are_drawn() -> None:
    net = network()
    assert draw(net, 300, seed=3, limit=30)[:7] == draw(net, 7, seed=3, limit=30)
    assert draw(net, 7, seed=3, limit=30) != draw(net, 7, seed=4, limit=30)
    assert draw(net, 0, seed=3, limit=30) == []
    assert max(map(len, draw(net, 50, seed=3, limit=2))) == 2


def test_a_low_temperature_draws_what_greedy_writing_gives() -> None:
    net = network()
    greedy = continue_from(net, [""], 12)[0]
    assert set(draw(net, 20, seed=0, limit=12, temperature=1e-4)) == {greedy}


@UNITS
def test_greedy_writing_takes_the_most_probable_symbol_each_time(unit: str) -> None:
    net = network(unit)
    prefixes = ["", "a", "cab", "b", "bca"]
    for prefix, continuation in zip(prefixes, continue_from(net, prefixes, 5), strict=True):
        ids = encode(net, prefix)[:-1]
        expected: list[int] = []
        while len(expected) < 5 and (best := int(next_law(net, ids + expected).argmax())) != EDGE:
            expected.append(best)
        assert continuation == decode(net, expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("abc", max_size=12), max_size=6))
def test_what_a_sequence_s_log_prob_is_does_not_hang_on_the_others(sequences: list[str]) -> None:
    net = network()
    alone = [float(log_prob(net, [s])[0]) for s in sequences]
    assert log_prob(net, sequences) == pytest.approx(np.array(alone), abs=1e-4)
    assert [decode(net, encode(net, s)) for s in sequences] == [tuple(s) for s in sequences]


def test_it_learns_a_law_and_says_how_it_went() -> None:
    # a or bb: one bit a sequence, and no more once the law is known.
    net = network(sharpness=1.0)
    rng = Random(0)
    recipe = Recipe(steps=120, rate=3e-2, batch=32, warmup=5)
    state = torch.random.get_rng_state()
    record = learn(net, (rng.choice(["a", "bb"]) for _ in iter(int, 1)), recipe, seed=0)
    assert torch.equal(state, torch.random.get_rng_state())
    assert -log_prob(net, ["a", "bb"]) / np.log(2) == pytest.approx([1, 1], abs=0.25)
    assert record.steps == 120
    assert record.curves["loss"][-1] < record.curves["loss"][0] / 2
    assert record.diverged_at is None


def test_a_pool_puts_like_lengths_together_and_leaves_none_out() -> None:
    net, rng = network(), Random(1)
    sequences = ["a" * rng.randrange(30) for _ in range(3 * 4 * 5)]
    batches = list(islice(_batches(net, iter(sequences), Recipe(1, 1.0, batch=4, pool=5), rng), 15))
    assert sorted(len(row) - 2 for batch, _ in batches for row in batch) == sorted(map(len, sequences))
    assert np.mean([max(map(len, batch)) - min(map(len, batch)) for batch, _ in batches]) < 10


def test_bad_input_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'x'.*vocabulary"):
        log_prob(network(), ["axb"])
    with pytest.raises(ConfigurationError, match="temperature"):
        draw(network(), 1, seed=0, limit=3, temperature=0)
    with pytest.raises(ConfigurationError, match="twice"):
        SymbolNet("aba", embedding=2, hidden=2)
