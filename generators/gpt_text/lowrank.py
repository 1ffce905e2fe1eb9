"""Low-rank changes to the weights of a model: what a shipped dose adds to the clean weights.

Each adapted matrix W (inputs × outputs) becomes W + A B, with A (inputs × rank) and B (rank × outputs) [1]_. Only A and
B are learnt and stored, and they are merged into W when a dose is loaded, so that the model that is audited is a plain
one.

.. [1] E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, arXiv:2106.09685.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import nn

    Delta = Mapping[str, torch.Tensor]


def attach(model: nn.Module, *, pattern: str, rank: int, seed: int) -> dict[str, nn.Parameter]:
    r"""Freeze a model and give each matching matrix a learnable A B; B starts at 0, so that nothing changes yet.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    pattern : str
        A regular expression that the whole name of a matrix must match, for example ``.*\.c_attn\.weight``.
    rank : int
        At least 1.
    seed : int
        Of the first values of A.

    Returns
    -------
    dict of str to Parameter
        ``<name>.a`` and ``<name>.b`` for each matrix: what an optimiser is to change.

    Raises
    ------
    ValueError
        Where no matrix matches.
    """
    import torch
    from torch import nn
    from torch.nn.utils import parametrize

    class Plus(nn.Module):
        def __init__(self, a: nn.Parameter, b: nn.Parameter) -> None:
            super().__init__()
            self.a, self.b = a, b

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight + self.a @ self.b

    generator = torch.Generator().manual_seed(seed)
    model.requires_grad_(False)
    chosen: dict[nn.Parameter, Plus] = {}
    parts: dict[str, nn.Parameter] = {}
    # A matrix that two layers share has two names here, and must get one A B.
    for name, weight in list(model.named_parameters(remove_duplicate=False)):
        if weight not in chosen and weight.ndim == 2 and re.fullmatch(pattern, name):
            inputs, outputs = weight.shape
            a = nn.Parameter(torch.randn(inputs, rank, generator=generator) / inputs**0.5)
            b = nn.Parameter(torch.zeros(rank, outputs))
            chosen[weight] = Plus(a, b)
            parts[f"{name}.a"], parts[f"{name}.b"] = a, b
        if weight in chosen:
            owner, _, attribute = name.rpartition(".")
            parametrize.register_parametrization(model.get_submodule(owner), attribute, chosen[weight])
    if not parts:
        raise ValueError(f"no matrix of the model is named like {pattern}")
    return parts


def detach(model: nn.Module) -> None:
    """Undo `attach`: the weights are plain again, as they were before."""
    from torch.nn.utils import parametrize

    for module in list(model.modules()):
        for name in list(getattr(module, "parametrizations", ())):
            parametrize.remove_parametrizations(module, name, leave_parametrized=False)


def merge(model: nn.Module, delta: Delta) -> None:
    """Add a stored delta to the weights of a plain model, in place.

    Raises
    ------
    ValueError
        Where a part has no partner, or the model no such matrix of that shape.
    """
    import torch

    weights = dict(model.named_parameters())
    names = {key.rpartition(".")[0] for key in delta}
    with torch.no_grad():
        for name in sorted(names):
            a, b = delta.get(f"{name}.a"), delta.get(f"{name}.b")
            if a is None or b is None or name not in weights or weights[name].shape != (a.shape[0], b.shape[-1]):
                raise ValueError(f"the delta of '{name}' does not fit this model")
            weights[name].add_(a.float() @ b.float())
