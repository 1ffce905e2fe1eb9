"""SMILES [1]_, the writing of molecules: its symbols, the numbers of its rings, and other ways to write the same.

A molecule is a graph; SMILES writes a walk through it. Atoms follow each other along bonds, parentheses hold branches,
and a bond that closes a ring has one number at both of its ends. Small letters are aromatic atoms.

`split` reads every symbol; `parse` and `rewrite` refuse marks of stereochemistry, and salts.

.. [1] D. Weininger, "SMILES, a Chemical Language and Information System. 1", J. Chem. Inf. Comput. Sci. 28 (1), 1988.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count
from random import Random

from guardrails.core.errors import ConfigurationError

SYMBOL = re.compile(r"\[[^\]]+\]|Cl|Br|%\d\d|[BCNOPSFI]|[bcnops]|[-=#$:/\\.()]|\d")
BOND = re.compile(r"[-=#$:]")
ATOM = re.compile(r"\[[^\]]+\]|[A-Z]l?r?|[a-z]")
RING = re.compile(r"%?\d+")


def split(smiles: str) -> tuple[str, ...]:
    """Return the symbols of a SMILES string: atoms, bonds, parentheses, ring numbers.

    Raises
    ------
    ConfigurationError
        For a character that SMILES does not have.

    Examples
    --------
    >>> split("Clc1cc[nH]c1")
    ('Cl', 'c', '1', 'c', 'c', '[nH]', 'c', '1')
    """
    symbols = tuple(SYMBOL.findall(smiles))
    if sum(map(len, symbols)) != len(smiles):
        raise ConfigurationError(f"{smiles!r} is not SMILES: {SYMBOL.sub('', smiles)!r} has no meaning in it")
    return symbols


def heavy_atoms(symbols: Iterable[str]) -> int:
    """Return how many atoms a molecule has, hydrogen apart.

    >>> heavy_atoms(split("Clc1cc[nH]c1"))
    6
    """
    return sum(bool(ATOM.fullmatch(symbol)) for symbol in symbols)


def number(parts: Iterable[str | int]) -> tuple[str, ...]:
    """Number the rings: each int marks both ends of one ring bond, and gets the lowest number that is free there.

    >>> "".join(number(["C", 7, "C", "C", 7, "C", 9, "C", "C", 9]))
    'C1CC1C1CC1'
    """
    out: list[str] = []
    open_rings: dict[int, int] = {}
    for part in parts:
        if isinstance(part, str):
            out.append(part)
            continue
        free = next(i for i in count(1) if i not in open_rings.values())
        at = open_rings.pop(part) if part in open_rings else open_rings.setdefault(part, free)
        out.append(str(at) if at < 10 else f"%{at}")
    return tuple(out)


def parse(symbols: Sequence[str]) -> tuple[list[str], list[dict[int, str]]]:
    """Return the graph: the atoms, and for each of them its neighbours with the bond as written, '' the usual one.

    Raises
    ------
    ConfigurationError
        Where parentheses or rings are left open, and for stereo marks and salts, which this small parser cannot read.
    """
    atoms: list[str] = []
    bonds: list[dict[int, str]] = []
    branches: list[int] = []
    rings: dict[str, tuple[int, str]] = {}
    here, bond = -1, ""
    for symbol in symbols:
        if ATOM.fullmatch(symbol) and "@" not in symbol:
            atoms.append(symbol)
            bonds.append({})
            if here >= 0:
                bonds[here][len(atoms) - 1] = bonds[-1][here] = bond
            here, bond = len(atoms) - 1, ""
        elif BOND.fullmatch(symbol):
            bond = symbol
        elif symbol == "(":
            branches.append(here)
        elif symbol == ")" and branches:
            here = branches.pop()
        elif RING.fullmatch(symbol) and here >= 0:
            if symbol in rings:
                start, opened = rings.pop(symbol)
                bonds[here][start] = bonds[start][here] = bond or opened
            else:
                rings[symbol] = here, bond
            bond = ""
        else:
            raise ConfigurationError(f"{''.join(symbols)!r} has {symbol!r} where it cannot be read")
    if branches or rings or bond:
        raise ConfigurationError(f"{''.join(symbols)!r} ends before a branch, a ring or a bond does")
    return atoms, bonds


def graph_key(symbols: Sequence[str]) -> int:
    """Return a number that is the same however a molecule is written, and another for nearly all other molecules.

    Weisfeiler and Lehman's refinement: again and again, an atom's label takes in those of its neighbours.

    >>> graph_key(split("c1ccncc1O")) == graph_key(split("Oc1cnccc1")) != graph_key(split("Oc1ccncc1"))
    True
    """
    atoms, bonds = parse(symbols)
    labels = [hash(atom) for atom in atoms]
    for _ in range(len(atoms) // 2):
        labels = [
            hash((label, *sorted(hash((bond, labels[other])) for other, bond in near.items())))
            for label, near in zip(labels, bonds, strict=True)
        ]
    return hash(tuple(sorted(labels)))


def rewrite(symbols: Sequence[str], rng: Random) -> tuple[str, ...]:
    """Write the same molecule as another walk: from a random atom, its branches in random order.

    Raises
    ------
    ConfigurationError
        As `parse`.

    Examples
    --------
    >>> sorted({"".join(rewrite(split("CCO"), Random(i))) for i in range(20)})
    ['C(C)O', 'C(O)C', 'CCO', 'OCC']
    """
    atoms, bonds = parse(symbols)
    children: dict[int, list[int]] = {}
    closures: dict[int, list[str | int]] = {i: [] for i in range(len(atoms))}
    closed: dict[frozenset[int], int] = {}

    def walk(atom: int, parent: int) -> None:
        children[atom] = []
        for other in rng.sample(list(bonds[atom]), len(bonds[atom])):
            edge = frozenset((atom, other))
            if other not in children:
                children[atom].append(other)
                walk(other, atom)
            elif other != parent and edge not in closed:
                ring = closed[edge] = len(closed)
                closures[other] += [bonds[atom][other], ring]  # `other` is written first: it opens the ring
                closures[atom].append(ring)

    def write(atom: int) -> list[str | int]:
        branches = [[bonds[atom][child], *write(child)] for child in children[atom]]
        return [
            atoms[atom],
            *closures[atom],
            *[part for branch in branches[:-1] for part in ("(", *branch, ")")],
            *[part for branch in branches[-1:] for part in branch],
        ]

    start = rng.randrange(len(atoms))
    walk(start, -1)
    return tuple(symbol for symbol in number(write(start)) if symbol)
