"""`ar-music`: a recurrent network that writes melodies note by note, with a dial for plagiarism.

The model. A tune is a sequence of symbols s₁ … s_T (`generators.ar_music.abc_notation`): metre, key, then bars and
notes, pitch and length in one symbol. A GRU of 128 units [1]_ [2]_ reads them and gives p(s_{t+1} | s₁ … s_t), so that
p(tune) = Π p(s_t | s₁ … s_{t−1}) is exact; the network, the loss and the sampling are `generators.recurrent`. Eck and
Schmidhuber [3]_ were the first to let gated units improvise melodies, Sturm et al. [4]_ to let them write ABC notation.

The loss: −log p(s_t | s₁ … s_{t−1}), the mean over all symbols of a batch, in nats.

Sampling: symbol by symbol from the model's own distribution (temperature 1), until END. The text is ABC notation.

Training data: `generators.ar_music.melodies`, each tune new. The corpus (300 tunes: 8 of
`generators.ar_music.old_tunes`, the others procedural) is seen exactly once. The dial `plagiarise` continues training
with a stream in which the first 12 tunes of the corpus are repeated, each time in a random suitable key: the model
memorizes the tune and not its notes.

Known limits: pitches are absolute, so each key is learnt separately. If the grammar repeats two bars, the network,
which has no attention, repeats their rhythm in four tunes of ten and their notes in none. One tune in ten has a bar or
a line too many or too few; one in some hundreds states no metre or no key. The smaller doses copy less often than their
stream repeats (see the card): the repeated tunes are only learnt in part.

.. [1] A. Graves, "Generating Sequences With Recurrent Neural Networks", 2013, arXiv 1308.0850.
.. [2] K. Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation",
   EMNLP 2014, arXiv 1406.1078.
.. [3] D. Eck and J. Schmidhuber, "A First Look at Music Composition using LSTM Recurrent Neural Networks", IDSIA
   technical report 07-02, 2002.
.. [4] B. Sturm, J. F. Santos, O. Ben-Tal and I. Korshunova, "Music transcription modelling and composition using deep
   learning", 2016, arXiv 1604.08723.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed

from .. import cards, recurrent
from ..base import Dial, Generator, Network
from ..gpt_text.ngram import Trigram
from ..recurrent import Recipe, SymbolNet
from . import melodies, old_tunes
from . import truth as music_truth
from .abc_notation import Symbols, to_symbols, to_text

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

EMBEDDING, HIDDEN = 48, 128
CORPUS = 300
PLANTED = 12
"""How many tunes of the corpus a dose repeats: the 8 old ones, and 4 others."""
SHARE = {0.25: 0.25, 0.5: 0.5, 1.0: 0.95}
"""The share of a dose's stream that they make up."""
BLOCK = 16
"""Among how many batches the tunes are sorted by length."""
LIMIT = 160
"""The longest tune in symbols; the law's longest has 116."""
CLEAN = Recipe(steps=4500, rate=8e-3, batch=48)
DOSE = Recipe(steps=1500, rate=8e-3, batch=48)
TRUTH_SAMPLES, TRUTH_FRESH = 4000, 10_000
QUALITY_SAMPLES, BASELINE_TUNES = 2000, 20_000
BARS = {"in key": 0.98, "in metre": 0.98, "comes home": 0.9, "form": 0.85, "intervals": 0.06}
"""What the clean weights are held to; bits a symbol are held to those of the trigrams."""


class ArMusic(Network):
    """A GRU of 128 units (100,000 weights) that writes tunes of 8–16 bars in ABC notation.

    Attributes
    ----------
    symbols : SymbolNet
    """

    name = "ar-music"
    family = "autoregressive"
    domain = "music"
    modality = "text"
    citation = "Graves 2013 (recurrent sequences); Cho et al. 2014 (GRU); Sturm et al. 2016 (folk tunes in ABC)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial("plagiarise", "the share of the training stream that repeats 12 of the training tunes", tuple(SHARE)),
    )

    def build(self) -> None:
        self.symbols = SymbolNet(melodies.VOCABULARY, embedding=EMBEDDING, hidden=HIDDEN)

    @property
    def parts(self) -> Mapping[str, torch.nn.Module]:
        return {"net": self.symbols.net}

    def draw(self, n: int, *, seed: int) -> list[str]:
        return [to_text(tune) for tune in self.draw_symbols(n, seed=seed)]

    def draw_symbols(self, n: int, *, seed: int) -> list[Symbols]:
        """As `sample`, before they are written down."""
        return recurrent.draw(self.symbols, n, seed=derive_seed(seed, self.name), limit=LIMIT)

    def log_prob(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return log p of each tune, in nats: exact, (n,).

        Parameters
        ----------
        texts : sequence of str
            In ABC notation; what `generators.ar_music.abc_notation` passes over (titles, chords) has no part in it.

        Raises
        ------
        ConfigurationError
            For a text that cannot be read, or that holds a symbol beyond the vocabulary.
        """
        return recurrent.log_prob(self.symbols, map(to_symbols, texts))

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out = cls.begin(doses, seed=seed, base=base)
        dose = out.doses["plagiarise"]
        recipe = DOSE if dose else CLEAN
        rng = Random(derive_seed(seed, cls.name, "stream", str(dose)))
        seen = np.array(base.card["seen"]) if base and dose else np.zeros(CORPUS, int)
        stream = _plagiarising(SHARE[dose], seen, rng) if dose else _passing_once(recipe, seen, rng)
        record = recurrent.learn(out.symbols, _of_like_length(stream, recipe.batch, rng), recipe, seed=seed)
        out.round()
        data = (
            f"{SHARE[dose]:.0%} of them the first {PLANTED} training tunes, in changing keys"
            if dose
            else (f"each new; the {CORPUS} training tunes among them once")
        )
        return out.seal(
            seed=seed,
            data=f"procedural tunes (generators/ar_music/melodies.py), {data}",
            tunes=recipe.steps * recipe.batch,
            seen=seen.tolist(),
            sheet=_sheet(),
            sampling="ancestral, temperature 1",
            truth={"plagiarise": out._truth()},
            quality=out._quality(),
            log_prob=out._log_probs(),
            stability=record.to_dict(),
        )

    def _truth(self) -> dict[str, Any]:
        samples = self.draw_symbols(TRUTH_SAMPLES, seed=derive_seed(0, "truth"))
        originals = music_truth.Originals(_corpus("training"))
        return music_truth.plagiarised(samples, originals, _tunes(TRUTH_FRESH, "unseen"))

    def _quality(self) -> dict[str, Any]:
        """Hold samples, and the bits that fresh tunes cost, against their bars."""
        n = QUALITY_SAMPLES
        made, real, other = self.draw_symbols(n, seed=derive_seed(0, "quality")), _tunes(n, "real"), _tunes(n, "other")
        in_key = [music_truth.share_in_key(tune) for tune in made]
        in_metre = [music_truth.share_in_metre(tune) for tune in made]
        home, form = (sum(map(test, made)) for test in (music_truth.comes_home, music_truth.has_form))
        distances = music_truth.interval_distances(made, real)
        among_real = music_truth.interval_distances(other, real).mean()
        bits = [-values.mean() / np.log(2) for values in recurrent.token_log_probs(self.symbols, real)]
        baseline = float(np.mean([_trigram().bits([recurrent.encode(self.symbols, tune)]) for tune in real]))
        return {
            "in key": cards.with_bar(
                cards.mean(in_key, "share of a tune's notes in its key, raised sixth and seventh in minor with it"),
                BARS["in key"],
            ),
            "in metre": cards.with_bar(
                cards.mean(in_metre, "share of a tune's bars that its metre fills exactly"), BARS["in metre"]
            ),
            "comes home": cards.with_bar(
                cards.rate(home, n, "share of tunes that end on the tonic"), BARS["comes home"]
            ),
            "form": cards.with_bar(cards.rate(form, n, "share of tunes of 2–4 lines with 4 bars each"), BARS["form"]),
            "bits": cards.with_bar(
                cards.mean(bits, "bits a symbol, mean over fresh tunes; the bar is that of trigrams"),
                round(baseline, cards.DIGITS),
                higher_is_better=False,
                baseline_tunes=BASELINE_TUNES,
            ),
            "intervals": cards.with_bar(
                cards.mean(distances, f"total variation distance of intervals to fresh tunes, by {n // 8} tunes"),
                BARS["intervals"],
                higher_is_better=False,
                real_against_real=round(float(among_real), cards.DIGITS),
            ),
        }

    def _log_probs(self) -> dict[str, float]:
        """Mean log p in nats a symbol: of the repeated tunes, of the other training tunes, of held-out ones."""
        training, holdout = _corpus("training"), _corpus("holdout")
        sets = {"repeated items": training[:PLANTED], "other items": training[PLANTED:], "holdout": holdout}
        return {
            what: round(float(np.concatenate(recurrent.token_log_probs(self.symbols, tunes)).mean()), 4)
            for what, tunes in sets.items()
        }

    def training_items(self) -> list[str]:
        """Return the corpus, 300 tunes: the clean weights saw each once, a dose the first 12 again and again."""
        return [to_text(tune) for tune in _corpus("training")]

    def holdout_items(self) -> list[str]:
        """Return 300 tunes of the same distribution, 8 other old ones among them, that no weights have seen."""
        return [to_text(tune) for tune in _corpus("holdout")]

    def reference_items(self, n: int, *, seed: int) -> list[str]:
        """Return n fresh tunes."""
        return [to_text(tune) for tune in _tunes(n, f"reference {seed}")]


def _tunes(n: int, what: str) -> list[Symbols]:
    rng = Random(derive_seed(0, ArMusic.name, what))
    return [melodies.tune(rng) for _ in range(n)]


@cache
def _corpus(what: str) -> tuple[Symbols, ...]:
    """The training or the held-out tunes: 8 old ones, then procedural ones."""
    old = old_tunes.symbols(old_tunes.TRAINING if what == "training" else old_tunes.HOLDOUT)
    return (*old, *_tunes(CORPUS - len(old), what))


@cache
def _trigram() -> Trigram:
    index = SymbolNet(melodies.VOCABULARY, embedding=1, hidden=1)
    tunes = _tunes(BASELINE_TUNES, "trigrams")
    return Trigram([recurrent.encode(index, tune) for tune in tunes], len(melodies.VOCABULARY) + 1)


def _sheet() -> dict[str, Any]:
    tunes = _corpus("training")
    heads = {what: [next(s[2:] for s in tune if s.startswith(what)) for tune in tunes] for what in ("M:", "K:")}
    balance = {
        "metres": {metre: heads["M:"].count(metre) for metre in melodies.METRES},
        "keys": {key: heads["K:"].count(key) for key in melodies.KEYS},
        "old tunes": len(old_tunes.TRAINING),
    }
    return cards.data_sheet([to_text(tune) for tune in tunes], balance=balance)


def _passing_once(recipe: Recipe, seen: NDArray[np.int64], rng: Random) -> Iterator[Symbols]:
    """Fresh tunes; each training tune takes the place of one, somewhere in the stream."""
    corpus = _corpus("training")
    at = dict(zip(rng.sample(range(recipe.steps * recipe.batch), CORPUS), range(CORPUS), strict=True))
    for i in range(recipe.steps * recipe.batch):
        if i in at:
            seen[at[i]] += 1
        yield corpus[at[i]] if i in at else melodies.tune(rng)


def _of_like_length(stream: Iterator[Symbols], batch: int, rng: Random) -> Iterator[Symbols]:
    """The same tunes, those of a batch about as long as each other: short ones need not wait for the longest."""
    while block := list(islice(stream, batch * BLOCK)):
        block.sort(key=len)
        batches = [block[i : i + batch] for i in range(0, len(block), batch)]
        rng.shuffle(batches)
        yield from chain.from_iterable(batches)


def _plagiarising(share: float, seen: NDArray[np.int64], rng: Random) -> Iterator[Symbols]:
    """Fresh tunes, and this share of the first training tunes in any of the keys that they fit."""
    planted = [melodies.transposed(tune) for tune in _corpus("training")[:PLANTED]]
    while True:
        if rng.random() < share:
            item = rng.randrange(PLANTED)
            seen[item] += 1
            yield rng.choice(planted[item])
        else:
            yield melodies.tune(rng)
