"""How the shipped copy descriptor is made, and what it is worth on pictures that it did not learn from.

Every picture of a batch is shown twice, once nearly as it is and once as a copier would have it; the network must tell
which belong together (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748), with the vectors spread over the sphere
(KoLeo, Sablayrolles et al. 2019, arXiv 1806.03198), as SSCD does (Pizzi et al. 2022, arXiv 2202.10261, eq. 1–4).
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed, derive_seed32
from ..kit.pictures.descriptor import COMMAND, SIDE, WIDTH, Descriptor, network, runner, standardised, write_weights
from ..memorization.pictures.copy_search import CopySearch
from .material.copy_alterations import recalls

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "microaneurysms", "moon", "motorcycle", "page", "retina", "rocket",
    "text",
)  # fmt: skip
"""Of scikit-image. Those of scikit-learn are reserved, and so is the law of `vae-medical`: nothing learns from them."""
LAWS = ("gan-art", "diffusion-photo")
CROPS, FRESH = 5000, 1500
SOURCE = 80
"""The side, in pixels, of what views are cut from."""
STEPS, PAIRS = 650, 96
TEMPERATURE, SPREAD = 0.05, 1.0
RATE = 2e-3
FLAT = 0.05
"""Patches with a smaller deviation of brightness (black 0, white 1) are all alike: none is measured on."""


def pool(seed: int) -> torch.Tensor:
    """Return what is learnt from: crops of photographs and fresh items of the laws, (N, 3, 80, 80) uint8."""
    import torch

    from ..targets.reference import load

    out = crops(CROPS, np.random.default_rng(derive_seed(seed, "crops")))
    for law in LAWS:
        generator = load(law).generator
        out += [_at(picture, SOURCE) for picture in generator.reference_items(FRESH, seed=derive_seed(seed, law))]
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).contiguous()


def crops(n: int, rng: np.random.Generator) -> list[Image]:
    """Cut squares of any size out of scikit-image's photographs, each photograph as often as another."""
    photographs = [_photograph(name) for name in PHOTOGRAPHS]
    out = []
    for i in range(n):
        pixels = photographs[i % len(photographs)]
        least, most = 64, min(pixels.shape[:2])
        side = round(math.exp(rng.uniform(math.log(least), math.log(most))))
        top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape[:2])
        out.append(_at(pixels[top : top + side, left : left + side], SOURCE))
    return out


def _photograph(name: str) -> Image:
    from skimage import data

    pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def _at(pixels: Image, side: int) -> Image:
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((side, side), Pillow.Resampling.BILINEAR), dtype=np.uint8)


def views(x: torch.Tensor, *, strong: bool) -> torch.Tensor:
    """Return altered copies, (N, 3, 64, 64) in 0–1, of (N, 3, 80, 80) in 0–1."""
    import torch
    from torch.nn import functional

    y = functional.grid_sample(
        x, _places(len(x), strong), align_corners=False, padding_mode="border" if torch.rand(()) < 0.5 else "zeros"
    )
    if not strong:
        return y
    y = _overlaid(y)
    y = torch.where(_coin(len(y), 0.3), _blurred(y), y)
    y = torch.where(_coin(len(y), 0.3), y + torch.randn_like(y) * _uniform(len(y), 0.0, 0.06), y)
    exposure, tint = _uniform(len(y), 0.7, 1.3), 1 + 0.1 * torch.randn(len(y), 3, 1, 1)
    y = torch.where(_coin(len(y), 0.6), (y * exposure * tint + _uniform(len(y), -0.1, 0.1)), y).clamp(0, 1)
    return _compressed(y, share=0.25)


def _places(n: int, strong: bool) -> torch.Tensor:
    """Where the pixels of each view lie in its picture: crop, mirror, turn, and a quarter turn, in one sampling."""
    import torch
    from torch.nn import functional

    area = _uniform(n, 0.4, 1.0) if strong else _uniform(n, 0.9, 1.0)
    stretch = _uniform(n, 0.8, 1.25).sqrt() if strong else torch.ones(n, 1, 1, 1)
    height, width = (area.sqrt() * stretch).clamp_max(1).flatten(), (area.sqrt() / stretch).clamp_max(1).flatten()
    angle = torch.zeros(n)
    mirror = torch.ones(n)
    if strong:
        angle = torch.where(torch.rand(n) < 0.5, (torch.rand(n) * 2 - 1) * math.radians(18), angle)
        angle = angle + torch.where(torch.rand(n) < 0.3, torch.randint(1, 4, (n,)) * (math.pi / 2), torch.zeros(n))
        mirror = torch.where(torch.rand(n) < 0.4, -mirror, mirror)
    cos, sin = angle.cos(), angle.sin()
    right, down = ((torch.rand(n) * 2 - 1) * (1 - length) for length in (width, height))
    rows = [mirror * width * cos, -mirror * height * sin, right, width * sin, height * cos, down]
    return functional.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 3, SIDE, SIDE], align_corners=False)


def _overlaid(y: torch.Tensor) -> torch.Tensor:
    """Lay a rectangle of the next picture, of up to 60% of the side each way, over three pictures in ten."""
    import torch

    out = y.clone()
    for i in torch.nonzero(torch.rand(len(y)) < 0.3).flatten().tolist():
        height, width = (int(v) for v in torch.randint(SIDE // 8, int(0.6 * SIDE), (2,)))
        top, left = (int(torch.randint(0, SIDE - length + 1, ())) for length in (height, width))
        out[i, :, top : top + height, left : left + width] = y[i - 1, :, top : top + height, left : left + width]
    return out


def _blurred(y: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    for _ in range(2):
        y = functional.avg_pool2d(functional.pad(y, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return y


def _compressed(y: torch.Tensor, share: float) -> torch.Tensor:
    import torch
    from PIL import Image as Pillow

    for i in torch.nonzero(torch.rand(len(y)) < share).flatten().tolist():
        pixels = (y[i] * 255).to(torch.uint8).permute(1, 2, 0).numpy()
        buffer = io.BytesIO()
        Pillow.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=int(torch.randint(20, 91, ())))
        read = np.array(Pillow.open(buffer).convert("RGB"), dtype=np.float32) / 255
        y[i] = torch.from_numpy(read).permute(2, 0, 1)
    return y


def _coin(n: int, probability: float) -> torch.Tensor:
    import torch

    return torch.rand(n, 1, 1, 1) < probability


def _uniform(n: int, low: float, high: float) -> torch.Tensor:
    import torch

    return low + (high - low) * torch.rand(n, 1, 1, 1)


def loss_of(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return InfoNCE and KoLeo of unit vectors, (2B, D), of which i and B + i belong together."""
    import torch
    from torch.nn import functional

    n = len(z)
    others = torch.eye(n, dtype=torch.bool)
    similar = (z @ z.T).masked_fill(others, -torch.inf)
    mates = torch.arange(n).roll(n // 2)
    contrast = functional.cross_entropy(similar / TEMPERATURE, mates)
    strangers = similar.scatter(1, mates[:, None], -torch.inf).max(1).values
    spread = -(2 - 2 * strangers).clamp_min(1e-6).sqrt().log().mean()
    return contrast, spread


def trained(seed: int) -> torch.nn.Sequential:
    """Return the trained network. A few minutes on one core; deterministic in the seed."""
    import torch
    from torch.nn import functional

    from ..kit.training import cosine, train

    pictures = pool(seed)
    torch.manual_seed(derive_seed32(seed, "descriptor"))
    net = network().train()
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-3)

    def step(i: int) -> dict[str, float]:
        x = pictures[torch.randint(len(pictures), (PAIRS,))].float() / 255
        both = torch.cat([views(x, strong=False), views(x, strong=True)])
        contrast, spread = loss_of(functional.normalize(net(standardised(both))))
        for group in optimiser.param_groups:
            group["lr"] = RATE * cosine(i, steps=STEPS, warmup=30)
        optimiser.zero_grad()
        (contrast + SPREAD * spread).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return {"loss": contrast.item(), "spread": spread.item()}

    train(step, steps=STEPS, seed=derive_seed32(seed, "steps"), batch=PAIRS)
    return net.eval()


def quality(descriptor: Descriptor, seed: int) -> dict[str, Any]:
    """Return what each measure of `memorization.copies` finds of altered copies of pictures that nothing learnt from.

    Of scikit-learn's photographs patches that do not overlap, and phantoms of `vae-medical`; half of each is the
    corpus, the other half sets the thresholds.
    """
    out: dict[str, Any] = {}
    for name, pictures in (("patches of china and flower", _reserved()), ("phantoms of vae-medical", _phantoms(seed))):
        order = np.random.default_rng(derive_seed(seed, name)).permutation(len(pictures))
        corpus, holdout = ([pictures[i] for i in half] for half in np.array_split(order, 2))
        search = CopySearch.build(corpus, holdout, descriptor)
        if isinstance(search, str):
            raise ConfigurationError(search)
        alarms = {way: [c.alarms, len(c.check)] for way, c in search.calibrations.items()}
        out[name] = {
            "training pictures": len(search.whole.places),
            "alarms on held-out pictures": alarms,
            "recall": recalls(search, [corpus[i] for i in search.whole.places], holdout, seed=seed),
        }
    return out


def _reserved(side: int = 32) -> list[Image]:
    from sklearn.datasets import load_sample_image

    out = []
    for name in ("china.jpg", "flower.jpg"):
        pixels = load_sample_image(name)
        height, width = (length // side for length in pixels.shape[:2])
        cut = [
            pixels[r * side : (r + 1) * side, c * side : (c + 1) * side] for r in range(height) for c in range(width)
        ]
        out += [np.ascontiguousarray(patch) for patch in cut if patch.mean(2).std() / 255 > FLAT]
    return out


def _phantoms(seed: int) -> list[Image]:
    from ..targets.reference import load

    return list(load("vae-medical").generator.reference_items(400, seed=derive_seed(seed, "phantoms")))


def train_shipped(folder: Path, seed: int) -> list[Path]:
    """Train the weights that ship and write them with their card: ``guardrails train descriptor``."""
    net = trained(seed).half().float()  # it ships in half precision: measure what is used
    descriptor = Descriptor("just trained", "", (SIDE, SIDE), runner(net))
    card = {
        "what": f"a network of five convolutions: {SIDE} × {SIDE} pixels to {WIDTH} numbers",
        "data": {
            "photographs": PHOTOGRAPHS, "crops of photographs": CROPS, "laws": LAWS, "fresh items of each law": FRESH,
            "never used": ["china", "flower", "vae-medical"],
        },
        "training": {"steps": STEPS, "pairs a step": PAIRS, "temperature": TEMPERATURE, "spread": SPREAD},
        "command": COMMAND,
        "seed": seed,
        "quality": quality(descriptor, seed),
    }  # fmt: skip
    return write_weights(net, card, folder)
