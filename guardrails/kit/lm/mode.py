"""How a causal language model may be run so that batching, padding and caching do not change its numbers.

Architectures differ: recurrent models ignore the attention mask, some have no cache, some return it under another name,
some keep it inside the module. Instead of a list of names, a few tokens are run through the model in each way and held
against the plain one: one sequence at a time, no padding, no cache.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from ...core.errors import TargetError

if TYPE_CHECKING:
    import torch

LONGEST, PREFILL = 9, (6, 3)
"""Tokens of a test sequence, and how many of each of the two are read before the cache is used."""
FEWEST = 4
"""A context shorter than this leaves no room for the test: such a model is run the plain way."""
CACHES = ("past_key_values", "cache_params", "state")
"""Names that models give the cache, in what they return and in what they take."""
UNLIMITED = 1 << 20
ROUNDING = 2e-3
"""Difference of logits, in their standard deviations, that rounding may make at least."""


@dataclass(frozen=True)
class RunMode:
    """What may be done with a model without changing its numbers.

    Attributes
    ----------
    batched : bool
        Sequences of several lengths are scored together, padded at their ends; else one at a time.
    cache : str, optional
        The name of the cache; None where each step reads the whole sequence again.
    padded : bool
        With a cache: prompts of several lengths are continued together, padded at their beginnings; else only those of
        equal length.
    """

    batched: bool = True
    cache: str | None = "past_key_values"
    padded: bool = True

    def describe(self) -> str:
        """Return what differs from the usual way, for the report; empty where nothing does."""
        parts = []
        if not self.batched:
            parts.append("each sequence is read alone, since padding changes the model's numbers")
        if self.cache is None:
            parts.append("every step reads the whole text again, since no cache gives the model's own numbers")
        elif not self.padded:
            parts.append("only prompts of equal length are continued together, since padding changes what is written")
        return "; ".join(parts)


class Writer(Protocol):
    """Reads prompts, then one further token for each at a time."""

    def logits(self) -> torch.Tensor:
        """Return the logits of the next token of each prompt: (prompts, vocabulary), float32."""
        ...

    def append(self, tokens: torch.Tensor) -> None:
        """Add one token to each prompt."""
        ...


def context_length(model: Any) -> int:
    """Return the longest sequence that the model can read, in tokens; 2**20 where nothing limits it.

    That is what its configuration states, or fewer where a table of learnt positions ends before.
    """
    from torch import nn

    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    stated = (getattr(config, n, None) for n in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"))
    limits = [n for n in stated if isinstance(n, int) and n > 0][:1]
    for name, table in model.named_modules():
        if isinstance(table, nn.Embedding) and re.search(r"(^|\.|_)(wpe|positions?)(_|\.|$)", name):
            # Where padding has a position of its own, text begins behind it.
            limits.append(table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1))
    return min(limits, default=UNLIMITED)


def pad(
    batch: Sequence[Sequence[int]], device: Any, *, side: Literal["left", "right"]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and attention mask of sequences, each (sequences, longest)."""
    import torch

    width = max(map(len, batch))
    tokens = np.zeros((len(batch), width), dtype=np.int64)
    mask = np.zeros((len(batch), width), dtype=np.int64)
    for row, sequence in enumerate(batch):
        part = slice(0, len(sequence)) if side == "right" else slice(width - len(sequence), width)
        tokens[row, part] = sequence
        mask[row, part] = 1
    return torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)


_MODES: WeakKeyDictionary[Any, RunMode] = WeakKeyDictionary()


def run_mode(model: Any) -> RunMode:
    """Return how a model may be run; found out once for each model, with about ten passes of at most nine tokens.

    Raises
    ------
    TargetError
        For a model that cannot be run at all, or that is not causal: what stands after a token changes its numbers.
    """
    if model not in _MODES:
        _MODES[model] = _find_mode(model)
    return _MODES[model]


def _find_mode(model: Any) -> RunMode:
    import torch

    length = min(LONGEST, context_length(model))
    with torch.inference_mode():
        a, b = test_sequences(model, length)
        try:
            plain = [_logits(model, [sequence])[0] for sequence in (a, b)]
            beginning = _logits(model, [a[: length // 2]])[0]
        except Exception as error:  # a model that cannot read plain tokens raises anything
            message = str(error).strip().splitlines() or [type(error).__name__]
            raise TargetError(f"the model cannot be run ({type(error).__name__}: {message[0][:200]})") from None
        if not same_logits(model, beginning, plain[0][: length // 2]):
            raise TargetError("the model is not causal: what stands after a token changes the token's probability")
        if length < FEWEST:
            return RunMode(batched=False, cache=None, padded=False)
        batched = _works(lambda: _scores_batched(model, (a, b), plain))
        for padded in (True, False):
            for cache in CACHES:
                if _works(lambda c=cache, p=padded: _continues(model, (a, b), plain, c, padded=p)):
                    return RunMode(batched, cache, padded)
        return RunMode(batched, None, padded=False)


def _works(attempt: Any) -> bool:
    try:
        return bool(attempt())
    except Exception:  # whatever a model does with arguments that it does not expect, it is not this way
        return False


def test_sequences(model: Any, length: int) -> tuple[list[int], list[int]]:
    """Return two sequences of random tokens, none of them special where there are others."""
    config = model.config
    special = {getattr(config, f"{kind}_token_id", None) for kind in ("pad", "bos", "eos")}
    usable = [t for t in range(min(vocabulary_size(model), 1 << 16)) if t not in special] or [0]
    drawn = np.random.default_rng(0).choice(usable, size=(2, length))
    return drawn[0].tolist(), drawn[1].tolist()


def vocabulary_size(model: Any) -> int:
    """Return how many tokens the model has an embedding for."""
    embedding = model.get_input_embeddings()
    return int(getattr(embedding, "num_embeddings", None) or embedding.weight.shape[0])


def _logits(model: Any, batch: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Return the logits of each sequence, padded at its end where the batch holds a longer one."""
    tokens, mask = pad(batch, model.device, side="right")
    logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits.float()
    return [logits[row, : len(sequence)] for row, sequence in enumerate(batch)]


def _scores_batched(model: Any, sequences: tuple[list[int], list[int]], plain: list[torch.Tensor]) -> bool:
    (a, b), short = sequences, len(sequences[1]) - 3
    first, second = _logits(model, [a, b[:short]])
    return same_logits(model, first, plain[0]) and same_logits(model, second, plain[1][:short])


def _continues(
    model: Any, sequences: tuple[list[int], list[int]], plain: list[torch.Tensor], cache: str, *, padded: bool
) -> bool:
    """Whether reading the rest of both sequences token by token, from a cache, gives the plain logits."""
    import torch

    length = len(sequences[0])
    starts = [min(n, length - 2) for n in PREFILL] if padded else [min(PREFILL[0], length - 2)] * 2
    stepper = Stepper(model, [s[:n] for s, n in zip(sequences, starts, strict=True)], cache)
    for step in range(length - max(starts)):
        logits = stepper.logits()
        places = [n + step - 1 for n in starts]
        if not all(same_logits(model, logits[row], plain[row][place]) for row, place in enumerate(places)):
            return False
        stepper.append(torch.tensor([s[p + 1] for s, p in zip(sequences, places, strict=True)], device=model.device))
    return True


def same_logits(model: Any, a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether logits agree to within rounding; a token that is read wrongly changes them by about their spread."""
    import torch

    kept = torch.isfinite(b)  # a forbidden token has log 0 both times
    if not torch.equal(kept, torch.isfinite(a)) or not kept.any():
        return False
    # Half of the digits of the model's type: rounding adds up over layers.
    tolerance = max(ROUNDING, torch.finfo(model.dtype).eps ** 0.5)
    return bool((a[kept] - b[kept]).abs().max() <= tolerance * (b[kept].std(correction=0) + 1e-3))


class Stepper:
    """Reads prompts, then one further token for each at a time, from a cache.

    Prompts of several lengths are padded at their beginnings; those of one length are given without a mask, which a
    recurrent model would apply to the one token that it reads.
    """

    def __init__(self, model: Any, prefixes: Sequence[Sequence[int]], cache: str) -> None:
        self._model, self._cache_name, self._cache = model, cache, None
        self._tokens, self._mask = pad(prefixes, model.device, side="left")
        self._ragged = len(set(map(len, prefixes))) > 1
        self._takes = inspect.signature(model.forward).parameters

    def logits(self) -> torch.Tensor:
        """Return the logits of the next token of each prompt: (prompts, vocabulary), float32."""
        takes = self._takes
        given: dict[str, Any] = {self._cache_name: self._cache}
        if "position_ids" in takes:
            given["position_ids"] = (self._mask.cumsum(-1) - 1).clamp(min=0)[:, -self._tokens.shape[1] :]
        if self._ragged or "position_ids" in takes:
            given["attention_mask"] = self._mask
        if "logits_to_keep" in takes:
            given["logits_to_keep"] = 1  # all of a prompt's logits would fill the memory
        output = self._model(input_ids=self._tokens, use_cache=True, **given)
        self._cache = output[self._cache_name]
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def append(self, tokens: torch.Tensor) -> None:
        """Add one token to each prompt."""
        import torch

        self._tokens = tokens[:, None]
        self._mask = torch.cat([self._mask, torch.ones_like(self._tokens)], dim=1)


class Rereader:
    """As `Stepper`, without a cache: each step reads the whole of every sequence, padded at its end."""

    def __init__(self, model: Any, prefixes: Sequence[Sequence[int]]) -> None:
        self._model, self._sequences = model, [list(prefix) for prefix in prefixes]

    def logits(self) -> torch.Tensor:
        """Return the logits of the next token of each prompt: (prompts, vocabulary), float32."""
        import torch

        return torch.stack([logits[-1] for logits in _logits(self._model, self._sequences)])

    def append(self, tokens: torch.Tensor) -> None:
        """Add one token to each prompt."""
        for sequence, token in zip(self._sequences, tokens.tolist(), strict=True):
            sequence.append(token)
