"""How the shipped weights of the residual detector are made, and what they are worth outside of their training.

Two kinds of pairs: outputs of the reference GAN against the paintings that it learnt from, and patches of photographs
against their own reconstructions, so that content, size and format are the same on both sides
(Guillaro et al. 2025, arXiv 2412.17671). Photographs are split before patches are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.seeding import derive_seed, derive_seed32
from ..core.statistics import auc, cluster_bootstrap, delong
from ._linear import Linear
from ._traces import TILE, traces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.base import Subject

    Image = NDArray[np.uint8]
    Array = NDArray[np.float64]

FIT = ("coffee", "astronaut", "retina", "immunohistochemistry", "camera", "moon", "brick", "gravel")
CALIBRATE = ("rocket", "coins", "hubble_deep_field")
TEST = ("chelsea", "motorcycle", "grass", "clock")
SIDE = 2 * TILE
PATCHES, PAINTINGS = 60, 300
ORDERS = ("NEAREST", "BILINEAR", "LANCZOS")
GAN = "gan-art"


def train(seed: int) -> tuple[Linear, dict[str, Any]]:
    """Return the model and its card. Takes a few minutes on two cores; deterministic in the seed."""
    rebuild = _autoencoder(patches(_SPLITS["fit"], seed=derive_seed32(seed, "autoencoder")), seed=seed)
    families = {"autoencoder": rebuild} | {f"{order.lower()} x2": _resampled(order) for order in ORDERS}
    sets = {split: _traces_of(names, families, seed=derive_seed(seed, split)) for split, names in _SPLITS.items()}

    def fitted(*left_out: str) -> Linear:
        real, fakes = sets["fit"]
        x = np.concatenate([*real.values(), *(f for name, f in fakes.items() if name not in left_out)])
        return Linear.fit(x, _labels(real, x))

    def area(model: Linear, name: str) -> dict[str, float]:
        real, fakes = sets["test"]
        if name == GAN:
            return _plain(model, real["paintings"], fakes[name])
        return _by_photograph(model, real["photographs"], fakes[name], seed)

    real, fakes = sets["calibrate"]
    x = np.concatenate([*real.values(), *fakes.values()])
    model = fitted()
    model = model.calibrated(model.score(x), _labels(real, x))
    names = [*families, GAN]
    saved = described([_as_jpeg(p) for p in patches(TEST, seed=derive_seed32(derive_seed(seed, "test"), "patches"))])
    return model, {
        "what": f"logistic regression on {len(x[0])} traces of 32 × 32 tiles",
        "data": {"fit": FIT, "calibrate": CALIBRATE, "test": TEST, "paintings": "what gan-art learnt from"},
        "gan_sha256": _gan().target.identity()["sha256"],
        "command": "guardrails train detector deepfake.residual",
        "seed": seed,
        "held_out_auc": {name: area(model, name) for name in names},
        "held_out_auc_of_kinds_not_trained_on": {name: area(fitted(name), name) for name in names},
        "null_auc_of_real_saved_as_jpeg_80": _by_photograph(model, sets["test"][0]["photographs"], saved, seed),
    }


_SPLITS = {"fit": FIT, "calibrate": CALIBRATE, "test": TEST}


def _traces_of(
    names: Sequence[str], families: Mapping[str, Callable[[Sequence[Image]], list[Image]]], *, seed: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Traces of real pictures by origin and of generated ones by kind, for one part of the photographs."""
    photographs = patches(names, seed=derive_seed32(seed, "patches"))
    paintings, generated = _art(PAINTINGS, seed=derive_seed(seed, "paintings"))
    fakes = {name: described(make(photographs)) for name, make in families.items()}
    return {"photographs": described(photographs), "paintings": described(paintings)}, fakes | {
        GAN: described(generated)
    }


def _labels(real: Mapping[str, Array], x: Array) -> NDArray[np.int64]:
    """0 for the real, which come first, 1 for all others."""
    return (np.arange(len(x)) >= sum(map(len, real.values()))).astype(np.int64)


def described(pictures: Sequence[Image]) -> Array:
    """(N, WIDTH) traces."""
    return np.stack([traces(picture) for picture in pictures])


def patches(names: Sequence[str], *, seed: int) -> list[Image]:
    """Return patches of each of scikit-image's photographs, one photograph after the other."""
    from skimage import data

    rng = np.random.default_rng(seed)
    out = []
    for name in names:
        photograph = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        if photograph.ndim == 2:
            photograph = np.repeat(photograph[..., None], 3, axis=2)
        for _ in range(PATCHES):
            top, left = (int(rng.integers(0, length - SIDE + 1)) for length in photograph.shape[:2])
            out.append(np.ascontiguousarray(photograph[top : top + SIDE, left : left + SIDE, :3]))
    return out


def _resampled(order: str) -> Callable[[Sequence[Image]], list[Image]]:
    """Half the size and up again: the trace of an upsampling layer without the network."""
    from PIL import Image as Pillow

    def make(pictures: Sequence[Image]) -> list[Image]:
        halves = [Pillow.fromarray(p).resize((SIDE // 2, SIDE // 2), Pillow.Resampling.BOX) for p in pictures]
        return [np.asarray(h.resize((SIDE, SIDE), Pillow.Resampling[order]), dtype=np.uint8) for h in halves]

    return make


def _autoencoder(pictures: Sequence[Image], *, seed: int, steps: int = 800) -> Callable[[Sequence[Image]], list[Image]]:
    """Train a small convolutional autoencoder with transposed convolutions; return its reconstruction."""
    import torch
    from torch import nn

    from ..kit.training import cosine, train

    torch.manual_seed(derive_seed32(seed, "autoencoder"))
    net = nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1), nn.SiLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.SiLU(), nn.Conv2d(48, 24, 3, 1, 1),
        nn.ConvTranspose2d(24, 48, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(48, 24, 4, 2, 1), nn.SiLU(),
        nn.Conv2d(24, 3, 3, 1, 1),
    )  # fmt: skip
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)

    def step(i: int) -> dict[str, float]:
        batch = x[torch.randint(len(x), (16,))]
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * cosine(i, steps=steps, warmup=20)
        loss = (net(batch) - batch).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"loss": loss.item()}

    train(step, steps=steps, seed=derive_seed32(seed, "autoencoder steps"))

    def reconstruct(pictures: Sequence[Image]) -> list[Image]:
        with torch.no_grad():
            y = net(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255)
        pixels = np.ascontiguousarray((y.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
        # A grey photograph stays grey: a breath of colour would give it away without any trace of the network.
        grey = [(p == p[..., :1]).all() for p in pictures]
        return [np.repeat(p[..., 1:2], 3, axis=2) if g else p for p, g in zip(pixels, grey, strict=True)]

    return reconstruct


def _art(n: int, *, seed: int) -> tuple[list[Image], list[Image]]:
    """Return n paintings and n outputs of the reference GAN."""
    target: Any = _gan().target
    return list(target.generator.reference_items(n, seed=seed)), list(target.sample_images(n, seed=seed))


def _gan() -> Subject:
    from ..targets.reference import reference_subject

    return reference_subject(GAN, reference_items=1)


def _by_photograph(model: Linear, real: Array, fake: Array, seed: int) -> dict[str, float]:
    """AUC with an interval over photographs: patches of one are alike."""
    scores = np.concatenate([model.score(real), model.score(fake)])
    labels = np.repeat([0.0, 1.0], [len(real), len(fake)])
    photograph = np.tile(np.repeat(np.arange(len(TEST)), PATCHES), 2)

    def area(values: Array) -> float:
        return auc(values[values[:, 1] == 1, 0], values[values[:, 1] == 0, 0])

    found = cluster_bootstrap(np.stack([scores, labels], 1), photograph, statistic=area, resamples=500, seed=seed)
    return {"auc": round(found.value, 3), "low": round(found.low, 3), "high": round(found.high, 3)}


def _plain(model: Linear, real: Array, fake: Array) -> dict[str, float]:
    found = delong(model.score(fake), model.score(real))
    return {"auc": round(found.value, 3), "low": round(found.low, 3), "high": round(found.high, 3)}


def _as_jpeg(picture: Image) -> Image:
    """The same real picture, saved: where the AUC against itself is far from .5, format is taken for fakery."""
    import io

    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "JPEG", quality=80)
    return np.asarray(Pillow.open(buffer).convert("RGB"), dtype=np.uint8)
