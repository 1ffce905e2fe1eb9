"""A recurrent network that writes sequences of symbols one by one, as Graves [1]_ has it, and Segler et al. [2]_ do.

The model. A sequence s₁ … s_T of symbols from a small vocabulary has the probability ::

    p(s) = Π_{t=1}^{T+1} p(s_t | s_0 … s_{t−1})            with s_0 = s_{T+1} = the edge
    h_t = GRU(E[s_t], h_{t−1}),   p(s_{t+1} | s_0 … s_t) = softmax(W h_t + b)

The *edge* is one symbol beyond the vocabulary: as an input it says START, as an output END. So p adds up to 1 over the
sequences of all lengths, and the length is learnt like everything else. The unit is a GRU [3]_, or an LSTM, which is
that of [1]_ and [2]_.

The loss, over a batch of sequences that each predict their T + 1 next symbols::

    L = −Σ log p(s_t | s_0 … s_{t−1}) / Σ (T + 1)           in nats a symbol

where batches are made of like lengths (`Recipe.pool`), the lower sum is its mean over them: a symbol of a short
sequence then counts as much as one of a long sequence.

Sampling is ancestral: start from the edge; again and again draw s_{t+1} from its law and read it, until it is the edge.
Each place has one uniform number u, and takes the first symbol at which the running sum of p exceeds u: what a
sequence becomes hangs on its own numbers alone, not on what is drawn beside it.

Known limits: what is longer than `limit` is cut there, while `log_prob` is that of the uncut law.

.. [1] A. Graves, "Generating Sequences With Recurrent Neural Networks", 2013, arXiv 1308.0850.
.. [2] M. Segler, T. Kogej, C. Tyrchan and M. Waller, "Generating Focused Molecule Libraries for Drug Discovery with
   Recurrent Neural Networks", ACS Central Science 4 (1), 2018, arXiv 1701.01329.
.. [3] K. Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation",
   EMNLP 2014, arXiv 1406.1078.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, cosine, train

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    State = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
    Choose = Callable[[torch.Tensor, NDArray[np.int64], int], NDArray[np.int64]]

EDGE = 0
"""The index of the symbol that stands before the first and after the last."""
CHUNK = 256


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train: Adam whose rate warms up and falls as a half cosine, `batch` sequences a step.

    With a `pool` above 1 so many batches are read at a time and sequences of like length put together: less is padded.
    """

    steps: int
    rate: float
    batch: int = 64
    warmup: int = 50
    pool: int = 1


class SymbolNet:
    """An embedding, recurrent layers and a linear head over a vocabulary and its edge.

    Parameters
    ----------
    symbols : sequence of str
        The vocabulary, without the edge.
    embedding, hidden, layers : int
        Sizes of E[s] and of h, and how many recurrent layers lie over each other.
    unit : {"gru", "lstm"}

    Attributes
    ----------
    net : torch.nn.ModuleDict
        ``embed``, the unit's name, and ``head``: all the weights.
    index : dict of str to int
        The place of each symbol; `EDGE` is 0.
    """

    def __init__(
        self, symbols: Sequence[str], *, embedding: int, hidden: int, layers: int = 1, unit: str = "gru"
    ) -> None:
        from torch import nn

        self.symbols = tuple(symbols)
        self.index = {symbol: i for i, symbol in enumerate(self.symbols, 1)}
        if len(self.index) < len(self.symbols):
            raise ConfigurationError("a symbol stands twice in the vocabulary of a SymbolNet; give each once")
        size = len(symbols) + 1
        self.unit = unit
        self.net = nn.ModuleDict(
            {
                "embed": nn.Embedding(size, embedding),
                unit: {"gru": nn.GRU, "lstm": nn.LSTM}[unit](embedding, hidden, layers, batch_first=True),
                "head": nn.Linear(hidden, size),
            }
        )

    def logits(self, ids: torch.Tensor, h: State | None = None) -> tuple[torch.Tensor, State]:
        """Return the logits of what follows each symbol, (B, T, V), and the state after the last.

        Parameters
        ----------
        ids : Tensor of int
            (B, T): symbols that are read, the edge first.
        h : Tensor or pair of them, optional
            The state before, (layers, B, H), an LSTM's with its cell; default zero, at a sequence's start.
        """
        states, last = self.net[self.unit](self.net["embed"](ids), h)  # (B, T, H)
        return self.net["head"](states), last


def encode(net: SymbolNet, sequence: Iterable[str]) -> list[int]:
    """Return the indices of symbols, the edge at both ends.

    Raises
    ------
    ConfigurationError
        For a symbol that is not in the vocabulary.
    """
    try:
        return [EDGE, *[net.index[symbol] for symbol in sequence], EDGE]
    except KeyError as missing:
        raise ConfigurationError(
            f"the symbol {missing} is not in the vocabulary of {len(net.symbols)}: {' '.join(net.symbols)}"
        ) from None


def decode(net: SymbolNet, ids: Iterable[int]) -> tuple[str, ...]:
    """Return the symbols of indices, without edges.

    >>> net = SymbolNet("ab", embedding=2, hidden=2)
    >>> decode(net, encode(net, "abba"))
    ('a', 'b', 'b', 'a')
    """
    return tuple(net.symbols[i - 1] for i in ids if i != EDGE)


def token_log_probs(net: SymbolNet, sequences: Iterable[Iterable[str]]) -> list[NDArray[np.float64]]:
    """Return log p of each symbol of each sequence given those before it, in nats; the last entry is that of END."""
    import torch

    encoded = [encode(net, sequence) for sequence in sequences]
    out: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for start in range(0, len(encoded), CHUNK):
            chunk = encoded[start : start + CHUNK]
            ids = _padded(chunk)
            # What stands behind a sequence's end changes nothing before it: the network reads from left to right.
            law = net.logits(ids[:, :-1])[0].double().log_softmax(-1)  # (B, T + 1, V)
            log_p = law.gather(-1, ids[:, 1:, None])[..., 0].numpy()
            out += [row[: len(sequence) - 1] for row, sequence in zip(log_p, chunk, strict=True)]
    return out


def log_prob(net: SymbolNet, sequences: Iterable[Iterable[str]]) -> NDArray[np.float64]:
    """Return log p of each sequence, its END with it, in nats: exact, (n,)."""
    return np.array([values.sum() for values in token_log_probs(net, sequences)], float)


def draw(net: SymbolNet, n: int, *, seed: int, limit: int, temperature: float = 1.0) -> list[tuple[str, ...]]:
    """Return n sequences by ancestral sampling, each of at most `limit` symbols.

    The logits are divided by the temperature: 1 is the network's own law. The first of n sequences are the same for
    every n.

    Raises
    ------
    ConfigurationError
        For a temperature of 0 or less.
    """
    if temperature <= 0:
        raise ConfigurationError(f"the temperature of a draw is above 0; got {temperature:g}")
    uniforms = np.random.default_rng(derive_seed(seed, "symbols")).random((n, limit))

    def choose(logits: torch.Tensor, rows: NDArray[np.int64], place: int) -> NDArray[np.int64]:
        cumulative = (logits.double() / temperature).softmax(-1).cumsum(-1).numpy()  # (B, V)
        u = uniforms[rows, place, None] * cumulative[:, -1:]
        picked: NDArray[np.int64] = (cumulative <= u).sum(-1)
        return picked

    return [decode(net, ids) for ids in _write(net, [[]] * n, limit, choose)]


def continue_from(net: SymbolNet, prefixes: Sequence[Iterable[str]], n: int) -> list[tuple[str, ...]]:
    """Return what most probably comes next after each prefix, symbol by symbol: n of them, or fewer where END comes."""

    def choose(logits: torch.Tensor, rows: NDArray[np.int64], place: int) -> NDArray[np.int64]:
        picked: NDArray[np.int64] = logits.argmax(-1).numpy()
        return picked

    return [decode(net, ids) for ids in _write(net, [encode(net, prefix)[1:-1] for prefix in prefixes], n, choose)]


def _write(net: SymbolNet, prefixes: Sequence[list[int]], limit: int, choose: Choose) -> list[list[int]]:
    """Read each prefix, then let `choose` write up to `limit` symbols behind it, until the edge."""
    import torch

    out: list[list[int]] = [[] for _ in prefixes]
    groups: dict[int, list[int]] = {}  # prefixes of one length are read together
    for i, prefix in enumerate(prefixes):
        groups.setdefault(len(prefix), []).append(i)
    with torch.no_grad():
        for group in groups.values():
            for start in range(0, len(group), CHUNK):
                rows = np.array(group[start : start + CHUNK])
                read, h = torch.tensor([[EDGE, *prefixes[i]] for i in rows]), None
                for place in range(limit):
                    logits, h = net.logits(read, h)
                    picked = choose(logits[:, -1], rows, place)
                    going = picked != EDGE
                    rows, picked, h = rows[going], picked[going], _rows(h, torch.from_numpy(going))
                    if not len(rows):
                        break
                    for i, symbol in zip(rows, picked, strict=True):
                        out[i].append(int(symbol))
                    read = torch.from_numpy(picked)[:, None]
    return out


def learn(net: SymbolNet, stream: Iterator[Iterable[str]], recipe: Recipe, *, seed: int) -> StabilityRecord:
    """Train the network on sequences of the stream, `recipe.batch` new ones a step; return how it went."""
    import torch
    from torch.nn.functional import cross_entropy

    weights, batches = list(net.net.parameters()), _batches(net, stream, recipe, Random(seed))
    adam = torch.optim.Adam(weights)

    def step(i: int) -> dict[str, float]:
        adam.param_groups[0]["lr"] = recipe.rate * cosine(i, steps=recipe.steps, warmup=recipe.warmup)
        encoded, size = next(batches)
        ids = _padded(encoded)
        counted = _padded([[1] * (len(row) - 1) for row in encoded]).bool()  # (B, T + 1)
        mean = cross_entropy(net.logits(ids[:, :-1])[0][counted], ids[:, 1:][counted])
        loss = mean * (float(counted.sum()) / size)
        adam.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        return {"loss": mean.item(), "grad_norm": norm.item()}

    with torch.random.fork_rng(devices=()):  # a caller's stream stays where it is
        return train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20), batch=recipe.batch)


def _batches(
    net: SymbolNet, stream: Iterator[Iterable[str]], recipe: Recipe, rng: Random
) -> Iterator[tuple[list[list[int]], float]]:
    """Yield batches, each with how many symbols a batch of its pool has on average, the edge at the end with them."""
    while True:
        block = [encode(net, sequence) for sequence in islice(stream, recipe.pool * recipe.batch)]
        if recipe.pool > 1:
            block.sort(key=len)
        starts = range(0, len(block), recipe.batch)
        size = sum(len(row) - 1 for row in block) / len(starts)
        yield from ((block[i : i + recipe.batch], size) for i in rng.sample(starts, len(starts)))


def _rows(h: State, kept: torch.Tensor) -> State:
    return h[:, kept] if not isinstance(h, tuple) else (h[0][:, kept], h[1][:, kept])


def _padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return rows of different lengths as one matrix, `EDGE` behind the shorter ones."""
    import torch

    out = np.full((len(rows), max(map(len, rows))), EDGE)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return torch.from_numpy(out)
