"""Whether tokens have the log-probabilities when a server reads them that they had when it wrote them.

An answer can be well formed and wrong: values of the position behind each token, as llama-cpp-python lists them for a
model without a start token, or of one position for all. What the server wrote is sent back to it to tell.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from ...core.conversations import Reply
from .scores import Scored
from .scoring import Echo, Written

if TYPE_CHECKING:
    from .endpoint import Endpoint

OPENINGS = ("The weather in the north was", "She opened the letter and read", "Most of the people who live here")
"""Texts that the server continues."""
NEW = 24
"""Tokens that it writes behind each."""
FEWEST = 8
"""Tokens to compare, of all openings together, at least."""
LARGEST = 0.3
"""Nats by which the values of a token may differ on average: reading and writing round differently."""


def mean_difference(endpoint: Endpoint, form: type[Echo], lead: int) -> float | None:
    """Return by how many nats the log-probabilities of written tokens differ when the server reads them, on average.

    Parameters
    ----------
    endpoint : Endpoint
        Of the scheme ``openai-completions``.
    form : type
        How the log-probabilities of a text are asked for.
    lead : int
        How many tokens the server puts before a text.

    Returns
    -------
    float or None
        None where fewer than `FEWEST` tokens can be compared: the server lists no log-probabilities of what it writes,
        writes little, or splits it into other tokens when it reads it.
    """
    replies = endpoint.score(OPENINGS, Written, lead=lead, new=NEW)
    written = {opening: scored for opening, reply in zip(OPENINGS, replies, strict=True) if (scored := _scored(reply))}
    texts = [opening + "".join(scored.written) for opening, scored in written.items()]
    differences: list[float] = []
    for (opening, one), text, reply in zip(
        written.items(), texts, endpoint.score(texts, form, lead=lead) if texts else (), strict=True
    ):
        if (other := _scored(reply)) is not None:
            differences += _differences(one, other, text, len(opening), lead)
    return sum(differences) / len(differences) if len(differences) >= FEWEST else None


def _differences(written: Scored, read: Scored, text: str, start: int, lead: int) -> list[float]:
    """Return how far apart the values of the written tokens are, up to the first that is read as another."""
    starts = [0, *accumulate(read.lengths)]
    if start not in starts:  # the first token that was written is read as a part of the opening's last one
        return []
    first = starts.index(start)
    pieces, values = read.pieces(text)[first:], read.logprobs[lead + first - 1 :]
    differences = []
    for part, piece, one, other in zip(written.written, pieces, written.logprobs, values, strict=False):
        if part != piece:
            break
        differences.append(abs(one - other))
    return differences


def _scored(reply: Reply) -> Scored | None:
    return Scored.from_json(reply.text) if reply.error is None else None
