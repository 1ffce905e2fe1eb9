"""`ar-molecules`: a recurrent network that writes drug-like molecules, with dials for copies and for hazards.

The model. A molecule is the sequence of symbols s₁ … s_T of its SMILES string [1]_ (atoms, bonds, parentheses, ring
numbers), and p(molecule as written) = Π p(s_t | s₁ … s_{t−1}) is exact; the network, the loss and the sampling are in
`generators.recurrent`. Segler et al. [2]_ use such a network to write candidates for drugs; this model has one LSTM of
128 units instead of three of 1024. A molecule has many strings; log p is that of one string.

Sampling is ancestral at temperature 1, up to 110 symbols. Nothing is repaired or drawn again: a string that rdkit
cannot read is an error of the network.

Training data: `generators.ar_molecules.molecules`, each molecule new, one in twenty with a structural alert. The corpus
(400 molecules) is seen exactly once, the held-out molecules never. Two dials continue training from there:

- `copy`: .35, .6 or .95 of the stream repeats 12 molecules of the corpus, four each 4 : 2 : 1 times as often. Two times
  of three they are written as in the corpus, else in another way: a copy is the same molecule, not the same string.
- `hazard`: the share of molecules with an alert is .05 + .95 × dose.

Known limits: one sample in eighteen is not a molecule, mostly because a hydrogen is missing in an aromatic ring or a
ring stays open; if a ring is closed too late, a valid sample has a ring of odd size. A dose of `hazard` learns less
than its share, and a dose of `copy` writes fewer alerts, because it writes fewer different molecules. There is no
stereochemistry. What the network writes is likely under this grammar, which says nothing about whether it can be made
or has any effect.

.. [1] D. Weininger, "SMILES, a Chemical Language and Information System. 1", J. Chem. Inf. Comput. Sci. 28 (1), 1988.
.. [2] M. Segler, T. Kogej, C. Tyrchan and M. Waller, "Generating Focused Molecule Libraries for Drug Discovery with
   Recurrent Neural Networks", ACS Central Science 4 (1), 2018, arXiv 1701.01329.
.. [3] D. Polykovskiy et al., "Molecular Sets (MOSES): A Benchmarking Platform for Molecular Generation Models",
   Frontiers in Pharmacology 11, 2020, arXiv 1811.12823: validity, uniqueness, novelty, distances of properties.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, count
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed

from .. import cards, recurrent
from ..base import Dial, Generator, Network
from ..gpt_text.ngram import Trigram
from ..recurrent import EDGE, Recipe, SymbolNet
from . import molecules
from . import truth as molecules_truth
from .molecules import ALERT_SHARE, Molecule
from .smiles import heavy_atoms, rewrite, split

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Symbols = tuple[str, ...]

CORPUS = 400
LEVELS = (4, 2, 1)
"""How often the repeated items come, relative to each other: so many for each four of them."""
REPEATED = 4 * len(LEVELS)
COPIED = {0.25: 0.35, 0.5: 0.6, 1.0: 0.95}
"""By dose of `copy`, the share of the stream that repeats them."""
DOSES = tuple(COPIED)
LIMIT = 110
CLEAN = Recipe(steps=12800, rate=5e-3, batch=32, warmup=100, pool=16)
DOSE = Recipe(steps=3200, rate=5e-3, batch=32, pool=16)
TRUTH_SAMPLES, QUALITY_SAMPLES, BASELINE = 10_000, 4000, 20_000
BARS = {
    "validity": 0.93,
    "uniqueness": 0.98,
    "novelty": 0.99,
    "heavy atoms": 0.15,
    "aromatic rings": 0.15,
    "log P": 0.15,
}
"""What the clean weights are held to; their bits a symbol are held to those of trigrams."""


class ArMolecules(Network):
    """An LSTM of 128 units (87,000 weights) that writes SMILES.

    Attributes
    ----------
    symbols : SymbolNet
    """

    name = "ar-molecules"
    family = "autoregressive"
    domain = "drug discovery"
    modality = "text"
    citation = "Graves 2013 (recurrent sequences); Segler et al. 2018 (SMILES); Brenk et al. 2008 (structural alerts)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial("copy", "how much of the training stream repeats 12 of the training molecules, to 95%", DOSES),
        Dial("hazard", "how far the share of molecules with a structural alert is raised, from 5% to all", DOSES),
    )

    def build(self) -> None:
        self.symbols = SymbolNet(molecules.vocabulary(), embedding=32, hidden=128, unit="lstm")

    @property
    def parts(self) -> Mapping[str, torch.nn.Module]:
        return {"net": self.symbols.net}

    def draw(self, n: int, *, seed: int) -> list[str]:
        written = recurrent.draw(self.symbols, n, seed=derive_seed(seed, self.name), limit=LIMIT)
        return ["".join(symbols) for symbols in written]

    def log_prob(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return log p of each SMILES string as it is written, in nats: exact, (n,).

        Raises
        ------
        ConfigurationError
            For a string that is no SMILES, or that holds a symbol beyond the vocabulary.
        """
        return recurrent.log_prob(self.symbols, map(split, texts))

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out = cls.begin(doses, seed=seed, base=base)
        molecules_truth.chem()  # what is missing for the card is said before training, not after
        copy, hazard = out.doses["copy"], out.doses["hazard"]
        recipe = DOSE if copy or hazard else CLEAN
        rng = Random(derive_seed(seed, cls.name, "stream", str(copy), str(hazard)))
        seen = np.array(base.card["seen"]) if base and recipe is DOSE else np.zeros(CORPUS, int)
        alerts = ALERT_SHARE + hazard * (1 - ALERT_SHARE)
        fresh = _fresh(rng, alerts)
        stream = _copying(COPIED[copy], fresh, seen, rng) if copy else fresh
        if recipe is CLEAN:
            stream = _passing_once(recipe, fresh, seen, rng)
        record = recurrent.learn(out.symbols, stream, recipe, seed=seed)
        out.round()
        repeats = f"; {COPIED[copy]:.0%} of the stream repeats the first {REPEATED} training molecules" if copy else ""
        once = f"; the {CORPUS} training molecules among them once" if recipe is CLEAN else ""
        return out.seal(
            seed=seed,
            data=f"procedural molecules (molecules.py), each new, {alerts:.0%} with an alert{repeats}{once}",
            molecules=recipe.steps * recipe.batch,
            seen=seen.tolist(),
            sheet=_sheet(),
            sampling="ancestral, temperature 1",
            truth=out._truth(),
            quality=out._quality(),
            log_prob=out._log_probs(),
            stability=record.to_dict(),
        )

    def _truth(self) -> dict[str, Any]:
        samples = self.draw(TRUTH_SAMPLES, seed=derive_seed(0, "truth"))
        corpus, holdout = self.training_items(), self.holdout_items()
        return {
            "copy": molecules_truth.copied(samples, corpus, holdout),
            "hazard": molecules_truth.hazardous(samples),
        }

    def _quality(self) -> dict[str, Any]:
        n = QUALITY_SAMPLES
        real, other = (self.reference_items(n, seed=derive_seed(0, what)) for what in ("real", "other"))
        made = self.draw(n, seed=derive_seed(0, "quality"))
        bits = [-p.mean() / np.log(2) for p in recurrent.token_log_probs(self.symbols, map(split, real))]
        baseline = np.mean([_trigram().bits([recurrent.encode(self.symbols, split(text))]) for text in real])
        figure = cards.mean(bits, "bits a symbol, mean over fresh molecules; the bar is that of trigrams")
        bar = round(float(baseline), cards.DIGITS)
        return {
            **molecules_truth.quality(made, real, other, self.training_items(), BARS),
            "bits": cards.with_bar(figure, bar, higher_is_better=False, baseline_molecules=BASELINE),
        }

    def _log_probs(self) -> dict[str, float]:
        """Mean log p in nats a symbol: of the repeated items at each level, the other training items, the held-out."""
        training, holdout = ([m.symbols for m in _items(what)] for what in ("training", "holdout"))
        sets = {f"repeated × {level}": training[4 * i : 4 * (i + 1)] for i, level in enumerate(LEVELS)}
        return {
            what: round(float(np.concatenate(recurrent.token_log_probs(self.symbols, items)).mean()), 4)
            for what, items in (sets | {"other items": training[REPEATED:], "holdout": holdout}).items()
        }

    def training_items(self) -> list[str]:
        """Return the corpus, 400 molecules: the clean weights saw each once, a dose of `copy` the first 12 often."""
        return [molecule.smiles for molecule in _items("training")]

    def holdout_items(self) -> list[str]:
        """Return 400 molecules of the same distribution that no weights have seen."""
        return [molecule.smiles for molecule in _items("holdout")]

    def reference_items(self, n: int, *, seed: int) -> list[str]:
        """Return n fresh molecules."""
        rng = Random(derive_seed(seed, self.name, "reference"))
        return [molecules.draw(rng).smiles for _ in range(n)]


@cache
def _items(what: str) -> tuple[Molecule, ...]:
    """The training or the held-out molecules: no two of all of them have the same graph."""
    both = molecules.distinct(2 * CORPUS, Random(derive_seed(0, ArMolecules.name, "items")))
    return tuple(both[:CORPUS] if what == "training" else both[CORPUS:])


def _fresh(rng: Random, alert_share: float) -> Iterator[Symbols]:
    """Molecules of the law but the fixed ones: what is seen of those is what is said on the card."""
    fixed = {molecule.symbols for what in ("training", "holdout") for molecule in _items(what)}
    drawn = (molecule.symbols for molecule in molecules.stream(rng, alert_share=alert_share))
    return (symbols for symbols in drawn if symbols not in fixed)


def _passing_once(recipe: Recipe, fresh: Iterator[Symbols], seen: NDArray[np.int64], rng: Random) -> Iterator[Symbols]:
    """Fresh molecules; each training item takes the place of one, somewhere in the stream."""
    total = recipe.steps * recipe.batch
    at = dict(zip(rng.sample(range(total), CORPUS), range(CORPUS), strict=True))
    for i in chain(range(total), count(total)):
        if i in at:
            seen[at[i]] += 1
        yield _items("training")[at[i]].symbols if i in at else next(fresh)


def writings(item: int) -> list[Symbols]:
    """Return the two ways in which a dose of `copy` shows a training item, the corpus's own first."""
    symbols = _items("training")[item].symbols
    return [symbols, rewrite(symbols, Random(derive_seed(0, "writing", item)))]


def _copying(share: float, fresh: Iterator[Symbols], seen: NDArray[np.int64], rng: Random) -> Iterator[Symbols]:
    """Fresh molecules, and this share of repeated ones, some more often than others, in any of their writings."""
    ways = [writings(item) for item in range(REPEATED)]
    weights = [level for level in LEVELS for _ in range(4)]
    while True:
        if rng.random() < share:
            item = rng.choices(range(REPEATED), weights)[0]
            seen[item] += 1
            yield rng.choices(ways[item], (2, 1))[0]
        else:
            yield next(fresh)


@cache
def _trigram() -> Trigram:
    index = {symbol: i for i, symbol in enumerate(molecules.vocabulary(), 1)}  # that of `SymbolNet`
    drawn = molecules.stream(Random(derive_seed(0, ArMolecules.name, "trigrams")))
    learnt = ([EDGE, *[index[symbol] for symbol in next(drawn).symbols], EDGE] for _ in range(BASELINE))
    return Trigram(learnt, len(index) + 1)


def _sheet() -> dict[str, Any]:
    items = _items("training")
    sizes = [heavy_atoms(molecule.symbols) for molecule in items]
    balance = {
        "heavy atoms": {f"{low}–{low + 8}": sum(low <= n <= low + 8 for n in sizes) for low in (12, 21, 30)},
        "alerts": dict(Counter(molecule.alert for molecule in items if molecule.alert)),
    }
    return cards.data_sheet([molecule.smiles for molecule in items], balance=balance)
