"""The law of `ar-molecules`: a grammar of drug-like molecules, without end, some of them with a structural alert.

A molecule is a tree of rings. A ring is aromatic (five or six atoms, or two rings fused) or saturated; a linker (an
amide, an ether, a sulphonamide …) or a bond joins it to the next; small groups stand at what places are left. What may
stand where hangs on the atom there: an aromatic or saturated carbon, an amine's or an azole's nitrogen. So every string
is valid SMILES of a molecule with correct valences, from 12 to 38 heavy atoms.

A *structural alert* is a group that medicinal chemists screen for: it reacts with proteins or DNA, or upsets assays
[1]_ [2]_ [3]_. One molecule in twenty has one, on an aromatic carbon; the rest of the grammar writes none.

A molecule has 25 heavy atoms on average, three in ten of them no carbon. The law knows nothing of synthesis or
stereochemistry, and has neither long chains nor rings of seven atoms.

.. [1] R. Brenk et al., "Lessons Learnt from Assembling Screening Libraries for Drug Discovery for Neglected Diseases",
   ChemMedChem 3 (3), 2008.
.. [2] J. Kazius, R. McGuire and R. Bursi, "Derivation and Validation of Toxicophores for Mutagenicity Prediction", J.
   Med. Chem. 48 (1), 2005.
.. [3] J. B. Baell and G. A. Holloway, "New Substructure Filters for Removal of Pan Assay Interference Compounds
   (PAINS)", J. Med. Chem. 53 (7), 2010.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, count
from random import Random

from .smiles import graph_key, heavy_atoms, number, split

ALERT_SHARE = 0.05
SMALLEST, LARGEST = 12, 38
"""In heavy atoms; what is smaller or larger is drawn again."""
RING_NUMBERS = "123456"
"""What would need more, since more rings are open at a time, is drawn again."""


class Table:
    """Texts with how often each is picked, written ``text weight | text weight``; a weight alone: the empty text.

    >>> Table("C 2 | OC 1 | 1").texts
    ('C', 'OC', '')
    """

    def __init__(self, rows: str) -> None:
        pairs = [row.strip().rpartition(" ") for row in rows.split("|")]
        self.texts = tuple(text.strip() for text, _, _ in pairs)
        self.cumulative = list(accumulate(float(weight) for _, _, weight in pairs))

    def pick(self, rng: Random) -> str:
        return rng.choices(self.texts, cum_weights=self.cumulative)[0]


RINGS = Table("1 0.08 | 2 0.32 | 3 0.42 | 4 0.18")
"""How many rings; a fused pair counts as one."""
FIRST = Table("c 8 | C 1 | N 1")
"""The kind of the first ring: that of its first atom, which is bound to what comes before."""
GROUPS = Table("0 0.45 | 1 0.4 | 2 0.15")
"""How many small groups stand on one ring, where it has the places."""

# A ring: its atoms in order, with the numbers of their ring bonds. "*": a place, which is empty (a hydrogen) or filled.
TEMPLATES = {
    "c": Table(
        "c1 c* c* c* c* c1* 24 |"  # benzene
        "c1 c* c* c* c* n1 4 | c1 c* c* c* n c1* 4 | c1 c* c* n c* c1* 3 |"  # pyridines
        "c1 n c c* c n1 1.5 | c1 c* c* n c* n1 2 | c1 c n c* n c1 1 | c1 c* n c c* n1 1 |"  # pyrimidines, pyrazine
        "c1 c* c* c* s1 2 | c1 c* c* c* o1 1.5 |"  # thiophene, furan
        "c1 n c* c* s1 2 | c1 c* n c* s1 1 | c1 c* c* n o1 1 | c1 n c* c* o1 1 | c1 n n c* o1 1 |"  # azoles with S, O
        "c1 c* n n* c1 2 | c1 n c* c* n1* 1.5 |"  # pyrazole, imidazole
        "c1 c n* c2 c* c* c* c c12 1.5 | c1 c c2 c* c* c* c c2 n1* 1.5 |"  # indoles
        "c1 n c2 c* c* c* c c2 n1* 2 | c1 n n* c2 c* c* c* c c12 1 |"  # benzimidazole, indazole
        "c1 n c2 c* c* c* c c2 s1 1.5 | c1 c c2 c* c* c* c c2 o1 1 | c1 c* c2 O C O c2 c* c1 1.5 |"  # benzo- S, O, O₂
        "c1 c c* n c2 c* c* c* c c12 1.5 | c1 n c* n c2 c* c* c* c c12 1.5 |"  # quinoline, quinazoline
        "c1 c* c* c c2 c c* c* c c12 1 | c1 c n2 c* c* c* c c2 n1 1"  # naphthalene, imidazopyridine
    ),
    "C": Table(  # piperidine, pyrrolidine, cyclohexane, -pentane, -propane, tetrahydropyran
        "C1 C C N* C C1 4 | C1 C C N* C1 2 | C1 C C C* C C1 2 | C1 C C C C1 1.5 | C1 C C1 2.5 | C1 C C O C C1 1.5"
    ),
    "N": Table(  # piperazine, piperidine, morpholine, pyrrolidine, azetidine
        "N1 C C N* C C1 5 | N1 C C C* C C1 4 | N1 C C O C C1 3 | N1 C C* C C1 2 | N1 C C* C1 1"
    ),
}
KINDS = {"c": 6.0, "C": 1.5, "N": 3.0}
"""How often each kind of ring follows a linker that allows for it."""
LINKERS = {  # by the atom that they stand on: "what is written > the kinds of ring that may follow"
    "c": Table(
        "->c 4 | >N 3 | O>cC 2 | OC>c 2 | N>cC 2 | NC>cC 1.5 | C>cN 2 | CN>cC 1 | CO>c 1 | S>c .5 | OCC>N 1 |"
        "C(=O)N>cC 4 | C(=O)NC>c 2 | C(=O)>N 2.5 | NC(=O)>cCN 4 | NC(=O)C>cN 1.5 | CNC(=O)>cC 1 |"
        "S(=O)(=O)N>cC 1 | S(=O)(=O)>N 1 | NS(=O)(=O)>cC 1.5"
    ),
    "C": Table(">cN 2 | C>cN 2 | O>c 1.5 | N>c 1 | NC(=O)>cC 2 | C(=O)N>cC 2 | C(=O)>N 1 | NS(=O)(=O)>c 1"),
    "N": Table(">c 3 | C>cC 3 | CC>c 1 | C(=O)>cC 4 | C(=O)C>c 1 | C(=O)N>cC 1.5 | CC(=O)N>cC 1.5 | S(=O)(=O)>c 2"),
    "n": Table("->c 3 | C>cC 4 | CC(=O)N>cC 2 | CC>N 1 | >C 1"),
}
SMALL = {
    "c": Table(
        "F 5 | Cl 4 | Br 1 | C 6 | CC 1 | C(C)C 1 | C(C)(C)C .7 | C(F)(F)F 2 | C#N 2 | OC 5 | OCC 1 | OC(F)(F)F .7 |"
        "O 2 | CO .7 | SC .5 | N 2 | N(C)C 1 | NC(C)=O 1 | C(=O)O 1.5 | C(N)=O 1.5 | C(=O)OC .7 | C(C)=O .7 |"
        "C(=O)NC .7 | S(C)(=O)=O 1 | S(N)(=O)=O .7"
    ),
    "C": Table("C 3 | O 3 | OC 2 | F 1.5 | N 1 | CO 1 | C(=O)O 1 | C(N)=O 1 | C#N .7 | N(C)C 1"),
    "N": Table("C 5 | CC 2 | C(C)C 1 | C(C)=O 2 | S(C)(=O)=O 1.5 | CCO 1 | CCOC .7 | C(=O)OC(C)(C)C 1"),
    "n": Table("C 5 | CC 1.5 | C(C)C 1 | CCO 1 | CC(F)F .5"),
}
HEADS = {  # what a molecule begins with, by the kind of its first ring
    "c": Table(
        "6 | C 5 | CO 4 | F 3 | Cl 3 | N#C 1.5 | CC 1 | CN(C) 1 | NC(=O) 1 | O=C(O) 1 | CC(=O)N 1 | CS(=O)(=O) 1 |"
        "COC(=O) .7 | CC(C) .7 | FC(F)(F) 1"
    ),
    "C": Table("2 | O=C(O) 1 | NC(=O) 1 | CO 1 | CN(C) 1"),
    "N": Table("C 3 | CC(=O) 1 | CS(=O)(=O) 1 | CC 1 | CC(C)(C)OC(=O) 1"),
}


@dataclass(frozen=True)
class Alert:
    """A structural alert: the SMARTS pattern that finds it, how the grammar writes it, and which filters name it."""

    smarts: str
    written: tuple[str, ...]
    source: str


ALERTS: Mapping[str, Alert] = {
    "nitroarene": Alert("c[NX3+](=O)[O-]", ("[N+](=O)[O-]",), "Kazius; Brenk"),
    "aldehyde": Alert("[CX3H1](=O)[#6]", ("C=O",), "Brenk"),
    "acyl halide": Alert("[CX3](=[OX1])[Cl,Br]", ("C(=O)Cl",), "Kazius; Brenk"),
    "epoxide": Alert("[#6]1[#8][#6]1", ("C1CO1", "OCC1CO1"), "Kazius; Brenk"),
    "azide": Alert("[NX2]=[N+]=[N-]", ("N=[N+]=[N-]",), "Kazius; Brenk"),
    "alkyl halide": Alert("[CX4][Cl,Br,I]", ("CCCl", "CCBr", "CCCCl"), "Kazius; Brenk"),
    "Michael acceptor": Alert("[CX3;!R]=[CX3;!R][CX3]=[OX1]", ("C=CC(C)=O", "C(=O)C=C"), "Brenk"),
    "thiol": Alert("[SX2H]", ("S", "CS"), "Brenk"),
    "hydrazine": Alert("[NX3;+0;!R][NX3;+0;!R]", ("NN", "NNC"), "Kazius; Brenk"),
    "catechol": Alert("[OX2H]c:c[OX2H]", ("-c1cc(O)c(O)cc1",), "Baell & Holloway; Brenk"),
}


@dataclass(frozen=True)
class Atom:
    """An atom of a ring: its letter, the numbers of its ring bonds, and whether something may stand on it."""

    letter: str
    digits: str
    place: bool


@dataclass
class Ring:
    """A ring of a molecule, or two fused ones, and by the index of an atom what stands there: a text, a ring behind."""

    atoms: tuple[Atom, ...]
    filled: dict[int, tuple[str, Ring | None]] = field(default_factory=dict)

    @property
    def free(self) -> list[int]:
        """The places where nothing stands."""
        return [i for i, atom in enumerate(self.atoms) if atom.place and i not in self.filled]

    def walk(self) -> Iterator[Ring]:
        """Yield this ring and all behind it."""
        yield self
        for _, ring in self.filled.values():
            if ring:
                yield from ring.walk()

    def write(self, labels: Iterator[int]) -> Iterator[str | int]:
        """Yield the symbols, both ends of a ring bond as a label of its own."""
        label_of = {digit: next(labels) for digit in "12"}
        for i, atom in enumerate(self.atoms):
            text, ring = self.filled.get(i, ("", None))
            group = [*_labelled(text, labels), *(ring.write(labels) if ring else ())]
            yield "[nH]" if atom.letter == "n" and atom.place and not group else atom.letter
            yield from (label_of[digit] for digit in atom.digits)
            yield from ("(", *group, ")") if group and atom is not self.atoms[-1] else group


@dataclass(frozen=True)
class Molecule:
    """A molecule: its SMILES as symbols, and the name of the alert that was put into it, or ''."""

    symbols: tuple[str, ...]
    alert: str

    @property
    def smiles(self) -> str:
        return "".join(self.symbols)


def draw(rng: Random, *, alert_share: float = ALERT_SHARE) -> Molecule:
    """Return one molecule of the law; with another share of alerts, of a law that differs in nothing else."""
    alert = rng.choice(list(ALERTS)) if rng.random() < alert_share else ""
    while True:
        kind = FIRST.pick(rng)
        head, first = HEADS[kind].pick(rng), _grow(rng, kind, int(RINGS.pick(rng)))
        places = [(ring, i) for ring in first.walk() for i in ring.free if ring.atoms[i].letter == "c"]
        if alert and not places:
            continue
        if alert:
            ring, i = rng.choice(places)
            ring.filled[i] = rng.choice(ALERTS[alert].written), None
        labels = count()
        symbols = number([*_labelled(head, labels), *first.write(labels)])
        numbers = {symbol for symbol in symbols if symbol.isdigit()}
        if SMALLEST <= heavy_atoms(symbols) <= LARGEST and numbers <= set(RING_NUMBERS):
            return Molecule(symbols, alert)


def stream(rng: Random, *, alert_share: float = ALERT_SHARE) -> Iterator[Molecule]:
    """Yield molecules of the law without end."""
    while True:
        yield draw(rng, alert_share=alert_share)


def distinct(n: int, rng: Random) -> list[Molecule]:
    """Return n molecules of the law, no two of them the same, however they are written."""
    out: dict[int, Molecule] = {}
    while len(out) < n:
        molecule = draw(rng)
        out.setdefault(graph_key(molecule.symbols), molecule)
    return list(out.values())


def vocabulary() -> tuple[str, ...]:
    """Return every symbol that the grammar writes, sorted."""
    tables = [*TEMPLATES.values(), *LINKERS.values(), *SMALL.values(), *HEADS.values()]
    texts = [text.partition(">")[0].replace("*", "").replace(" ", "") for table in tables for text in table.texts]
    texts += [text for alert in ALERTS.values() for text in alert.written]
    return tuple(sorted({symbol for text in texts for symbol in split(text)} | set("()" + RING_NUMBERS) | {"[nH]"}))


def _grow(rng: Random, kind: str, rings: int) -> Ring:
    """Return a tree of so many rings, the first of this kind, with small groups at some of the places that are left."""
    ring = Ring(_atoms(TEMPLATES[kind].pick(rng)))
    while rings > 1 and not ring.free:
        ring = Ring(_atoms(TEMPLATES[kind].pick(rng)))
    behind = [1, rings - 2] if rings > 2 and len(ring.free) > 1 and rng.random() < 0.5 else [rings - 1]
    for rest in behind if rings > 1 else []:
        place = rng.choice(ring.free)
        text, _, kinds = LINKERS[ring.atoms[place].letter].pick(rng).partition(">")
        following = rng.choices(kinds, [KINDS[k] for k in kinds])[0]
        ring.filled[place] = text, _grow(rng, following, rest)
    for _ in range(min(int(GROUPS.pick(rng)), len(ring.free))):
        place = rng.choice(ring.free)
        small = SMALL[ring.atoms[place].letter].pick(rng)
        if small != "O" or ("O", None) not in ring.filled.values():  # two hydroxyls side by side would be a catechol
            ring.filled[place] = small, None
    return ring


@cache
def _atoms(template: str) -> tuple[Atom, ...]:
    matches = [re.fullmatch(r"([A-Za-z])(\d*)(\*?)", token) for token in template.split()]
    return tuple(Atom(m[1], m[2], bool(m[3])) for m in matches if m)


def _labelled(text: str, labels: Iterator[int]) -> Iterable[str | int]:
    """Return the symbols of a text, its ring numbers as labels that nothing else has."""
    label_of: dict[str, int] = {}
    for symbol in _symbols(text):
        if symbol.isdigit() and symbol not in label_of:
            label_of[symbol] = next(labels)
        yield label_of[symbol] if symbol.isdigit() else symbol


@cache
def _symbols(text: str) -> tuple[str, ...]:
    return split(text)
