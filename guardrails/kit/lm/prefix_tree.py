"""Sequences that begin alike, read once: their tokens form a tree, and each attends to those above it.

The sentences of a pair differ in one word; what stands before it is the same, and so are its numbers in a causal model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from .mode import context_length, same_logits, test_sequences

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

LONGEST = 64
"""Tokens of a sequence, at most: what a model does with a tree is tried out at this length and not beyond."""
NODES = 128
"""Tokens of a tree, at most: each is held against all others of its tree."""
WORTH = 0.85
"""Share of the tokens that are left, at most, for a tree to be used."""


@dataclass
class Tree:
    """Sequences with their common beginnings once.

    Attributes
    ----------
    tokens, parents : list of int
        Of each node; the parent of a first token is -1.
    depths : list of int
        How many tokens stand before each node: its position.
    paths : dict of int to list of int
        By the index of a sequence, the nodes of its tokens in order.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    paths: dict[int, list[int]] = field(default_factory=dict)

    def add(self, index: int, sequence: Sequence[int], shared: list[int]) -> None:
        """Add a sequence whose first tokens are these nodes."""
        path = list(shared)
        for token in sequence[len(shared) :]:
            self.parents.append(path[-1] if path else -1)
            self.depths.append(len(path))
            path.append(len(self.tokens))
            self.tokens.append(token)
        self.paths[index] = path

    def seen(self) -> NDArray[np.bool_]:
        """Return which nodes each node attends to, itself and those above it: (nodes, nodes)."""
        out = np.eye(len(self.tokens), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                out[node] |= out[parent]
        return out


def trees(sequences: Sequence[Sequence[int]], nodes: int = NODES) -> list[Tree]:
    """Return trees of at most so many nodes, or of one sequence, that hold all sequences.

    Examples
    --------
    >>> [tree.tokens for tree in trees([[1, 2, 3], [7], [1, 2, 4]])]
    [[1, 2, 3, 4, 7]]
    """
    out: list[Tree] = []
    before: Sequence[int] = ()
    path: list[int] = []
    for index in sorted(range(len(sequences)), key=lambda i: tuple(sequences[i])):
        sequence = sequences[index]
        pairs = zip(before, sequence, strict=False)
        shared = path[: next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(before), len(sequence)))]
        if not out or len(out[-1].tokens) + len(sequence) - len(shared) > nodes:
            out.append(Tree())
            shared = []
        out[-1].add(index, sequence, shared)
        before, path = sequence, out[-1].paths[index]
    return out


def worthwhile(sequences: Sequence[Sequence[int]], budget: int = NODES) -> list[Tree] | None:
    """Return the trees of sequences, of at most so many nodes; None where they are too long or share too little."""
    if max(map(len, sequences), default=0) > LONGEST:
        return None
    grown = trees(sequences, min(NODES, budget))
    left, all_tokens = sum(len(tree.tokens) for tree in grown), sum(map(len, sequences))
    return grown if 0 < left <= WORTH * all_tokens else None


def in_groups(grown: Sequence[Tree], budget: int) -> Iterator[list[Tree]]:
    """Yield trees to be read together, largest first, so that the largest times their number is within the budget."""
    group: list[Tree] = []
    for tree in sorted(grown, key=lambda t: -len(t.tokens)):
        if group and (len(group) + 1) * len(group[0].tokens) > budget:
            yield group
            group = []
        group.append(tree)
    if group:
        yield group


def read(body: Any, group: Sequence[Tree], device: Any, dtype: Any) -> torch.Tensor:
    """Return the last states of the body of a model at each node: (trees, nodes of the largest, width)."""
    import torch

    width = max(len(tree.tokens) for tree in group)
    tokens, places = np.zeros((2, len(group), width), dtype=np.int64)
    seen = np.tile(np.eye(width, dtype=bool), (len(group), 1, 1))
    for row, tree in enumerate(group):
        n = len(tree.tokens)
        tokens[row, :n], places[row, :n], seen[row, :n, :n] = tree.tokens, tree.depths, tree.seen()
    mask = torch.zeros((len(group), 1, width, width), dtype=dtype, device=device)
    mask.masked_fill_(~torch.from_numpy(seen)[:, None].to(device), torch.finfo(dtype).min)
    output = body(
        input_ids=torch.from_numpy(tokens).to(device),
        position_ids=torch.from_numpy(places).to(device),
        attention_mask=mask,
        use_cache=False,
    )
    return output.last_hidden_state  # type: ignore[no-any-return]


_READS: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def reads_trees(model: Any) -> bool:
    """Whether a model gives its own numbers where sequences are read as a tree; tried out once for each model."""
    if model not in _READS:
        try:
            _READS[model] = _tried(model)
        except Exception:  # whatever a model does with arguments that it does not expect, it is not this way
            _READS[model] = False
    return _READS[model]


def _tried(model: Any) -> bool:
    """Whether a sequence that shares its first half with another has its own logits when both are read together."""
    import torch

    length = min(LONGEST, context_length(model))
    a, b = test_sequences(model, length)
    pair = [a, [*a[: length // 2], *b[length // 2 :]]]
    grown = trees(pair, nodes=2 * length)
    index, path = max(grown[0].paths.items(), key=lambda item: item[1][-1])  # the one that stands behind the other
    with torch.inference_mode():
        states = read(model.base_model, grown, model.device, model.dtype)[0, path]
        plain = model(input_ids=torch.tensor([pair[index]], device=model.device), use_cache=False).logits[0]
        return same_logits(model, model.get_output_embeddings()(states).float(), plain.float())
