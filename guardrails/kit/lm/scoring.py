"""Log-probabilities and continuations of causal language models, in batches that do not change the numbers.

A model here is any causal model of `transformers`; how it may be batched and cached is tried out (see `lm_mode`).
Everything runs under ``torch.inference_mode`` on the model's own device; logits are taken to float32 before any
probability is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np

from ...core.errors import ConfigurationError
from .mode import Rereader, RunMode, Stepper, Writer, context_length, pad, run_mode
from .prefix_tree import Tree, in_groups, read, reads_trees, worthwhile

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Choose = Callable[[torch.Tensor, list[int], int], torch.Tensor]

SCORE_TOKENS = {"cpu": 512}
"""The most tokens in one scoring pass, by kind of device: on a processor, what keeps a layer's states in its cache."""
SCORE_TOKENS_ELSEWHERE = 16_384
WRITE_TOKENS = 8192
"""The most tokens in one batch of writing, where every step reads all weights once for the whole batch."""
HEAD_ROWS = 128


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield groups of indices, longest first, so that the longest of a group times its size is within the budget.

    >>> list(batches([2, 9, 3, 2], budget=9))
    [[1], [2, 0, 3]]
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    group: list[int] = []
    for i in order:
        if group and (len(group) + 1) * max(1, lengths[group[0]]) > budget:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def token_logprobs(
    model: Any,
    sequences: Sequence[Sequence[int]],
    *,
    batch_tokens: int | None = None,
    overflow: Literal["refuse", "slide"] = "refuse",
) -> list[NDArray[np.float64]]:
    """Return, per sequence, log p(token | tokens before it) for every token but the first.

    What short sequences begin with alike is read once, where that leaves out much and gives the model's own numbers.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A causal language model, in evaluation mode.
    sequences : sequence of sequences of int
        Tokens; of any lengths, also 0 or 1.
    batch_tokens : int, optional
        The most tokens, padding included, in one forward pass: changes speed and memory, not the numbers (to 1e-4).
        Default: what suits the device.
    overflow : {"refuse", "slide"}
        What to do with a sequence longer than the context: refuse, or slide a window of the context's length by half
        of it, where each token is scored by the first window that holds it, hence with at least half a context.

    Returns
    -------
    list of float64 arrays, each (length - 1,), at most 0

    Raises
    ------
    ConfigurationError
        For a sequence longer than the context where `overflow` is "refuse".
    """
    import torch

    limit = context_length(model)
    budget = scoring_budget(model, batch_tokens)
    if overflow == "refuse":
        _refuse_longer(max(map(len, sequences), default=0), limit)
    windows = [(i, start) for i, s in enumerate(sequences) for start in _window_starts(len(s), limit)]
    pieces = [sequences[i][start : start + limit] for i, start in windows]
    out = [np.zeros(max(0, len(s) - 1)) for s in sequences]
    # A later window writes only what the windows before it could not reach.
    skips = [limit - limit // 2 - 1 if start else 0 for _, start in windows]
    with torch.inference_mode():
        if len(windows) == len(sequences) and (grown := _grown(model, sequences, budget)):
            return _scored_as_trees(model, sequences, grown, budget)
        score = _scorer(model)
        for group in batches([len(p) for p in pieces], budget):
            group = [k for k in group if len(pieces[k]) > 1]
            if not group:
                continue
            for k, values in zip(group, score([pieces[k] for k in group]), strict=True):
                (i, start), skip = windows[k], skips[k]
                out[i][start + skip : start + len(values)] = values[skip:]
    return out


def scoring_budget(model: Any, batch_tokens: int | None) -> int:
    """Return the most tokens in one scoring pass; 1, so that each sequence is alone, where padding changes numbers."""
    if not run_mode(model).batched:
        return 1
    return batch_tokens or SCORE_TOKENS.get(model.device.type, SCORE_TOKENS_ELSEWHERE)


def _window_starts(length: int, limit: int) -> list[int]:
    return [0, *range(limit // 2, max(0, length - limit) + limit // 2, limit // 2)] if length > limit else [0]


def _refuse_longer(length: int, limit: int) -> None:
    if length > limit:
        raise ConfigurationError(f"{length} tokens do not fit into the model's context of {limit}; give shorter text")


def _scorer(model: Any) -> Callable[[list[Sequence[int]]], list[NDArray[np.float64]]]:
    """Return a function from a batch of sequences to their log-probabilities."""
    import torch

    split = _splits(model)
    body, head = (model.base_model, model.get_output_embeddings()) if split else (model, None)

    def score(batch: list[Sequence[int]]) -> list[NDArray[np.float64]]:
        lengths = [len(s) for s in batch]
        tokens, mask = pad(batch, model.device, side="right")
        output = body(input_ids=tokens, attention_mask=mask, use_cache=False)
        states = output.last_hidden_state if head is not None else output.logits
        wanted = torch.zeros_like(tokens, dtype=torch.bool)
        for row, length in enumerate(lengths):
            wanted[row, : length - 1] = True
        following = tokens[:, 1:][wanted[:, :-1]]
        flat = _gather(states[wanted], following, head).cpu().numpy()
        return np.split(flat, np.cumsum([length - 1 for length in lengths])[:-1])

    return score


def _grown(model: Any, sequences: Sequence[Sequence[int]], budget: int) -> list[Tree] | None:
    """Return the trees of all tokens that another follows; None where they save little or the model reads none."""
    if budget == 1 or not _splits(model):
        return None
    grown = worthwhile([sequence[:-1] for sequence in sequences], budget)
    return grown if grown and reads_trees(model) else None


def _scored_as_trees(
    model: Any, sequences: Sequence[Sequence[int]], grown: Sequence[Tree], budget: int
) -> list[NDArray[np.float64]]:
    """Return the log-probabilities of sequences whose tokens but the last are in trees, each node read once."""
    import torch

    out = [np.zeros(0)] * len(sequences)
    for group in in_groups(grown, budget):
        states = read(model.base_model, group, model.device, model.dtype)
        width = states.shape[1]
        ends = [(row, i, path) for row, tree in enumerate(group) for i, path in tree.paths.items()]
        nodes = np.concatenate([row * width + np.array(path, dtype=np.int64) for row, _, path in ends])
        following = np.concatenate([np.array(sequences[i][1:], dtype=np.int64) for _, i, _ in ends])
        different, rows = np.unique(nodes, return_inverse=True)
        order = np.argsort(rows, kind="stable")
        kept = states.flatten(0, 1)[torch.from_numpy(different).to(states.device)]
        wanted, places = (torch.from_numpy(a[order]).to(states.device) for a in (following, rows))
        flat = np.empty(len(order))
        flat[order] = _gather(kept, wanted, model.get_output_embeddings(), places).cpu().numpy()
        parts = np.split(flat, np.cumsum([len(path) for *_, path in ends])[:-1])
        for (_, i, _), values in zip(ends, parts, strict=True):
            out[i] = values
    return out


def _gather(states: torch.Tensor, following: torch.Tensor, head: Any, rows: torch.Tensor | None = None) -> torch.Tensor:
    """Return log p of each following token, a few rows of the vocabulary at a time: they stay in the cache.

    `rows`: after which state each token follows, ascending; default: one after each.
    """
    import torch

    rows = torch.arange(len(following), device=states.device) if rows is None else rows
    out = torch.empty(len(following), dtype=torch.float64, device=states.device)
    for start in range(0, len(states), HEAD_ROWS):
        first, last = torch.searchsorted(rows, torch.tensor([start, start + HEAD_ROWS], device=rows.device)).tolist()
        part = states[start : start + HEAD_ROWS]
        log_p = torch.log_softmax((part if head is None else head(part)).float(), dim=-1)
        out[first:last] = log_p[rows[first:last] - start, following[first:last]]
    return out


_SPLIT: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _splits(model: Any) -> bool:
    """Whether body and head, called apart, give the model's own logits: some models scale or cap them in between.

    Tried out once for each model, since it takes two passes over all weights.
    """
    if model.get_output_embeddings() is None or model.base_model is model:
        return False
    if model not in _SPLIT:
        _SPLIT[model] = _split_works(model)
    return _SPLIT[model]


def _split_works(model: Any) -> bool:
    import torch

    head, body = model.get_output_embeddings(), model.base_model
    tokens = torch.arange(2, device=model.device)[None]
    states = getattr(body(input_ids=tokens, use_cache=False), "last_hidden_state", None)
    if states is None or states.shape[:2] != (1, 2) or states.shape[-1] != head.weight.shape[-1]:
        return False
    return torch.allclose(head(states), model(input_ids=tokens, use_cache=False).logits, rtol=1e-4, atol=1e-4)


def greedy(
    model: Any,
    prefixes: Sequence[Sequence[int]],
    n: int,
    *,
    end: Collection[int] = (),
    batch_tokens: int = WRITE_TOKENS,
) -> list[list[int]]:
    """Return the most probable next token, n times, after each prefix; it stops before a token of `end`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A causal language model, in evaluation mode.
    prefixes : sequence of sequences of int
        Each at least one token.
    n : int
        Tokens to add.
    end : collection of int
        End-of-text tokens: not part of what is returned.
    batch_tokens : int
        The most tokens in one batch, counting prefix and continuation.

    Raises
    ------
    ConfigurationError
        For an empty prefix, or where prefix and continuation exceed the context.
    """
    return _continue(model, prefixes, n, lambda logits, rows, step: logits.argmax(-1), end, batch_tokens)


def sample(
    model: Any,
    prefixes: Sequence[Sequence[int]],
    n: int,
    *,
    temperature: float = 1.0,
    seed: int | Sequence[int] = 0,
    end: Collection[int] = (),
    batch_tokens: int = WRITE_TOKENS,
) -> list[list[int]]:
    """Draw n tokens after each prefix, from the whole distribution; as `greedy` otherwise.

    The randomness of a prefix depends on the seed and on its place in `prefixes`, never on the batch it is in; with a
    seed for each prefix, on that alone.

    Raises
    ------
    ConfigurationError
        As `greedy`, and for a negative temperature.
    """
    import torch

    if temperature < 0:
        raise ConfigurationError(f"temperature is {temperature}; it cannot be negative")
    if temperature == 0:
        return greedy(model, prefixes, n, end=end, batch_tokens=batch_tokens)
    uniform = _uniform(seed, len(prefixes), n)

    def choose(logits: torch.Tensor, rows: list[int], step: int) -> torch.Tensor:
        # The inverse of the distribution function: one uniform number decides a token.
        mass = torch.softmax(logits.double() / temperature, dim=-1).cumsum(-1)
        point = uniform[rows, step].to(mass.device)[:, None] * mass[:, -1:]
        return torch.searchsorted(mass, point, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)

    return _continue(model, prefixes, n, choose, end, batch_tokens)


def _uniform(seed: int | Sequence[int], rows: int, n: int) -> torch.Tensor:
    import torch

    def drawn(seed: int, rows: int) -> torch.Tensor:
        return torch.rand(rows, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    if isinstance(seed, int):
        return drawn(seed, rows)
    return torch.cat([torch.empty(0, n, dtype=torch.float64), *(drawn(one, 1) for one in seed)])


def _continue(
    model: Any, prefixes: Sequence[Sequence[int]], n: int, choose: Choose, end: Collection[int], batch_tokens: int
) -> list[list[int]]:
    import torch

    if any(len(p) == 0 for p in prefixes):
        raise ConfigurationError("a prefix of no tokens cannot be continued; begin it with the model's first token")
    _refuse_longer(max(map(len, prefixes), default=0) + n, context_length(model))
    out: list[list[int]] = [[] for _ in prefixes]
    if n <= 0:
        return out
    mode = run_mode(model)
    lengths = [len(p) + n for p in prefixes]
    with torch.inference_mode():
        for rows in _writing_batches(lengths, batch_tokens, mode):
            given = [prefixes[row] for row in rows]
            writer = Stepper(model, given, mode.cache) if mode.cache else Rereader(model, given)
            for row, tokens in zip(rows, _continue_batch(writer, rows, n, choose, end), strict=True):
                out[row] = tokens
    return out


def _writing_batches(lengths: Sequence[int], budget: int, mode: RunMode) -> Iterator[list[int]]:
    if mode.cache is None and not mode.batched:
        yield from ([i] for i in range(len(lengths)))
    elif mode.cache is None:
        yield from batches(lengths, min(budget, SCORE_TOKENS["cpu"]))  # all logits of all tokens are computed
    elif mode.padded:
        yield from batches(lengths, budget)
    else:
        for length in sorted(set(lengths), reverse=True):
            equal = [i for i, other in enumerate(lengths) if other == length]
            for group in batches([length] * len(equal), budget):
                yield [equal[k] for k in group]


def _continue_batch(writer: Writer, rows: list[int], n: int, choose: Choose, end: Collection[int]) -> list[list[int]]:
    out: list[list[int]] = [[] for _ in rows]
    running = [True] * len(rows)
    for step in range(n):
        chosen = choose(writer.logits(), rows, step)
        for k, token in enumerate(chosen.tolist()):
            running[k] = running[k] and token not in end
            if running[k]:
                out[k].append(token)
        if not any(running):
            break
        writer.append(chosen)
    return out
