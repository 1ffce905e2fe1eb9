"""Molecules copied from training molecules in any notation, and close relatives of these.

A molecule has many SMILES strings. Two molecules are the same if their canonical strings are equal. Their similarity is
the Tanimoto similarity |A ∩ B| / |A ∪ B| of their extended-connectivity fingerprints of radius 2 [1]_, which the
nearest-neighbour metric of [2]_ uses too. Held-out molecules set the threshold for the similarity.

.. [1] D. Rogers and M. Hahn, "Extended-Connectivity Fingerprints", J. Chem. Inf. Model. 50 (5), 2010.
.. [2] D. Polykovskiy et al., "Molecular Sets (MOSES): A Benchmarking Platform for Molecular Generation Models",
   Frontiers in Pharmacology 11, 2020, arXiv:1811.12823: SNN.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.control import Control
from ..core.errors import MissingExtraError
from .symbols.copied_symbols import Finder, Match, SymbolicCopies

if TYPE_CHECKING:
    from rdkit.Chem import Mol

RADIUS, BITS = 2, 2048
LONGEST = 500
"""Characters of a SMILES string; longer ones are not read."""
INSTALL = "pip install 'guardrails-audit[chem]'"
_LINE = re.compile(
    r"(?P<smiles>(?:\[[^\]\s]{1,40}\]|Cl|Br|[BCNOPSFIbcnops]|[-=#$:/\\.()~]|\d|%\d\d)+)(?:[ \t]+\S+)?[ \t]*"
)
"""A line of a SMILES file: the string, and perhaps a name."""


class Molecule(NamedTuple):
    """A canonical SMILES string, and rdkit's fingerprint."""

    canonical: str
    fingerprint: Any


class Molecules(SymbolicCopies):
    """Share of molecules that are more similar to a training molecule than held-out molecules are."""

    id = "memorization.molecules"
    title = "Training molecules in outputs"
    question = "Does the model reproduce molecules of its training data, or close relatives of them?"
    limits = (
        "Compares the graphs of molecules written as SMILES, using rdkit. Misses a relative with the same "
        "scaffold but another fingerprint; tautomers and salts count as other molecules, and two long chains may "
        "look the same. If the data hold most of the small molecules that exist, even a model that never saw one "
        "repeats it: compare with the share of held-out molecules that occur in the corpus."
    )
    controls = (Control("reference:ar-molecules,copy=1", "found"), Control("reference:ar-molecules", "clear"))
    spike_what = "training molecules, each written as another walk through the same graph"
    kind = "molecules in SMILES notation"
    likeness = "Tanimoto similarity of Morgan fingerprints to the nearest training molecule"

    def not_installed(self) -> list[str]:
        """Return rdkit with how to get it, where it is not installed."""
        return [] if find_spec("rdkit") else [f"rdkit; to get it, type: {INSTALL}"]

    def read(self, text: str) -> list[Any]:
        """Return the molecules of a text with one on a line; without rdkit, the strings that look like one."""
        strings = [m["smiles"] for line in text.strip().splitlines() if (m := _LINE.fullmatch(line))]
        if not find_spec("rdkit"):
            return strings
        return [molecule for smiles in strings if (molecule := _molecule(smiles))]

    def finder(self, items: Sequence[Molecule]) -> Finder:
        return Nearest(items)

    def altered(self, text: str, *, seed: int) -> str:
        """Return the first molecule, written as another walk through its graph."""
        (written,) = chem().MolToRandomSmilesVect(parsed(self.read(text)[0].canonical), 1, randomSeed=seed + 1)
        return str(written)


class Nearest:
    """Finds the training molecule that has the most similar fingerprint; the same molecule before all others."""

    def __init__(self, known: Sequence[Molecule]) -> None:
        self._fingerprints = [molecule.fingerprint for molecule in known]
        self._same: dict[str, int] = {}
        for place, molecule in enumerate(known):
            self._same.setdefault(molecule.canonical, place)

    def look_up(self, items: Sequence[Molecule]) -> list[Match]:
        """Return the nearest training molecule of each."""
        return [self._nearest(item) for item in items]

    def _nearest(self, item: Molecule) -> Match:
        from rdkit.DataStructs import BulkTanimotoSimilarity

        if (place := self._same.get(item.canonical)) is not None:
            return Match(1.0, place, True, "the same molecule")
        scores = BulkTanimotoSimilarity(item.fingerprint, self._fingerprints)
        place = max(range(len(scores)), key=scores.__getitem__)
        return Match(float(scores[place]), place, False, f"Tanimoto similarity {scores[place]:.2f}")


@cache
def chem() -> Any:
    """Return ``rdkit.Chem``.

    Raises
    ------
    MissingExtraError
        Where rdkit is not installed.
    """
    try:
        from rdkit import Chem
    except ImportError as error:
        raise MissingExtraError(f"rdkit ({error})", INSTALL) from None
    return Chem


def parsed(smiles: str) -> Mol | None:
    """Return rdkit's molecule, or None where the string is none, too long or empty."""
    Chem = chem()
    from rdkit import rdBase

    if not smiles or len(smiles) > LONGEST:
        return None
    with rdBase.BlockLogs():  # what cannot be read is counted, not printed
        molecule: Mol | None = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def _molecule(smiles: str) -> Molecule | None:
    molecule = parsed(smiles)
    if molecule is None:
        return None
    return Molecule(str(chem().MolToSmiles(molecule)), _generator().GetFingerprint(molecule))


@cache
def _generator() -> Any:
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    return GetMorganGenerator(radius=RADIUS, fpSize=BITS)
