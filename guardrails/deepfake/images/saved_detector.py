"""A detector in a folder: what it was fitted or calibrated to, and which network it stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ConfigurationError

if TYPE_CHECKING:
    from .fitted_head import Fitted

STEM = "detector"


@dataclass(frozen=True)
class Kept:
    """What `keep` wrote.

    Attributes
    ----------
    argument : str
        What the detector was made with.
    network : str
        Hash of the network that it stands on.
    fitted : Fitted
    """

    argument: str
    network: str
    fitted: Fitted


def keep(id: str, kept: Kept, folder: Path) -> list[Path]:
    """Write ``detector.safetensors`` and ``detector.json``; return both paths."""
    from .fitted_head import write

    return write({id: kept.fitted}, {"argument": kept.argument, "network_sha256": kept.network}, folder, STEM)


def is_kept(place: str) -> bool:
    """Whether a folder holds what `keep` wrote."""
    return bool(place) and (Path(place) / f"{STEM}.json").is_file()


def read_kept(id: str, place: str) -> Kept:
    """Read what `keep` wrote for a detector.

    Raises
    ------
    ConfigurationError
        Where it is another detector's, altered or damaged.
    """
    from .fitted_head import read

    try:
        heads, card = read.__wrapped__(Path(place), STEM)  # not from its cache: a folder can be written anew
        if id not in heads:
            raise ConfigurationError(f"{id}: {place} holds {', '.join(heads) or 'nothing'}")
        return Kept(str(card["argument"]), str(card["network_sha256"]), heads[id])
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ConfigurationError(f"{id}: {place} holds no detector that can be read ({error})") from None


def check_network(id: str, place: str, kept: Kept, sha256: str) -> None:
    """Raise `ConfigurationError` where a network is not the one that a detector was fitted on."""
    if sha256 != kept.network:
        raise ConfigurationError(
            f"{id}: {place} was fitted on a network with the hash {kept.network[:12]}…, but"
            f" {kept.argument or 'the default one'} has {sha256[:12]}…; fit it anew"
        )
