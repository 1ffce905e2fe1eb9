"""What an audit used, in a line and as a table."""

from __future__ import annotations

from guardrails.core.results import Cost, ProbeCost, Requests, Use

from .text import number
from .tree import Table
from .trim import Trim

COLUMNS = ("Check", "Seconds", "of controls", "of the spike", "Items", "Requests", "Tokens in + out", "Peak memory")


def cost_line(cost: Cost) -> str:
    """Return what an audit used, in one line.

    >>> total = ProbeCost(reading=Use(seconds=61, items=200, peak_memory=1 << 30), controls=Use(seconds=2.5))
    >>> cost_line(Cost(total=total, per_probe={}))
    '200 items in 1 min 1 s, peak memory 1.0 GiB; controls 2.5 s; spikes 0.0 s'
    """
    total = cost.total
    spikes = duration(total.spike.seconds) + "".join(f", {part}" for part in _asked(total.spike))
    return f"{use_line(total.reading)}; controls {duration(total.controls.seconds)}; spikes {spikes}"


def use_line(use: Use) -> str:
    """Return what was used, in words.

    >>> use_line(Use(seconds=2, items=1, requests=1, prompt_tokens=9, completion_tokens=4, money=0.5))
    '1 item in 2.0 s, 1 requests and 9 + 4 tokens, cost 0.5'
    """
    parts = [f"{use.items:,} item{'' if use.items == 1 else 's'} in {duration(use.seconds)}", *_asked(use)]
    return ", ".join(parts + ([f"peak memory {memory(use)}"] if use.peak_memory is not None else []))


def _asked(use: Use) -> list[str]:
    asked = [f"{use.requests:,} requests and {tokens(use)} tokens"] if use.requests else []
    return asked + ([f"cost {number(use.money)}"] if use.money is not None else [])


def cost_table(cost: Cost, trim: Trim) -> Table:
    """Return a row for each probe and the sum; items, requests, tokens and memory are those of the reading."""
    rows = [(probe, *_cells(each)) for probe, each in sorted(cost.per_probe.items())]
    rows = list(trim.take(rows, trim.caps.rows, "rows of what each check used"))
    caption = (
        "Peak memory is that of the whole process meanwhile, with what earlier checks left loaded and without graphics "
        "cards. Controls whose outcomes were known took no time"
    )
    all_of_it = ("all of them", *_cells(cost.total))
    return Table(caption, COLUMNS, tuple((trim.text(name, limit=120), *cells) for name, *cells in [*rows, all_of_it]))


def requests_table(requests: Requests, trim: Trim) -> Table:
    """Return how the requests to a served model ended, a row for each kind."""
    rows = [
        ("Requests sent", f"{requests.sent:,}"),
        ("of these, sent again after a failure", f"{requests.repeated:,}"),
        ("Answered", f"{requests.answered:,}"),
        ("of these, refused", f"{requests.refused:,}"),
        ("of these, empty", f"{requests.empty:,}"),
        ("Filtered by the server", f"{requests.filtered:,}"),
        ("Failed", f"{sum(requests.failed.values()):,}"),
        *((f"of these, {trim.text(why, limit=80)}", f"{n:,}") for why, n in sorted(requests.failed.items())),
        ("Not sent", f"{requests.not_sent:,}"),
        ("Stored answers used again", f"{requests.reused:,}"),
        ("Tokens in + out", f"{requests.prompt_tokens:,} + {requests.completion_tokens:,}"),
    ]
    if requests.estimated:
        rows.append(("Answers whose tokens are estimated, as one per byte", f"{requests.estimated:,}"))
    if requests.money is not None:
        rows.append(("Cost", number(requests.money)))
    return Table("How the requests to the model ended", ("Requests", "Number"), tuple(rows))


def requests_line(requests: Requests) -> str:
    """Return how the requests to a served model ended, in one line, without what did not happen.

    >>> made = Requests(sent=9, repeated=2, answered=6, failed={"timed out": 1}, not_sent=3)
    >>> requests_line(made)
    '9 requests sent (2 again): 6 answered, 1 failed (timed out: 1), 3 not sent'
    """
    again = f" ({requests.repeated:,} again)" if requests.repeated else ""
    kinds = [f"{n:,} {what}" for n, what in ((requests.refused, "refused"), (requests.empty, "empty")) if n]
    reasons = ", ".join(f"{why}: {n:,}" for why, n in sorted(requests.failed.items()))
    parts = [
        f"{requests.answered:,} answered" + (f" ({', '.join(kinds)})" if kinds else ""),
        f"{requests.filtered:,} filtered by the server" if requests.filtered else "",
        f"{sum(requests.failed.values()):,} failed ({reasons})" if reasons else "",
        f"{requests.not_sent:,} not sent" if requests.not_sent else "",
        f"{requests.reused:,} stored answers used again" if requests.reused else "",
    ]
    return f"{requests.sent:,} requests sent{again}: {', '.join(part for part in parts if part)}"


def _cells(cost: ProbeCost) -> tuple[str, ...]:
    use = cost.reading
    return (
        f"{use.seconds:.1f}",
        f"{cost.controls.seconds:.1f}",
        f"{cost.spike.seconds:.1f}",
        f"{use.items:,}",
        f"{use.requests:,}" if use.requests else "–",
        (tokens(use) if use.requests else "–") + (f" (cost {number(use.money)})" if use.money is not None else ""),
        memory(use),
    )


def tokens(use: Use) -> str:
    """Return prompt and completion tokens.

    >>> tokens(Use(prompt_tokens=1200, completion_tokens=30))
    '1,200 + 30'
    """
    return f"{use.prompt_tokens:,} + {use.completion_tokens:,}"


def memory(use: Use) -> str:
    """Return the peak memory in gibibytes.

    >>> memory(Use(peak_memory=3 << 29)), memory(Use())
    ('1.5 GiB', '–')
    """
    return "–" if use.peak_memory is None else f"{use.peak_memory / 2**30:.1f} GiB"


def duration(seconds: float) -> str:
    """Return seconds in a reader's words.

    >>> duration(4.26), duration(151), duration(7300)
    ('4.3 s', '2 min 31 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
