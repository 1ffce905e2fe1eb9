"""Log-probabilities of a text's tokens beside the mean and spread that they have over the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .mode import context_length, pad
from .scoring import HEAD_ROWS, _refuse_longer, batches, scoring_budget

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

LEAST_LOG = -1e4
"""In place of log 0, which a model with forbidden tokens gives: 0 × this is 0, 0 × −∞ is not."""


def token_moments(
    model: Any, sequences: Sequence[Sequence[int]], *, batch_tokens: int | None = None
) -> list[NDArray[np.float64]]:
    """Return what `lm.token_logprobs` does and, from the same pass, the moments of log p under p itself.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A causal language model, in evaluation mode.
    sequences : sequence of sequences of int
        Tokens; of any lengths up to the context, also 0 or 1.
    batch_tokens : int, optional
        The most tokens, padding included, in one forward pass; default: what suits the device.

    Returns
    -------
    list of float64 arrays, each (length - 1, 3)
        For every token but the first: log p(token | tokens before it); μ = Σᵥ p(v) log p(v), which is minus the entropy
        of the prediction; σ = √Σᵥ p(v) (log p(v) − μ)², in nats, at least 0.

    Raises
    ------
    ConfigurationError
        For a sequence longer than the context.
    """
    import torch

    _refuse_longer(max(map(len, sequences), default=0), context_length(model))
    budget = scoring_budget(model, batch_tokens)
    out = [np.zeros((max(0, len(s) - 1), 3)) for s in sequences]
    with torch.inference_mode():
        for group in batches([len(s) for s in sequences], budget):
            group = [i for i in group if len(sequences[i]) > 1]
            if not group:
                continue
            lengths = np.array([len(sequences[i]) for i in group])
            tokens, mask = pad([sequences[i] for i in group], model.device, side="right")
            logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
            scored = mask[:, 1:].bool()  # every token but the first, by the logits of the place before it
            flat = _moments(logits[:, :-1][scored], tokens[:, 1:][scored])
            for i, part in zip(group, np.split(flat, np.cumsum(lengths - 1)[:-1]), strict=True):
                out[i] = part
    return out


def _moments(logits: torch.Tensor, following: torch.Tensor) -> NDArray[np.float64]:
    """Return log p of each following token, μ and σ: (rows, 3), a few rows of the vocabulary at a time."""
    import torch

    out = torch.empty(len(following), 3, dtype=torch.float64)
    for start in range(0, len(following), HEAD_ROWS):
        part = slice(start, start + HEAD_ROWS)
        log_p = torch.log_softmax(logits[part].float(), dim=-1).clamp(min=LEAST_LOG)
        p = log_p.exp()
        mean = (p * log_p).sum(-1, keepdim=True)
        spread = (p * (log_p - mean).square()).sum(-1).sqrt()
        chosen = log_p.gather(1, following[part, None])[:, 0]
        out[part] = torch.stack([chosen, mean[:, 0], spread], dim=1).double().cpu()
    return out.numpy()
