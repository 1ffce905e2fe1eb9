"""How the residual network learns: photographs against their own reconstructions, and two of our generators.

A *pair* is a cut of a photograph and the same cut out of a reconstruction: through an autoencoder that was trained
here, or half the size and up again. Content, size and file are the same on both sides (Guillaro et al. 2025, arXiv
2412.17671). Reconstructions are smoother than what they reconstruct; lest that be all that is learnt, half of them get
the photograph's own power at every frequency back, and either side is now and then blurred, sharpened or made noisy.
Photographs that the network learns from are others than those that its head learns from and is calibrated on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.seeding import derive_seed, derive_seed32
from ..deepfake.images import fitted_head, residual_network
from ..deepfake.images.descriptors import tiles_of
from ..deepfake.images.fitted_head import Fitted
from ..kit.checksums import file_sha256
from ..kit.detection.protocol import Placed, area, encoded, folds_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Array = NDArray[np.float64]
    Make = Callable[[Image], Image]

ID = "deepfake.cnn"
OWN = (
    "astronaut", "coffee", "rocket", "chelsea", "motorcycle", "retina", "immunohistochemistry", "camera", "moon",
    "brick", "gravel", "coins", "hubble_deep_field", "grass", "clock",
)  # fmt: skip
"""Of scikit-image's photographs."""
FOLDER = "GUARDRAILS_PHOTOGRAPHS"
"""Environment variable: the folder that ``scripts/fetch_photographs.py`` made."""
MOST, LARGE = 40, 1200
"""Photographs of one source, and their longer side, at most."""
CUT = 256
CUTS = 700, 300
"""Of photographs: for the network, and for the head."""
SMALLEST = 0.25
"""Least factor by which a photograph is reduced before it is cut."""
UPSAMPLERS = ("transposed", "nearest", "shuffle", "bilinear")
FILTERS = ("BICUBIC", "NEAREST")
UNSEEN = "bilinear"
"""A kind that the network and its head never see: the card says what they make of it."""
GENERATORS = ("gan-art", "diffusion-photo")
SMALL = 200
"""Pictures of each generator, and as many of what it learnt from."""
LATENT = 12
AUTOENCODER_STEPS, STEPS, RATE, PAIRS = 300, 700, 3e-3, 24


@dataclass(frozen=True)
class Pair:
    """The same cut before and after; `source` is where the photograph comes from."""

    source: str
    kind: str
    real: Image
    made: Image


def train_shipped(folder: Path, seed: int) -> list[Path]:
    """Train and write; about seven minutes on one core, deterministic in the seed on one machine."""
    photographs = gathered(seed)
    fold = folds_of([source for source, _ in photographs], 5)
    learn = [photograph for photograph, k in zip(photographs, fold, strict=True) if k < 3]
    keep = [photograph for photograph, k in zip(photographs, fold, strict=True) if k >= 3]
    makers = reconstructions(learn, seed=seed)
    known = {kind: make for kind, make in makers.items() if kind != UNSEEN}
    fit = [*pairs(learn, known, CUTS[0], seed=derive_seed(seed, "fit")), *small_pairs(derive_seed(seed, "small fit"))]
    net, record = learnt(fit, seed=seed)
    kept = [
        *pairs(keep, makers, CUTS[1], seed=derive_seed(seed, "head")),
        *small_pairs(derive_seed(seed, "small head")),
    ]
    head, figures = headed(net, kept, seed=seed)
    network = residual_network.write(net, folder)
    card = {
        "what": "a network on noise residuals of 64 x 64 tiles, their mean, and a linear head",
        "command": residual_network.COMMAND,
        "seed": seed,
        "network_sha256": file_sha256(network),
        "weights_of_the_network": sum(p.numel() for p in net.parameters()),
        "photographs": {
            "network": Counter(source for source, _ in learn),
            "head and calibration": Counter(s for s, _ in keep),
        },
        "pairs": {"network": len(fit), "head and calibration": len([p for p in kept if p.kind != UNSEEN])},
        "generators": GENERATORS,
        "held_out_auc": figures,
        "training": record,
    }
    files = fitted_head.write({ID: head}, card, folder, residual_network.STEM)
    return [network, *files]


def reconstructions(photographs: Sequence[tuple[str, Image]], *, seed: int) -> dict[str, Make]:
    """Return what reconstructs a cut, by kind; the autoencoders are trained here."""
    rng = np.random.default_rng(derive_seed(seed, "autoencoder cuts"))
    squares = np.stack([cut(photographs[i][1], 64, rng) for i in rng.integers(len(photographs), size=3000)])
    out: dict[str, Make] = {kind: partial(_resampled, order=kind) for kind in FILTERS}
    return out | {kind: _autoencoder(squares, kind, seed=derive_seed32(seed, kind)) for kind in UPSAMPLERS}


def cut(photograph: Image, side: int, rng: np.random.Generator) -> Image:
    """Return a square of a photograph that was made smaller first, by a factor down to `SMALLEST`."""
    from PIL import Image as Pillow

    short = min(photograph.shape[:2])
    least = max(SMALLEST, side / short)
    factor = float(np.exp(rng.uniform(np.log(least), 0))) if least < 1 else least
    height, width = (max(side, round(length * factor)) for length in photograph.shape[:2])
    picture = Pillow.fromarray(photograph)
    if (height, width) != photograph.shape[:2]:
        picture = picture.resize((width, height), Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return np.asarray(picture.crop((left, top, left + side, top + side)), dtype=np.uint8)


def pairs(photographs: Sequence[tuple[str, Image]], makers: Mapping[str, Make], n: int, *, seed: int) -> list[Pair]:
    """Cut photographs, one after the other and again, and reconstruct each cut in one of the ways, in turn."""
    rng, kinds, out = np.random.default_rng(seed), sorted(makers), []
    for i in range(n):
        source, photograph = photographs[i % len(photographs)]
        kind, real = kinds[(i + i // len(photographs)) % len(kinds)], cut(photograph, CUT, rng)
        made = makers[kind](real)
        if rng.random() < 0.5:
            made = same_power(made, real)
        name = derive_seed32(seed, str(i))
        out.append(Pair(source, kind, *(encoded(altered(side, rng), seed=name) for side in (real, made))))
    return out


def same_power(made: Image, real: Image) -> Image:
    """Give a reconstruction the mean power of the photograph in every ring of frequencies."""
    side = made.shape[0]
    ring = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * side
    ring = ring.round().astype(int)
    spectra = [np.fft.rfft2(picture.astype(np.float64), axes=(0, 1)) for picture in (made, real)]
    powers = [np.bincount(ring.ravel(), (abs(s) ** 2).mean(axis=2).ravel()) for s in spectra]
    gain = np.sqrt(powers[1] / np.maximum(powers[0], 1e-9)).clip(0.2, 5.0)
    back = np.fft.irfft2(spectra[0] * gain[ring][..., None], s=(side, side), axes=(0, 1))
    return np.asarray(back.round().clip(0, 255), dtype=np.uint8)


def altered(picture: Image, rng: np.random.Generator) -> Image:
    """Blur, sharpen or add noise, or neither: drawn without a look at the class."""
    from scipy.ndimage import gaussian_filter

    what, strength = int(rng.integers(6)), float(rng.uniform())
    x = picture.astype(np.float32)
    if what == 0:
        x = gaussian_filter(x, (0.3 + 0.5 * strength, 0.3 + 0.5 * strength, 0))
    elif what == 1:
        x += (0.3 + strength) * (x - gaussian_filter(x, (1.0, 1.0, 0)))
    elif what == 2:
        x += rng.normal(0, 0.5 + 2.5 * strength, (*x.shape[:2], 1)) + rng.normal(0, 0.5 + strength, x.shape)
    return np.asarray(x.round().clip(0, 255), dtype=np.uint8)


def small_pairs(seed: int) -> list[Pair]:
    """Pair outputs of our generators with pictures of what they learnt from; every real picture is its own source."""
    from ..targets.reference_data import reference_subject

    out = []
    for name in GENERATORS:
        subject: Any = reference_subject(name, reference_items=1)
        made = subject.target.sample_images(SMALL, seed=seed)
        real = subject.target.generator.reference_items(SMALL, seed=seed)
        for i in range(SMALL):
            pair_seed = derive_seed32(seed, f"{name} {i}")
            out.append(Pair(f"{name} {i}", name, *(encoded(side, seed=pair_seed) for side in (real[i], made[i]))))
    return out


def _resampled(picture: Image, *, order: str) -> Image:
    """Half the size and up again: the trace of an upsampling layer without the network."""
    from PIL import Image as Pillow

    half = Pillow.fromarray(picture).resize((CUT // 2, CUT // 2), Pillow.Resampling.BOX)
    return np.asarray(half.resize((CUT, CUT), Pillow.Resampling[order]), dtype=np.uint8)


def _autoencoder(squares: Image, kind: str, *, seed: int) -> Make:
    """Train a small autoencoder, a quarter of the size and back, with one kind of upsampling; return what it makes."""
    import torch
    from torch import nn

    from ..kit.training import cosine
    from ..kit.training import train as run

    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 24, 4, 2, 1), nn.SiLU(), nn.Conv2d(24, 48, 4, 2, 1), nn.SiLU(), nn.Conv2d(48, LATENT, 3, 1, 1),
        nn.Conv2d(LATENT, 48, 3, 1, 1), nn.SiLU(), *_twice(kind, 48, 32), nn.SiLU(), *_twice(kind, 32, 16), nn.SiLU(),
        nn.Conv2d(16, 3, 3, 1, 1),
    )  # fmt: skip
    x = residual_network.as_input(squares) / 255
    adam = torch.optim.Adam(net.parameters())

    def step(i: int) -> dict[str, float]:
        batch = x[torch.randint(len(x), (16,))]
        adam.param_groups[0]["lr"] = 4e-3 * cosine(i, steps=AUTOENCODER_STEPS, warmup=20)
        error = net(batch) - batch
        loss = error.abs().mean() + error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        adam.zero_grad()
        torch.autograd.backward(loss)
        adam.step()
        return {"loss": loss.item()}

    run(step, steps=AUTOENCODER_STEPS, seed=seed)

    def make(picture: Image) -> Image:
        with torch.no_grad():
            y = net(residual_network.as_input(picture[None]) / 255)[0]
        pixels = (y.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        # A grey photograph stays grey: a breath of colour would give it away without any trace of the network.
        grey = (picture == picture[..., :1]).all()
        return np.ascontiguousarray(np.repeat(pixels[..., 1:2], 3, axis=2) if grey else pixels)

    return make


def _twice(kind: str, before: int, after: int) -> list[torch.nn.Module]:
    """Layers that make twice the size."""
    from torch import nn

    if kind == "transposed":
        return [nn.ConvTranspose2d(before, after, 4, 2, 1)]
    if kind == "shuffle":
        return [nn.Conv2d(before, 4 * after, 3, 1, 1), nn.PixelShuffle(2)]
    return [nn.Upsample(scale_factor=2, mode=kind), nn.Conv2d(before, after, 3, 1, 1)]


def learnt(fit: Sequence[Pair], *, seed: int) -> tuple[torch.nn.Sequential, dict[str, Any]]:
    """Train the network on tiles of pairs; the two sides of a pair are always in one batch."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    from ..kit.training import cosine
    from ..kit.training import train as run

    torch.manual_seed(derive_seed32(seed, "network"))
    net = residual_network.build()
    sides = [[tiles_of(side).astype(np.uint8) for side in (pair.real, pair.made)] for pair in fit]
    kinds = [[i for i, pair in enumerate(fit) if pair.kind == kind] for kind in sorted({pair.kind for pair in fit})]
    adam = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], weight_decay=1e-3)
    truth = torch.tensor([0.0, 1.0]).repeat(PAIRS)

    def step(i: int) -> dict[str, float]:
        rng = np.random.default_rng(derive_seed(seed, f"step {i}"))
        tiles = []
        for kind in rng.integers(len(kinds), size=PAIRS):
            real, made = sides[int(rng.choice(kinds[kind]))]
            k, turns, mirrored = int(rng.integers(len(real))), int(rng.integers(4)), bool(rng.random() < 0.5)
            tiles += [np.rot90(tile[:, ::-1] if mirrored else tile, turns) for tile in (real[k], made[k])]
        adam.param_groups[0]["lr"] = RATE * cosine(i, steps=STEPS, warmup=50)
        loss = binary_cross_entropy_with_logits(net(residual_network.as_input(np.stack(tiles)))[:, 0], truth)
        adam.zero_grad()
        torch.autograd.backward(loss)
        adam.step()
        return {"loss": loss.item()}

    record = run(step, steps=STEPS, seed=derive_seed32(seed, "network steps"), log_every=50, batch=2 * PAIRS)
    return net.eval(), {"steps": record.steps, "loss": [round(x, 3) for x in record.curves["loss"]]}


def headed(net: torch.nn.Sequential, kept: Sequence[Pair], *, seed: int) -> tuple[Fitted, dict[str, Any]]:
    """Fit and calibrate the head on photographs that the network has not seen; return its figures by kind.

    The figures are those of heads that have not seen the photograph either.
    """
    sides = [[residual_network.embedded(net, tiles_of(side)).mean(axis=0) for side in (p.real, p.made)] for p in kept]
    x = np.array(sides, dtype=np.float64).transpose(1, 0, 2).reshape(2 * len(kept), -1)
    labels = np.repeat([0, 1], len(kept))
    names, kinds = [p.source for p in kept] * 2, np.array([p.kind for p in kept] * 2)
    seen = kinds != UNSEEN

    def fitted(rows: NDArray[np.bool_]) -> Fitted:
        of = np.flatnonzero(rows)
        group = [names[i] if kinds[i] not in GENERATORS else str(kinds[i]) for i in of]
        basis = f"{ID}: {rows.sum()} held-out pictures, seed {seed}"
        return Fitted.fit({BLOCK: x[of]}, labels[of], [names[i] for i in of], groups=group, basis=basis)

    fold, scores = folds_of(names, 5), np.empty(len(x))
    for k in range(5):
        scores[fold == k] = fitted(seen & (fold != k)).head.score({BLOCK: x[fold == k]})
    figures = {}
    for kind in sorted(set(kinds)):
        real, made = (np.flatnonzero((kinds == kind) & (labels == label)) for label in (0, 1))
        interval = area(Placed(_above(scores[made], scores[real]), made, real), names)
        figures[kind] = {
            "auc": round(interval.value, 3), "low": round(interval.low, 3), "high": round(interval.high, 3),
            "pairs": len(real), "sources": len({names[i] for i in real}),
        }  # fmt: skip
    return fitted(seen), figures


BLOCK = "residual network"


def _above(made: Array, real: Array) -> Array:
    above: Array = (made[:, None] > real[None]) + 0.5 * (made[:, None] == real[None])
    return above


def gathered(seed: int) -> list[tuple[str, Image]]:
    """Return scikit-image's photographs and those of the folder that `FOLDER` names, each with its source.

    A large one is reduced, or a part of it is cut out: half of the time each.

    Raises
    ------
    ConfigurationError
        Where `FOLDER` is not set.
    """
    from PIL import Image as Pillow
    from skimage import data

    from ..core.errors import ConfigurationError
    from ..kit.io import read_image
    from .material.photographs import photographs

    if not (place := os.environ.get(FOLDER)):
        raise ConfigurationError(f"{ID} learns from photographs: scripts/fetch_photographs.py DIR, and set {FOLDER}")
    out: list[tuple[str, Image]] = []
    for name in OWN:
        pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        pixels = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
        out.append(("scikit-image", np.ascontiguousarray(pixels)))
    rng, counts = np.random.default_rng(derive_seed(seed, "photographs")), Counter[str]()
    for photograph in photographs(place):
        counts[photograph.source] += 1
        if counts[photograph.source] > MOST:
            continue
        pixels = read_image(photograph.path)
        height, width = pixels.shape[:2]
        if rng.random() < 0.5:
            top, left = (int(rng.integers(max(1, length - LARGE + 1))) for length in (height, width))
            pixels = np.ascontiguousarray(pixels[top : top + LARGE, left : left + LARGE])
        elif max(height, width) > LARGE:
            size = [max(1, round(length * LARGE / max(height, width))) for length in (width, height)]
            reduced = Pillow.fromarray(pixels).resize((size[0], size[1]), Pillow.Resampling.LANCZOS, reducing_gap=3.0)
            pixels = np.asarray(reduced, dtype=np.uint8)
        if min(pixels.shape[:2]) >= CUT // 2:
            out.append((photograph.source, pixels))
    return out
