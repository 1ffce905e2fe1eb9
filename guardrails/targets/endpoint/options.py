"""What a user may say about how an endpoint is asked."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds, and how often a request is sent at most.

    Attributes
    ----------
    first_wait : float
        Before a request is sent again; doubled each time, and shortened at random by up to a half.
    longest_wait : float
        A server that asks for more, in ``Retry-After``, is not waited for.
    """

    connect: float = 10.0
    read: float = 60.0
    total: float = 120.0
    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0


class EndpointOptions(BaseModel):
    """How an endpoint is asked. Prices are per million tokens, in the currency of `max_cost`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_key_env: str | None = None  # not checked here: a mistake is shown, and may be the key itself
    concurrency: int = Field(default=4, ge=1, le=64)
    max_requests: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    price_in: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    price_out: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    connect_timeout: float = Field(default=Patience.connect, gt=0, le=3600)
    read_timeout: float = Field(default=Patience.read, gt=0, le=3600)
    timeout: float = Field(default=Patience.total, gt=0, le=3600)
    cache: bool = True

    @field_validator("max_cost")
    @classmethod
    def _a_cost_needs_prices(cls, value: float | None, info: ValidationInfo) -> float | None:
        # Not a check of the whole: its message would show every field, and a key that was given for its name.
        if value is not None and (info.data.get("price_in") is None or info.data.get("price_out") is None):
            raise ValueError("max_cost needs price_in and price_out, per million tokens")
        return value

    @property
    def patience(self) -> Patience:
        """The time-outs, with the library's own patience for what is sent again."""
        return Patience(connect=self.connect_timeout, read=self.read_timeout, total=self.timeout)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what tokens cost, or None where the prices are not known."""
        if self.price_in is None or self.price_out is None:
            return None
        return (prompt_tokens * self.price_in + completion_tokens * self.price_out) / 1e6

    def words(self) -> list[str]:
        """Return the options of the command line that say the same.

        >>> EndpointOptions(concurrency=8, cache=False).words()
        ['--concurrency', '8', '--no-cache']
        """
        words = []
        for name, value in self.model_dump(exclude_defaults=True).items():
            words += ["--no-cache"] if name == "cache" else [f"--{name.replace('_', '-')}", f"{value}"]
        return words
