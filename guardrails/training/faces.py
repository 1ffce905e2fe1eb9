"""How the weights of `deepfake.face` are made, and what they are worth on swaps that they never learnt from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.seeding import derive_seed, derive_seed32
from ..deepfake.face import FaceManipulation, described
from ..deepfake.faces.network import COMMAND, PLACES, FaceNet, crop, network, write_net
from ..deepfake.images.fitted_head import Fitted, write
from ..deepfake.images.kinds import Scope
from ..kit.io import read_image, resize
from ..kit.pictures.faces import Face, find_faces
from .exams.faces import exam, overlap
from .material.photographs import photographs
from .material.self_blending import BLENDED, QUALITIES, altered, jpeg, self_blended

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

PORTRAITS = "faceswap,method=self-blend"
"""Whose untouched portraits are learnt from: everyone in them is seen once."""
BASIS = "cross-fitted on self-blended portraits and photographs"
SCOPE = Scope(
    frozenset(),
    "its calibration and its control are drawn portraits; on 19 real swaps of four tools it was no better than chance",
)
STEPS, PAIRS = 900, 16
PEOPLE, OTHERS, PLACED = 1200, 300, 30
"""Portraits for the network and for the head, and places of a photograph for the head."""
LEARN = (
    "astronaut", "coffee", "rocket", "chelsea", "motorcycle", "retina", "immunohistochemistry", "camera", "brick",
    "gravel",
)  # fmt: skip
KEEP = ("moon", "coins", "hubble_deep_field", "clock", "grass")
"""scikit-image's photographs for the network and for the head."""
FOLDER = "GUARDRAILS_PHOTOGRAPHS"
"""Names folders with photographs and a manifest, separated as in PATH: `scripts/fetch_photographs.py` makes one.
Without it, scikit-image's photographs are all."""
LARGEST = 1024
"""Longer side of a photograph, in pixels."""
HEIGHTS = (40, 160)
"""Of a face, in pixels, in what is learnt from."""


@dataclass(frozen=True)
class Base:
    """A picture to blend into; without a face, any place in it will do for one."""

    image: Image
    face: Face | None
    source: str


def portraits(n: int, *, seed: int) -> list[Base]:
    """Return procedural portraits, each of someone else, in which the cascade finds a face."""
    from ..targets.reference import load

    out = []
    for item in load(PORTRAITS).generator.items(n, seed=seed):
        faces = find_faces(item.content)
        if faces:
            out.append(Base(item.content, faces[0], f"person {item.facts['identity']}"))
    return out


def placed(base: Base, rng: np.random.Generator) -> tuple[Image, Face]:
    """Return a part of a picture around a face, or around any place, at a drawn size, and the face in it."""
    image, face = base.image, base.face
    if face is None:
        height = float(np.exp(rng.uniform(np.log(40), np.log(max(41, 0.6 * min(image.shape[:2]))))))
        left, top = (rng.uniform(0, max(1, length - height)) for length in image.shape[1::-1])
        face = Face((left, top, height, height))
    x, y, w, h = face.box
    room = rng.uniform(0.55, 0.9)
    left, top = max(0, int(x - room * w)), max(0, int(y - room * h))
    part = image[top : int(y + h + (room + 0.2) * h), left : int(x + w + room * w)]
    x, y = x - left, y - top
    wanted = float(np.exp(rng.uniform(*np.log(HEIGHTS))))
    if h > wanted:
        scale = wanted / h
        size = max(8, round(part.shape[0] * scale)), max(8, round(part.shape[1] * scale))
        part = resize(np.ascontiguousarray(part), size)
        x, y, w, h = x * scale, y * scale, w * scale, h * scale
    if rng.random() < 0.5:
        part, x = part[:, ::-1], part.shape[1] - x - w
    return np.ascontiguousarray(part), Face((x, y, w, h))


def pair(base: Base, rng: np.random.Generator) -> tuple[tuple[Image, Image], Face, Image]:
    """Return a real and a forged picture, each saved in its own way, the face in both, and the soft mask in 0–255."""
    image, face = placed(base, rng)
    if rng.random() < 0.3:
        image = np.round(np.clip(altered(image.astype(np.float32), rng), 0, 255)).astype(np.uint8)
    forged, mask = self_blended(image, face, rng)
    return (saved(image, rng), saved(forged, rng)), face, np.repeat((255 * mask).astype(np.uint8)[..., None], 3, axis=2)


def saved(image: Image, rng: np.random.Generator) -> Image:
    """Return a picture as a file of it might read: most JPEG of quality 40 to 100, a quarter smaller before."""
    if rng.random() < 0.25:
        height, width = image.shape[:2]
        factor = rng.uniform(0.5, 1)
        image = resize(image, (max(8, round(height * factor)), max(8, round(width * factor))))
    return jpeg(image, int(rng.integers(*QUALITIES, endpoint=True))) if rng.random() < 0.6 else image


def scaled(face: Face, image: Image, before: tuple[int, ...]) -> Face:
    """Return a face in a picture that was made smaller."""
    x, y, w, h = face.box
    down, across = image.shape[0] / before[0], image.shape[1] / before[1]
    return Face((x * across, y * down, w * across, h * down))


def batch(bases: Sequence[Base], rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
    """Return 2 N crops, real ones first, and regions and borders of the forged, (N, 2, PLACES, PLACES)."""
    real: list[Image] = []
    forged: list[Image] = []
    masks: list[Image] = []
    for base in bases:
        pictures, face, mask = pair(base, rng)
        x, y, w, h = face.box
        dx, dy = rng.normal(0, 0.04, 2)
        grown = float(np.exp(rng.normal(0, 0.06)))
        shaken = Face((x + w / 2 + dx * h - w * grown / 2, y + h / 2 + dy * h - h * grown / 2, w * grown, h * grown))
        for picture, side in zip(pictures, (real, forged), strict=True):
            side.append(crop(picture, scaled(shaken, picture, mask.shape)))
        soft = mask.astype(np.float32) / 255
        truth = 255 * np.stack([soft[..., 0] > BLENDED, 4 * soft[..., 0] * (1 - soft[..., 0]), soft[..., 0]], axis=2)
        masks.append(crop(truth.astype(np.uint8), shaken, PLACES)[..., :2].transpose(2, 0, 1))
    return np.stack(real + forged), np.stack(masks).astype(np.float32) / np.float32(255)


def fit_net(groups: Sequence[Sequence[Base]], *, seed: int, steps: int = STEPS, report: Any = None) -> FaceNet:
    """Train the network on pairs drawn evenly from groups of pictures."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as loss_of

    from ..kit.training import cosine, train

    torch.manual_seed(derive_seed32(seed, "face network"))
    net = network().train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-3)
    rng = np.random.default_rng(derive_seed(seed, "face pairs"))
    shares: list[NDArray[np.float32]] = []

    def step(i: int) -> dict[str, float]:
        chosen = [group[int(rng.integers(len(group)))] for group in (groups[k % len(groups)] for k in range(PAIRS))]
        crops, masks = batch(chosen, rng)
        shares.append(masks.mean((0, 2, 3)) / 2)
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        places = torch.cat([torch.zeros(masks.shape), torch.from_numpy(masks)])
        labels = torch.repeat_interleave(torch.tensor([0.0, 1.0]), PAIRS)
        for parameters in optimiser.param_groups:
            parameters["lr"] = 3e-3 * cosine(i, steps=steps, warmup=40)
        logits, face = net(x.to(memory_format=torch.channels_last))
        loss = loss_of(logits, places) + 0.5 * loss_of(face, labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        right = ((face > 0) == (labels > 0)).float().mean()
        return {"loss": loss.item(), "right": right.item()}

    train(step, steps=steps, seed=derive_seed32(seed, "face steps"), report=report)
    of_places, of_borders = np.mean(shares, axis=0).tolist()
    return FaceNet(net, (of_places, of_borders))


def shipped_photographs(names: Sequence[str]) -> list[Base]:
    """Return scikit-image's photographs; faces are blended in anywhere."""
    from skimage import data

    out = []
    for name in names:
        pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        pixels = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
        out.append(Base(np.ascontiguousarray(pixels), None, name))
    return out


def fetched_photographs() -> list[list[Base]]:
    """Return those of the folders `FOLDER` names, by the source they come from: once as a whole, once for each face."""
    folders = [name for name in os.environ.get(FOLDER, "").split(os.pathsep) if name]
    packages: dict[str, list[Base]] = {}
    for photograph in chain.from_iterable(map(photographs, folders)):
        image = read_image(photograph.path)
        height, width = image.shape[:2]
        if max(height, width) > LARGEST:
            scale = LARGEST / max(height, width)
            image = resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))
        whole = Base(image, None, f"{photograph.source}/{photograph.name}")
        faces = [replace(whole, face=face) for face in find_faces(image) if min(face.box[2:]) >= HEIGHTS[0]]
        if min(image.shape[:2]) >= 2 * HEIGHTS[0]:
            packages.setdefault(photograph.source, []).extend([whole, *faces])
    return [packages[name] for name in sorted(packages)]


@dataclass(frozen=True)
class Described:
    """Pairs of real and forged faces that the network has not seen, described for the head."""

    blocks: dict[str, NDArray[np.float64]]
    labels: NDArray[np.int64]
    sources: list[str]
    groups: list[str]
    places: NDArray[np.float32]
    masks: NDArray[np.bool_]
    """Of the forged ones alone: (N, PLACES, PLACES) both."""


def describe(bases: Sequence[Base], net: FaceNet, *, seed: int) -> Described:
    """Make a pair of each picture and describe both."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, NDArray[np.float64]]] = []
    labels: list[int] = []
    names: list[str] = []
    groups: list[str] = []
    places: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []
    for base in bases:
        pictures, face, mask = pair(base, rng)
        person = base.source.startswith("person ")
        package = base.source.split("/", maxsplit=1)[0]
        for label, picture in enumerate(pictures):
            traits, heat = described(picture, [scaled(face, picture, mask.shape)], net)
            rows.append(traits)
            labels.append(label)
            names.append(base.source if person else package)
            groups.append("portraits" if person else package)
        places.append(heat[0])
        masks.append(crop(mask, face, PLACES)[..., 0] > 255 * BLENDED)
    blocks = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    return Described(blocks, np.array(labels), names, groups, np.stack(places), np.stack(masks))


def train_shipped(folder: Path, seed: int = 0) -> list[Path]:
    """Train network and head, test both on other people and methods, and write weights and card: twelve minutes."""
    people = portraits(PEOPLE, seed=derive_seed32(seed, "people"))
    fetched = fetched_photographs()
    photos = [*shipped_photographs(LEARN), *(base for k, part in enumerate(fetched) if k % 3 for base in part)]
    net = fit_net([people, photos], seed=seed)
    path, sha256 = write_net(net, folder)
    net = FaceNet(net.net.half().float(), net.shares)  # as it will be read
    others = portraits(OTHERS, seed=derive_seed32(seed, "others"))
    kept = [*shipped_photographs(KEEP) * PLACED, *(base for part in fetched[::3] for base in part), *others]
    faces = describe(kept, net, seed=derive_seed32(seed, "head"))
    fitted = Fitted.fit(faces.blocks, faces.labels, faces.sources, groups=faces.groups, basis=BASIS)
    cuts = np.arange(-2, 5, 0.25)
    threshold = float(max(cuts, key=lambda cut: _mean_overlap(faces, cut)))
    card: dict[str, Any] = {
        "what": "faces laid into pictures: a network of 148,355 weights and a linear head on 47 numbers",
        "command": COMMAND,
        "seed": seed,
        "net_sha256": sha256,
        "learnt_from": {
            "network": _listed(people, photos),
            "head_and_calibration": _listed(others, kept[: -len(others)]),
            "forgeries": "self-blended copies of all of them (guardrails/training/material/self_blending.py)",
        },
        "place_threshold": threshold,
        "place_threshold_is": "log-likelihood ratio of a place; largest mean IoU on what the head was fitted to",
        "figures": exam(FaceManipulation.of(net, fitted), threshold, seed=derive_seed32(seed, "exam")),
    }
    return [path, *write({FaceManipulation.id: replace(fitted, scope=SCOPE)}, card, folder, "face")]


def _mean_overlap(faces: Described, cut: float) -> float:
    return float(np.mean([overlap(p, m, cut) for p, m in zip(faces.places, faces.masks, strict=True)]))


def _listed(people: Sequence[Base], others: Sequence[Base]) -> dict[str, Any]:
    names = sorted({base.source for base in others})
    return {
        f"untouched portraits of reference:{PORTRAITS}": len(people),
        "photographs": len(names),
        "of them": sorted({name.split("/", maxsplit=1)[0] for name in names}),
        "faces in them": len({(base.source, base.face.box) for base in others if base.face is not None}),
    }
