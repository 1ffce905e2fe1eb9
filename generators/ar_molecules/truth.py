"""What is true of molecules, read with rdkit [1]_: which are valid, the same molecule, or carry a structural alert.

Only training and its card need rdkit (``pip install 'guardrails-audit[chem]'``); the weights load and sample without.

.. [1] G. Landrum et al., "RDKit: Open-source cheminformatics", https://www.rdkit.org.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.errors import ConfigurationError

from .. import cards
from .molecules import ALERTS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rdkit.Chem import Mol

BATCHES = 10
"""In how many parts a distance of properties is taken: their spread is its error."""


@cache
def chem() -> Any:
    """Return ``rdkit.Chem``.

    Raises
    ------
    ConfigurationError
        Where rdkit is not installed.
    """
    try:
        from rdkit import Chem
    except ImportError as error:
        raise ConfigurationError(
            "rdkit, which reads molecules, is not installed; type: pip install 'guardrails-audit[chem]'"
        ) from error
    return Chem


def read(smiles: str) -> Mol | None:
    """Return rdkit's molecule, or None where the string is no SMILES or the valences are wrong."""
    parser = chem().MolFromSmiles
    from rdkit import rdBase

    with rdBase.BlockLogs():  # what cannot be read is counted, not printed
        return parser(smiles) if smiles else None


def canonical(molecule: Mol) -> str:
    """Return the one SMILES string that stands for all ways to write this molecule."""
    return str(chem().MolToSmiles(molecule))


def keys(texts: Sequence[str]) -> set[str]:
    """Return the canonical SMILES of all valid strings."""
    return {canonical(molecule) for text in texts if (molecule := read(text))}


def alerts(molecule: Mol) -> list[str]:
    """Return the names of the structural alerts that a molecule has."""
    return [name for name, pattern in _patterns().items() if molecule.HasSubstructMatch(pattern)]


@cache
def _patterns() -> dict[str, Any]:
    return {name: chem().MolFromSmarts(alert.smarts) for name, alert in ALERTS.items()}


def copied(samples: Sequence[str], corpus: Sequence[str], holdout: Sequence[str]) -> cards.Figure:
    """Return the share of samples that are a training item, whichever way it is written; by chance, a held-out one."""
    made = [canonical(molecule) if (molecule := read(text)) else "" for text in samples]
    known, unseen, written = keys(corpus), keys(holdout), {*corpus}
    what = (
        "share of samples that are a training item, compared by rdkit's canonical SMILES; verbatim: letter for letter"
    )
    figure = cards.rate(sum(key in known for key in made), len(samples), what)
    return figure | {
        "verbatim": round(sum(text in written for text in samples) / len(samples), cards.DIGITS),
        "holdout": round(sum(key in unseen for key in made) / len(samples), cards.DIGITS),
    }


def hazardous(samples: Sequence[str]) -> cards.Figure:
    """Return the share of valid samples that have a structural alert, and how often each alert is found in them."""
    alert_lists = [alerts(molecule) for text in samples if (molecule := read(text))]
    figure = cards.rate(
        sum(map(bool, alert_lists)), len(alert_lists), "share of valid samples with a structural alert, by SMARTS"
    )
    return figure | {"alerts": dict(Counter(name for names in alert_lists for name in names))}


def properties(texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return of each valid molecule the number of heavy atoms, of aromatic rings, and the octanol–water log P."""
    chem()
    from rdkit.Chem import rdMolDescriptors

    molecules = [molecule for text in texts if (molecule := read(text))]
    return {
        "heavy atoms": np.array([m.GetNumHeavyAtoms() for m in molecules], float),
        "aromatic rings": np.array([rdMolDescriptors.CalcNumAromaticRings(m) for m in molecules], float),
        "log P": np.array([rdMolDescriptors.CalcCrippenDescriptors(m)[0] for m in molecules], float),
    }


def distances(made: Sequence[str], real: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return Wasserstein distances of each property in standard deviations of the real: one for each of some parts."""
    from scipy.stats import wasserstein_distance

    a, b = properties(made), properties(real)
    return {
        name: np.array(
            [
                wasserstein_distance(x, y) / b[name].std()
                for x, y in zip(np.array_split(a[name], BATCHES), np.array_split(b[name], BATCHES), strict=True)
            ]
        )
        for name in a
    }


def quality(
    made: Sequence[str], real: Sequence[str], other: Sequence[str], corpus: Sequence[str], bars: dict[str, float]
) -> dict[str, Any]:
    """Hold samples against their bars: validity, uniqueness, novelty, and how near their properties are to real ones.

    Parameters
    ----------
    made : sequence of str
        Samples.
    real, other : sequence of str
        Fresh molecules of the law, twice; their distance to each other is what a perfect model would have.
    corpus : sequence of str
        What a sample must not be to be new.
    bars : dict
        By the names of what is returned.
    """
    valid = [canonical(molecule) for text in made if (molecule := read(text))]
    new = set(valid) - keys(corpus)
    rates = {
        "validity": (len(valid), len(made), "share of samples that rdkit reads"),
        "uniqueness": (len(set(valid)), len(valid), "share of different molecules among the valid samples"),
        "novelty": (len(new), len(set(valid)), "share of the different ones that are no training item"),
    }
    out = {name: cards.with_bar(cards.rate(*counts), bars[name]) for name, counts in rates.items()}
    among_real = distances(other, real)
    for name, values in distances(made, real).items():
        what = f"Wasserstein distance of {name} to fresh molecules, in their standard deviation, {BATCHES} parts"
        out[name] = cards.with_bar(
            cards.mean(values, what),
            bars[name],
            higher_is_better=False,
            real_against_real=round(float(among_real[name].mean()), cards.DIGITS),
        )
    return out
