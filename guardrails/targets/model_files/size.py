"""Whether a model's settings announce what its weights hold: nothing is built that the files cannot fill."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from ...core.errors import TargetError
from ...kit.io import shown
from .errors import in_time
from .weights import Weights

LENGTH = re.compile("position|length|ctx|context|window|seq|chunk|block_size")
LAYERS = re.compile("layer|block|depth")
NO_COUNT = re.compile("per_layer|block_multiple|depthwise")
"""Parts of names that stand for a size and not for a number of layers, as in ``vocab_size_per_layer_input``."""
WHICH = re.compile(r"^(?!num_|n_).*(?<!of)_layers$|layer_(?:ids|indices|idxs)$")
"""Lists that may name layers by their numbers, as ``moe_layers``: then these increase."""
SIZE = re.compile("size|dim|head|expert|label|channel|width|vocab|rank|group|hidden|inner|kernel|^n_|^num_")
NO_SIZE = re.compile("theta|seed|param|flop|step|version|date|bytes|_id$|_ids$")
"""Numbers that no array or loop is made from. Any other may be, and has the bound of a length."""
MAX_LENGTH = 1 << 24
FEW_LAYERS, SMALL = 128, 1 << 17
"""Of layers and of any size that much is built whatever the weights hold: not every default is small."""
PACKED = 8
"""Numbers in one stored element of quantised weights."""
MAX_BUFFERS = 1 << 28
SECONDS = 60.0
"""Time to build a model without memory: one of 126 layers takes two seconds on one core."""
SECONDS_A_TOKEN, SECONDS_A_PARAMETER = 10.0, 1e-8
"""Time of one pass over one token, for any model and for each of its parameters: a slow core reads 2e8 in a second."""
MARGIN = 1_000_000
"""Parameters that may be missing before anything is loaded: which ones are then said by name."""


def check_config(config: Mapping[str, Any], weights: Iterable[Weights], name: str = "config.json") -> None:
    """Hold the numbers of a model's settings against its weights, before anything is made of them.

    Raises
    ------
    TargetError
        For more layers than there are tensors, a size that is larger than any dimension of a tensor, and a length or
        another number, unless it is a known kind of `NO_SIZE`, of more than `MAX_LENGTH`.
    """
    files = list(weights)
    tensors = max(FEW_LAYERS, sum(file.tensors for file in files))
    largest = max(SMALL, PACKED * max((file.largest for file in files), default=0))
    for key, number in _numbers(config):
        # One key may be read as several of these.
        if LENGTH.search(key):
            limit, why = MAX_LENGTH, "is the most that is read"
        elif _counts_layers(key):
            limit, why = tensors, "would be more than the weights hold tensors"
        elif SIZE.search(key) or NO_COUNT.search(key):
            limit, why = largest, "would be more than any tensor of the weights is long"
        elif NO_SIZE.search(key):
            continue
        else:
            limit, why = MAX_LENGTH, "is the most that is read"
        if number > limit:
            raise TargetError(f"{name} says {shown(key)[:50]} = {number:,}; {limit:,} {why}")


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """Yield every integer with the name that it stands under, and of a list how long it is and the sum or largest."""
    if isinstance(value, Mapping):
        for inner, part in value.items():
            yield from _numbers(part, str(inner))
    elif isinstance(value, list):
        yield key, len(value)
        integers = [part for part in value if type(part) is int]
        numbered = WHICH.search(key) is not None and integers == sorted(set(integers))
        yield key, sum(integers) if _counts_layers(key) and not numbered else max(integers, default=0)
        for part in value:
            if not isinstance(part, int):
                yield from _numbers(part, key)
    elif type(value) is int:
        yield key, value


def _counts_layers(key: str) -> bool:
    return LAYERS.search(NO_COUNT.sub("", key)) is not None


def check_built(build: Callable[[], Any], weights: Iterable[Weights], *, quantised: bool = False) -> None:
    """Build a model without memory (on the device ``meta``) and compare it with its weights, before they are loaded.

    An architecture may take hours over a number that `check_config` does not know: the time is limited.

    Raises
    ------
    TargetError
        Where it takes more than `SECONDS` to build, has more than twice the parameters that are stored (`PACKED` times
        as many of quantised weights), buffers of more than `MAX_BUFFERS` numbers, or does not fit into this machine's
        memory.
    """
    import torch

    def without_memory() -> Any:
        with torch.device("meta"):
            return build()

    try:
        model = in_time(without_memory, SECONDS)
    except TimeoutError:
        raise TargetError(f"its configuration takes more than {SECONDS:.0f} s to build, without any weights") from None
    stored = sum(file.elements for file in weights)
    announced = sum(parameter.numel() for parameter in model.parameters())
    if announced > stored * (2 * PACKED if quantised else 2) + MARGIN:
        raise TargetError(
            f"its configuration announces {announced:,} parameters, and the weights hold {stored:,}: they are of "
            "another model"
        )
    if (buffers := sum(buffer.numel() for buffer in model.buffers())) > MAX_BUFFERS:
        raise TargetError(f"its configuration asks for tables of {buffers:,} numbers; at most {MAX_BUFFERS:,} are made")
    memory = _memory()
    if memory is not None and 4 * announced > memory:
        raise TargetError(
            f"its {announced:,} parameters take {4 * announced / 1e9:,.0f} GB, and this machine has {memory / 1e9:,.0f}"
        )


def check_pass(model: Any) -> None:
    """Run a causal model over one token, in limited time.

    A setting may say how often a part of the model is passed through (``H_cycles``, ``num_loops``, …), which no size of
    a tensor bounds.

    Raises
    ------
    TargetError
        Where the pass takes more than `SECONDS_A_TOKEN` and `SECONDS_A_PARAMETER` times the number of parameters.
    """
    import torch

    parameters = sum(parameter.numel() for parameter in model.parameters())
    seconds = SECONDS_A_TOKEN + SECONDS_A_PARAMETER * parameters

    def one_token() -> None:
        with torch.inference_mode(), suppress(Exception):  # what else is wrong is found, and named, afterwards
            model(input_ids=torch.zeros((1, 1), dtype=torch.int64, device=model.device), use_cache=False)

    try:
        in_time(one_token, seconds)
    except TimeoutError:
        raise TargetError(
            f"one pass over one token takes more than {seconds:.0f} s with its {parameters:,} parameters: a setting in "
            "config.json asks for too many rounds, or this machine is too slow for the model"
        ) from None


def _memory() -> int | None:
    """Return the bytes of memory of this machine, or None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
