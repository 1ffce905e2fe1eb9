"""Held against the literal oracle: one sequence at a time, the whole distribution, no batching, no cache."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.kit.lm import scoring

VOCABULARY, CONTEXT = 61, 24
tokens = st.lists(st.integers(0, VOCABULARY - 1), max_size=CONTEXT)


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return GPT2LMHeadModel(config)


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_size=16, intermediate_size=32,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def gemma2():
    """Caps its logits after the head: body and head apart do not give its own logits."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, hidden_size=16, intermediate_size=32, head_dim=8,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, final_logit_softcapping=0.5,
        bos_token_id=0, eos_token_id=0, pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    return Gemma2ForCausalLM(config)


MODELS = {"gpt2": gpt2, "llama": llama, "gemma2": gemma2}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    torch.manual_seed(1)
    built = MODELS[request.param]().eval()
    with torch.no_grad():
        for parameter in built.parameters():  # far from uniform, so that errors show
            parameter.mul_(3)
    return built


def next_logprobs(model, prefix):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([list(prefix)])).logits[0, -1].double(), -1).numpy()


def oracle(model, sequence, window=lambda t: 0):
    return np.array([next_logprobs(model, sequence[window(t) : t])[sequence[t]] for t in range(1, len(sequence))])


@settings(max_examples=6, deadline=None)
@given(sequences=st.lists(tokens, max_size=4), budget=st.integers(1, 100))
def test_logprobs_equal_the_oracle_whatever_the_batches(model, sequences, budget):
    scores = scoring.token_logprobs(model, sequences, batch_tokens=budget)
    assert len(scores) == len(sequences)
    for sequence, values in zip(sequences, scores, strict=True):
        assert values.shape == (max(0, len(sequence) - 1),)
        assert values.dtype == np.float64
        assert np.allclose(values, oracle(model, sequence), atol=1e-4)
        assert (values <= 0).all()


def test_more_positions_than_rows_of_one_chunk(model):
    sequences = np.random.default_rng(0).integers(0, VOCABULARY, size=(10, CONTEXT)).tolist()
    assert 10 * (CONTEXT - 1) > scoring.HEAD_ROWS
    for sequence, values in zip(sequences, scoring.token_logprobs(model, sequences), strict=True):
        assert np.allclose(values, oracle(model, sequence), atol=1e-4)


def test_head_and_body_are_taken_apart_only_where_that_gives_the_models_own_logits(model):
    with torch.inference_mode():
        assert scoring._splits(model) == (model.config.model_type != "gemma2")


def test_a_second_call_costs_no_more_passes_than_it_has_batches(model):
    sequences = [[1, 2, 3], [4, 5, 6]]
    scoring.token_logprobs(model, sequences)
    passes = []
    handle = model.base_model.register_forward_hook(lambda *_: passes.append(1))
    try:
        scoring.token_logprobs(model, sequences)
    finally:
        handle.remove()
    assert len(passes) == 1


@pytest.mark.parametrize("context", [24, 23])
@pytest.mark.parametrize("length", [25, 36, 37, 70])
def test_a_long_sequence_slides_by_half_a_context(model, context, length, monkeypatch):
    monkeypatch.setattr(scoring, "context_length", lambda model: context)
    sequence = np.random.default_rng(length).integers(0, VOCABULARY, length).tolist()

    def first_window_that_holds(t):
        start = 0
        while start + context <= t:
            start += context // 2
        return start

    (values,) = scoring.token_logprobs(model, [sequence], overflow="slide")
    assert np.allclose(values, oracle(model, sequence, first_window_that_holds), atol=1e-4)


def test_a_long_sequence_is_refused_unless_told_otherwise(model):
    with pytest.raises(ConfigurationError, match="25 tokens do not fit into the model's context of 24"):
        scoring.token_logprobs(model, [[1] * 25])
    with pytest.raises(ConfigurationError, match="25 tokens"):
        scoring.greedy(model, [[1] * 20], 5)


@settings(max_examples=5, deadline=None)
@given(prefixes=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=16), max_size=5), budget=st.integers(1, 90))
def test_greedy_equals_the_oracle_whatever_the_batches(model, prefixes, budget):
    for prefix, added in zip(prefixes, scoring.greedy(model, prefixes, 8, batch_tokens=budget), strict=True):
        assert len(added) == 8
        for t, token in enumerate(added):
            logprobs = next_logprobs(model, [*prefix, *added[:t]])
            assert logprobs[token] >= logprobs.max() - 1e-4  # ties apart


@settings(max_examples=5, deadline=None)
@given(prefixes=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=16), max_size=5), seed=st.integers(0, 2**62))
def test_samples_do_not_depend_on_the_batches(model, prefixes, seed):
    one = scoring.sample(model, prefixes, 6, seed=seed, batch_tokens=1)
    many = scoring.sample(model, prefixes, 6, seed=seed, batch_tokens=10_000)
    assert one == many


def test_samples_follow_the_models_law(model):
    drawn = [row[0] for row in scoring.sample(model, [[5, 9]] * 4000, 1, seed=3, temperature=1.3)]
    probability = np.exp(next_logprobs(model, [5, 9]) / 1.3)
    probability /= probability.sum()
    share = np.bincount(drawn, minlength=VOCABULARY) / 4000
    assert np.abs(share - probability).max() < 5 * np.sqrt(probability.max() / 4000)


def test_temperature_zero_is_greedy_and_below_is_refused(model):
    assert scoring.sample(model, [[1, 2]], 5, temperature=0) == scoring.greedy(model, [[1, 2]], 5)
    with pytest.raises(ConfigurationError, match="negative"):
        scoring.sample(model, [[1, 2]], 5, temperature=-1)


def test_a_continuation_stops_before_an_end_token(model):
    whole = scoring.sample(model, [[1, 2], [3]], 8, seed=4)
    end = whole[0][3]
    cut = scoring.sample(model, [[1, 2], [3]], 8, seed=4, end={end})
    assert cut[0] == whole[0][: whole[0].index(end)]
    assert cut[1] == (whole[1][: whole[1].index(end)] if end in whole[1] else whole[1])


def test_nothing_asked_nothing_done(model):
    assert scoring.token_logprobs(model, []) == []
    assert scoring.greedy(model, [], 3) == []
    assert scoring.greedy(model, [[1], [2]], 0) == [[], []]
    with pytest.raises(ConfigurationError, match="no tokens"):
        scoring.greedy(model, [[]], 3)


@given(lengths=st.lists(st.integers(0, 40), max_size=30), budget=st.integers(1, 100))
def test_batches_hold_everything_once_within_the_budget(lengths, budget):
    groups = list(scoring.batches(lengths, budget))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= budget


def test_nothing_is_left_switched_on(model, caplog):
    with caplog.at_level(logging.WARNING):
        scoring.token_logprobs(model, [[1, 2, 3], [4, 5]])
    assert not torch.is_inference_mode_enabled()
    assert not caplog.records
