"""Held against the literal oracle: one sequence at a time, the whole distribution in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from guardrails.core.errors import ConfigurationError
from guardrails.kit.lm.moments import _moments, token_moments
from guardrails.kit.lm.scoring import token_logprobs

VOCABULARY, CONTEXT = 61, 24
SEQUENCES = [[5], [], [1, 2, 3], list(range(24)), [7, 7], [3, 9, 4, 1, 60]]


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    built = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in built.parameters():  # far from uniform, so that errors show
            parameter.mul_(3)
    return built


@pytest.mark.parametrize("budget", [1, 30, 4000])
def test_they_are_those_of_the_whole_distribution(model: Any, budget: int) -> None:
    moments = token_moments(model, SEQUENCES, batch_tokens=budget)
    for sequence, values in zip(SEQUENCES, moments, strict=True):
        assert values.shape == (max(0, len(sequence) - 1), 3)
        if len(sequence) < 2:
            continue
        with torch.no_grad():
            logits = model(torch.tensor([sequence])).logits[0, :-1].double().numpy()
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        p = np.exp(log_p)
        mean = (p * log_p).sum(1)
        spread = np.sqrt((p * (log_p - mean[:, None]) ** 2).sum(1))
        expected = np.stack([log_p[np.arange(len(log_p)), sequence[1:]], mean, spread], axis=1)
        np.testing.assert_allclose(values, expected, atol=1e-4)


def test_the_first_of_them_is_what_token_logprobs_gives(model: Any) -> None:
    for moments, log_p in zip(token_moments(model, SEQUENCES), token_logprobs(model, SEQUENCES), strict=True):
        np.testing.assert_allclose(moments[:, 0], log_p, atol=1e-5)


def test_a_forbidden_token_gives_no_nan() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf], [0.0, -torch.inf, -torch.inf]])
    moments = _moments(logits, torch.tensor([0, 0]))
    np.testing.assert_allclose(moments, [[-np.log(2), -np.log(2), 0], [0, 0, 0]], atol=1e-6)


def test_more_than_the_context_is_refused(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="25 tokens do not fit"):
        token_moments(model, [[1] * 25])
    assert token_moments(model, []) == []
