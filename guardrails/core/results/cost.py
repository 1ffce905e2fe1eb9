"""What a run used: seconds, items, requests, tokens and memory, for each probe and in all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field

from .measurement import Frozen


class Use(Frozen):
    """What one part of a run used, over all sessions of a resumed run.

    Of an audit that asks a served model, requests of a batch that was cut off are missing.

    `peak_memory` is the largest resident memory of the whole process meanwhile, in bytes, looked at twenty times a
    second: it holds what earlier parts left loaded, and no memory of a graphics card. None where the system does not
    say. `money` is what the tokens cost at the prices that were given, in their currency.
    """

    seconds: float = Field(default=0.0, ge=0, description="of collecting, each batch by itself, and of measuring")
    items: int = Field(default=0, ge=0, description="rows that were collected, failed ones too")
    requests: int = Field(default=0, ge=0, description="sent to a served model, those sent again too")
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    peak_memory: int | None = Field(default=None, ge=0)
    outputs: int = Field(default=0, ge=0, description="texts and continuations of a target of text that a check read")
    empty: int = Field(default=0, ge=0, description="nothing, white space, or one punctuation mark repeated")
    refused: int = Field(default=0, ge=0, description="of the other outputs: refusals, by the server's own word")
    repeated: int = Field(default=0, ge=0, description="of the others: the most frequent of a batch, again, and echoes")
    money: float | None = Field(default=None, ge=0)

    def __add__(self, other: Use) -> Use:
        return Use(
            seconds=round(self.seconds + other.seconds, 6),
            items=self.items + other.items,
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            outputs=self.outputs + other.outputs,
            empty=self.empty + other.empty,
            refused=self.refused + other.refused,
            repeated=self.repeated + other.repeated,
            peak_memory=max((p for p in (self.peak_memory, other.peak_memory) if p is not None), default=None),
            money=None if self.money is None and other.money is None else (self.money or 0.0) + (other.money or 0.0),
        )


class ProbeCost(Frozen):
    """What one probe used: for its reading of the target, for its controls, and for its spike."""

    reading: Use = Use()
    controls: Use = Use()
    spike: Use = Use()

    @classmethod
    def total(cls, costs: Iterable[ProbeCost]) -> Self:
        """Return the sum of several."""
        costs = list(costs)
        return cls(
            reading=sum((c.reading for c in costs), Use()),
            controls=sum((c.controls for c in costs), Use()),
            spike=sum((c.spike for c in costs), Use()),
        )


class Requests(Frozen):
    """How the requests to a served model ended, over all sessions of a resumed run.

    `answered` counts refusals and empty answers too. What was `filtered` and what `failed` is no answer.
    """

    sent: int = Field(default=0, ge=0)
    repeated: int = Field(default=0, ge=0, description="of those sent: sent again after a failure that may pass")
    answered: int = Field(default=0, ge=0)
    refused: int = Field(default=0, ge=0, description="of those answered, by the server's own word")
    empty: int = Field(default=0, ge=0, description="of those answered")
    filtered: int = Field(default=0, ge=0, description="withheld by the server")
    failed: dict[str, int] = Field(default={}, description="by reason; repetitions that helped are not counted")
    not_sent: int = Field(default=0, ge=0, description="as the budget was spent, or the server down")
    reused: int = Field(default=0, ge=0, description="answers that were stored and not asked for again")
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    estimated: int = Field(
        default=0, ge=0, description="answers whose tokens the server did not count: an upper bound is used"
    )
    money: float | None = Field(default=None, ge=0)


class Cost(Frozen):
    """What an audit used. Controls whose outcomes were known used nothing."""

    total: ProbeCost
    per_probe: dict[str, ProbeCost]
    requests: Requests | None = Field(default=None, description="of an audit of a served model")
