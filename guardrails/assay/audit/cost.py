"""What an audit used, from what each of its series did."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...core.results.cost import Cost, ProbeCost, Use


def cost_of(
    readings: Mapping[str, str],
    used: Mapping[str, Use],
    price: Callable[[int, int], float | None],
    *,
    self_check: bool,
) -> Cost:
    """Return what a run used, from what each series did.

    Parameters
    ----------
    readings : mapping
        The key of each reading to the name of its series, ``<probe>|<subject>``.
    used : mapping
        By the name of the series.
    price : callable
        Takes prompt and completion tokens; returns what they cost, or None where no prices were given.
    self_check : bool
        Whether the readings are those of controls: then they are not counted as controls again.
    """
    priced = {name: use.model_copy(update={"money": _money(use, price)}) for name, use in used.items()}
    per_probe = {}
    for key, main in readings.items():
        probe, spike = main.partition("|")[0], f"{main.partition('|')[0]}|spike"
        others = [n for n in priced if n.partition("|")[0] == probe and n not in (main, spike)]
        per_probe[key] = ProbeCost(
            reading=priced.get(main, Use()),
            controls=Use() if self_check else sum((priced[name] for name in others), Use()),
            spike=priced.get(spike, Use()),
        )
    return Cost(total=ProbeCost.total(per_probe.values()), per_probe=per_probe)


def _money(use: Use, price: Callable[[int, int], float | None]) -> float | None:
    return price(use.prompt_tokens, use.completion_tokens) if use.requests else None
