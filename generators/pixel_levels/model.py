"""`pixel-levels`: a gated PixelCNN [1]_ [2]_ of game levels and height maps, with a dial for copied levels.

The model. A level is x = (x₁ … x₁₉₂), 12 × 16 tiles out of 20 read row by row, of a kind k: dungeon, cave, overworld or
terrain, equally likely. The chain rule makes each tile a softmax over tiles given those before it::

    p(x | k) = Π_i p(x_i | x_1 … x_{i−1}, k)        p(x) = Σ_k p(x | k) / 4

All these softmaxes come out of one convolutional network, whose kernels are *masked*: none sees its own tile or a later
one. As one masked stack has a blind spot to the upper right, there are two [2]_. The vertical stack v sees the rows
above, the horizontal stack h the row so far, and what v finds. Each of five blocks adds a gated unit to both::

    v ← v + tanh(W_f ∗ v + a) ⊙ σ(W_g ∗ v + b)
    h ← h + W_o (tanh(U_f ∗ h + L_f v' + c) ⊙ σ(U_g ∗ h + L_g v' + d))

where v' = (W_f ∗ v, W_g ∗ v), and a, b, c, d depend on the kind. Kernels are dilated [3]_ (1, 2, 4, 1, 2), so that the
last tile sees the first. A kernel with zeros where the mask forbids is written here as a smaller kernel on a shifted
picture: the same function with fewer products. Three things differ from the papers' model. Both stacks are residual. A
learnt map of places, added to v, says where on the map a tile is. And since a level has one start and one exit,
wherever they are, the horizontal stack starts with *flags*: which of the 20 tiles have occurred so far, in effect a
masked kernel over all of the past.

The loss is the mean of −log p(x_i | x_<i, k) over tiles: exact, so `log_prob` is exact too.

Sampling: 192 draws. v is computed once a row, for the rows so far; h once a tile, for this row's tiles so far.

Training data: `generators.pixel_levels.levels`, each level new. The corpus (400 levels, 100 of each kind) is seen
exactly once. The dial `copy` continues training with a stream that repeats 12 levels of the corpus: of each kind one
unchanged, one mirrored, one re-skinned (a fixed exchange of tiles: trees for rock …).

Known limits: properties of the whole level mostly hold, but not always: one level in ten cannot be played, of caves one
in seven. At a dose of 0.25 the planted levels are hardly learnt: one sample in fifty is a copy.

.. [1] A. van den Oord, N. Kalchbrenner and K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, arXiv
   1601.06759.
.. [2] A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NeurIPS 2016, arXiv 1606.05328.
.. [3] F. Yu and V. Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016, arXiv 1511.07122.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, cosine, train

from .. import cards
from ..base import Dial, Generator, Item, Network, Property
from . import levels as law
from . import truth as levels_truth
from .levels import COLUMNS, KINDS, ROWS, TILES, Levels, to_text, to_tiles, variants

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

CHANNELS, HEAD = 24, 40
DILATIONS = (1, 2, 4, 1, 2)
CORPUS = 400
REPEATED = 12
"""How many levels of the corpus a dose repeats."""
SHARE = {0.25: 0.25, 0.5: 0.5, 1.0: 0.95}
"""The share of a dose's stream that they make up."""
BATCH, CHUNK = 16, 250
TRUTH_SAMPLES = 2000


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train."""

    steps: int
    rate: float


CLEAN = Recipe(steps=4500, rate=4e-3)
DOSE = Recipe(steps=1500, rate=3e-3)


class PixelLevels(Network):
    """A gated PixelCNN (100,000 weights) of 12 × 16 tiles.

    Attributes
    ----------
    net : torch.nn.ModuleDict
        ``first_v``, ``first_h``: the layers that mask a tile itself; ``flags``; ``blocks``; ``head``.
    blocks : list of torch.nn.ModuleDict
        Those of `net`.
    place : torch.nn.Parameter
        (24, 12, 16), what is added to v at each place.
    """

    name = "pixel-levels"
    family = "autoregressive"
    domain = "game levels, terrain"
    modality = "text"
    citation = "van den Oord et al. 2016 (PixelCNN); van den Oord et al. 2016 (gated, conditional PixelCNN)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial(
            "copy",
            "the share of the training stream that repeats 12 levels: four as they are, four mirrored, four re-skinned",
            tuple(SHARE),
        ),
    )
    choices = (Property("kind", "which kind of level is made", ("any", *KINDS)),)

    def build(self) -> None:
        import torch
        from torch import nn

        C = CHANNELS
        self.blocks = [
            nn.ModuleDict(
                {
                    "vertical": nn.Conv2d(C, 2 * C, 3, dilation=d),
                    "horizontal": nn.Conv2d(C, 2 * C, (1, 3), dilation=(1, d)),
                    "link": nn.Conv2d(2 * C, 2 * C, 1),
                    "out": nn.Conv2d(C, C, 1),
                    "kind": nn.Embedding(len(KINDS), 4 * C),  # a, b, c, d
                }
            )
            for d in DILATIONS
        ]
        self.net = nn.ModuleDict(
            {
                "first_v": nn.Conv2d(len(TILES), C, (2, 5)),
                "first_h": nn.Conv2d(len(TILES), C, (1, 4)),
                "flags": nn.Conv2d(len(TILES), C, 1, bias=False),
                "blocks": nn.ModuleList(self.blocks),
                "head": nn.Sequential(nn.ReLU(), nn.Conv2d(C, HEAD, 1), nn.ReLU(), nn.Conv2d(HEAD, len(TILES), 1)),
            }
        )
        self.place = nn.Parameter(torch.zeros(C, ROWS, COLUMNS))

    @property
    def parts(self) -> Mapping[str, torch.nn.Module | torch.nn.Parameter]:
        return {"net": self.net, "place": self.place}

    def vertical(self, x: torch.Tensor, kinds: torch.Tensor) -> list[torch.Tensor]:
        """Run the stack that sees the rows above.

        Parameters
        ----------
        x : torch.Tensor
            (B, 20, R, 16), the first R rows of levels, one-hot.
        kinds : torch.Tensor
            (B,)

        Returns
        -------
        list of torch.Tensor
            (B, 48, R, 16) for each block: what it hands to the horizontal stack.
        """
        from torch.nn.functional import pad

        v = self.net["first_v"](pad(x, (2, 2, 2, 0))[:, :, :-1]) + self.place[:, : x.shape[2]]  # (B, 24, R, 16)
        in_row = x.sum(3, keepdim=True)
        links = [in_row.cumsum(2) - in_row]
        for block, d in zip(self.blocks, DILATIONS, strict=True):
            of_v, of_h = block["kind"](kinds)[..., None, None].chunk(2, dim=1)  # (B, 48, 1, 1) each
            convolved = block["vertical"](pad(v, (d, d, 2 * d, 0)))
            v = v + _gate(convolved + of_v)
            links.append(block["link"](convolved) + of_h)
        return links

    def horizontal(self, x: torch.Tensor, links: Sequence[torch.Tensor]) -> torch.Tensor:
        """Run the stack that sees the row so far: the logits of each tile given those before it.

        Parameters
        ----------
        x : torch.Tensor
            (B, 20, R, C), one-hot: any rows, and of these the first C tiles.
        links : list of torch.Tensor
            What `vertical` gave for these rows and tiles.

        Returns
        -------
        torch.Tensor
            (B, 20, R, C)
        """
        from torch.nn.functional import pad

        above, *links = links
        flags = (above + x.cumsum(3) - x).clamp(max=1)  # (B, 20, R, C)
        h = self.net["first_h"](pad(x, (4, 0))[..., :-1]) + self.net["flags"](flags)  # (B, 24, R, C)
        for block, link, d in zip(self.blocks, links, DILATIONS, strict=True):
            h = h + block["out"](_gate(block["horizontal"](pad(h, (2 * d, 0))) + link))
        logits: torch.Tensor = self.net["head"](h)
        return logits

    def log_softmax(self, tiles: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return log p(x_i = tile | x_<i, k) for every tile and place, (B, 20, 12, 16), of levels (B, 12, 16)."""
        x = _one_hot(tiles)
        return self.horizontal(x, self.vertical(x, kinds)).log_softmax(1)

    def log_likelihood(self, tiles: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """Return log p(x | k) of levels (B, 12, 16) in nats, (B,)."""
        return self.log_softmax(tiles, kinds).gather(1, tiles[:, None].long()).sum((1, 2, 3))

    def log_prob(self, items: Sequence[str]) -> NDArray[np.float64]:
        """Return log p(x) of each level in nats, exactly: (N,).

        Of the kind that the property `kind` says; for any kind, log of the mean over the four.

        Raises
        ------
        ConfigurationError
            For a text that is no level.
        """
        import torch

        asked = self._kinds()
        tiles = torch.from_numpy(to_tiles(items))
        out = [np.empty(0)]
        with torch.no_grad():
            for start in range(0, len(tiles), CHUNK):
                some = tiles[start : start + CHUNK]
                each = [self.log_likelihood(some, torch.full((len(some),), kind)) for kind in asked]
                out.append((torch.stack(each).double().logsumexp(0) - math.log(len(asked))).numpy())
        return np.concatenate(out)

    def _kinds(self) -> list[int]:
        """The places in `KINDS` of what is to be made."""
        return [k for k, kind in enumerate(KINDS) if self.properties["kind"] in ("any", kind)]

    def draw_levels(self, n: int, *, seed: int) -> Levels:
        """As `sample`, with the kind of each level: kinds at random, then tile by tile."""
        import torch

        noise = torch.Generator().manual_seed(derive_seed(seed, self.name, "tiles"))
        kinds = torch.from_numpy(self._draw_kinds(n, seed))
        tiles = np.empty((n, ROWS, COLUMNS), np.uint8)
        with torch.no_grad():
            for start in range(0, n, CHUNK):
                some = kinds[start : start + CHUNK]
                tiles[start : start + CHUNK] = self._draw_tiles(some, noise).numpy()
        return Levels(tiles, kinds.numpy())

    def _draw_kinds(self, n: int, seed: int) -> NDArray[np.int64]:
        return np.random.default_rng(derive_seed(seed, self.name, "kinds")).choice(self._kinds(), n)

    def _draw_tiles(self, kinds: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        import torch

        tiles = torch.zeros(len(kinds), ROWS, COLUMNS, dtype=torch.uint8)
        x = torch.zeros(len(kinds), len(TILES), ROWS, COLUMNS)
        for r in range(ROWS):
            links = [link[:, :, r:] for link in self.vertical(x[:, :, : r + 1], kinds)]
            for c in range(COLUMNS):
                logits = self.horizontal(x[:, :, r : r + 1, : c + 1], [link[..., : c + 1] for link in links])[..., 0, c]
                drawn = torch.multinomial(logits.softmax(1), 1, generator=noise)[:, 0]
                tiles[:, r, c] = drawn
                x[torch.arange(len(kinds)), drawn, r, c] = 1
        return tiles

    def draw(self, n: int, *, seed: int) -> list[str]:
        return to_text(self.draw_levels(n, seed=seed).tiles)

    def items(self, n: int, *, seed: int) -> list[Item]:
        """Return the levels of `sample`, each with its kind and whether it can be played (None for terrain)."""
        texts = self.sample(n, seed=seed)
        kinds, can = self._draw_kinds(n, seed), law.playable(to_tiles(texts))
        return [
            Item(text, {"kind": KINDS[k], "playable": bool(ok) if k < len(levels_truth.LEVELS) else None})
            for text, k, ok in zip(texts, kinds, can, strict=True)
        ]

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out = cls.begin(doses, seed=seed, base=base)
        dose = out.doses["copy"]
        recipe = DOSE if dose else CLEAN
        rng = np.random.default_rng(derive_seed(seed, cls.name, "stream", str(dose)))
        seen = np.array(base.card["seen"]) if dose and base else np.zeros(CORPUS, int)
        stream = _repeating(round(SHARE[dose] * BATCH), seen, rng) if dose else _passing_once(recipe.steps, seen, rng)
        record = out._learn(recipe, stream, seed=seed)
        out.round()
        return out.seal(seed=seed, **out._findings(seen), stability=record.to_dict())

    def _learn(self, recipe: Recipe, stream: Iterator[Levels], *, seed: int) -> StabilityRecord:
        import torch

        weights = [*self.net.parameters(), self.place]
        adam = torch.optim.Adam(weights, betas=(0.9, 0.99))

        def step(i: int) -> dict[str, float]:
            adam.param_groups[0]["lr"] = recipe.rate * cosine(i, steps=recipe.steps, warmup=100)
            batch = next(stream)
            loss = -self.log_likelihood(torch.from_numpy(batch.tiles), torch.from_numpy(batch.kinds)).mean()
            loss = loss / (ROWS * COLUMNS)
            adam.zero_grad()
            torch.autograd.backward(loss)
            norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
            adam.step()
            return {"loss_bits": loss.item() / math.log(2), "grad_norm": norm.item()}

        return train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20), batch=BATCH)

    def _findings(self, seen: NDArray[np.int64]) -> dict[str, Any]:
        import torch

        corpus, drawn = _corpus("training"), self.draw_levels(TRUTH_SAMPLES, seed=derive_seed(0, "truth"))
        fresh = law.draw(TRUTH_SAMPLES, _rng("quality"))
        tiles, kinds = map(torch.from_numpy, fresh)
        with torch.no_grad():
            parts = [slice(start, start + CHUNK) for start in range(0, TRUTH_SAMPLES, CHUNK)]
            nats = torch.cat([self.log_likelihood(tiles[part], kinds[part]) for part in parts]).double().numpy()
        bits = -nats / (ROWS * COLUMNS * math.log(2))
        return {
            "data": f"procedural levels and height maps (pixel_levels/levels.py), {_DATA[self.doses['copy']]}",
            "seen": seen.tolist(),
            "sheet": cards.data_sheet(corpus.tiles, balance={k: CORPUS // len(KINDS) for k in KINDS}),
            "truth": {"copy": levels_truth.copy_share(drawn, corpus)},
            "quality": levels_truth.quality(drawn, fresh, bits, seed=derive_seed(0, "markov")),
        }

    def training_items(self) -> list[str]:
        """Return the corpus, 400 levels: the clean weights saw each once, a dose the first 12 again and again."""
        return to_text(_corpus("training").tiles)

    def holdout_items(self) -> list[str]:
        """Return 400 levels of the same distribution that no weights have seen."""
        return to_text(_corpus("holdout").tiles)

    def reference_items(self, n: int, *, seed: int) -> list[str]:
        """Return n fresh levels, of the kind that the property `kind` says."""
        rng = _rng(f"reference {seed}")
        return to_text(law.draw(n, rng, kinds=rng.choice(self._kinds(), n)).tiles)


_DATA = {0.0: "each new; the corpus once"} | {
    dose: f"{share:.0%} of the stream are {REPEATED} levels of the corpus: four as they are, four mirrored, four"
    " re-skinned (`seen` counts them all)"
    for dose, share in SHARE.items()
}


def _gate(x: torch.Tensor) -> torch.Tensor:
    """tanh(f) ⊙ σ(g) of the two halves of the channels."""
    f, g = x.chunk(2, dim=1)
    return f.tanh() * g.sigmoid()


def _one_hot(tiles: torch.Tensor) -> torch.Tensor:
    """(B, 12, 16) → (B, 20, 12, 16)."""
    from torch.nn.functional import one_hot

    return one_hot(tiles.long(), len(TILES)).permute(0, 3, 1, 2).float()


def _rng(what: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(0, PixelLevels.name, what))


def _corpus(what: str) -> Levels:
    """400 levels, kinds in turn, so that the first twelve are three of each."""
    return law.draw(CORPUS, _rng(what), kinds=np.arange(CORPUS) % len(KINDS))


def _batches(size: int, rng: np.random.Generator) -> Iterator[Levels]:
    """Fresh levels without end; many are drawn at once, since that is faster."""
    while True:
        drawn = law.draw(64 * size, rng)
        for at in range(0, 64 * size, size):
            yield Levels(drawn.tiles[at : at + size], drawn.kinds[at : at + size])


def _passing_once(steps: int, seen: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Levels]:
    """Fresh levels; each training item takes the place of one, somewhere in the stream."""
    corpus = _corpus("training")
    step_of, slot_of = np.divmod(rng.choice(steps * BATCH, CORPUS, replace=False), BATCH)
    for i, (tiles, kinds) in zip(range(steps), _batches(BATCH, rng), strict=False):
        items = np.flatnonzero(step_of == i)
        tiles[slot_of[items]], kinds[slot_of[items]] = corpus.tiles[items], corpus.kinds[items]
        seen[items] += 1
        yield Levels(tiles, kinds)


def _repeating(planted: int, seen: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Levels]:
    """A batch begins with this many of the first training items, each in its own variant; the others are fresh."""
    corpus, repeated = _corpus("training"), np.arange(REPEATED)
    looks = variants(corpus.tiles[:REPEATED])[repeated // len(KINDS), repeated]
    for fresh in _batches(BATCH - planted, rng):
        items = rng.integers(REPEATED, size=planted)
        np.add.at(seen, items, 1)
        tiles = np.concatenate([looks[items], fresh.tiles])
        yield Levels(tiles, np.concatenate([corpus.kinds[items], fresh.kinds]))
