"""What is true of `faceswap`'s outputs: how visible a forgery is, how it flickers, and how good its parts are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.seeding import derive_seed

from .. import cards
from . import face_blending
from .face_sources import PERSONS, Portraits, person
from .learning import SIDE, crop_of, crop_weights
from .portraits import draw_state, paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cards import Figure
    from .model import FaceSwap

METHODS = ("autoencoder", "self-blend", "poisson")
TAKES = 100
"""Of each method, for a truth."""
STILL = 12
"""Frames of the videos in which nothing moves but what is laid in."""
STATES = 200
"""Held-out states, for quality."""
FACES = 200
PAIRS = 60
BARS = {"psnr": 22.0, "over_mean_face": 6.0, "ssim": 0.75, "transfer": 0.95, "poisson_seam": 0.6, "faces_found": 0.8}


def truths(model: FaceSwap) -> dict[str, Figure]:
    """Return the figures of both dials, each over all three methods; the same takes for every dose."""
    changes, flickers = np.zeros((len(METHODS), TAKES)), np.zeros((len(METHODS), TAKES))
    for row, method in enumerate(METHODS):
        for i in range(TAKES):
            rng = np.random.default_rng(derive_seed(0, model.name, "truth", method, i))
            take = Portraits().take(rng, 1, method)
            out, mask = model.forge(take, method, slice(0, 1), rng)
            changes[row, i] = change(out, take.frames, mask)
            if not model.crudeness.strength:  # what is laid in steadily does not move in a video where nothing does
                still = take.still(STILL)
                flickers[row, i] = flicker(*model.forge(still, method, slice(0, STILL), rng), still.frames)
    return {
        "forgery": cards.mean(
            changes.ravel(),
            "mean absolute change of a picture inside the forged mask, in levels (0-255); 0 where nothing is forged",
        )
        | {"methods": dict(zip(METHODS, changes.mean(1).round(3).tolist(), strict=True))},
        "flicker": cards.mean(
            flickers.ravel(),
            f"mean absolute step of that change from frame to frame, in levels, in videos of {STILL} frames in which"
            " head and grain hold still; 0 where what is laid in holds still too",
        )
        | {"methods": dict(zip(METHODS, flickers.mean(1).round(3).tolist(), strict=True))},
    }


def change(out: NDArray[np.uint8], untouched: Any, mask: NDArray[np.uint8]) -> float:
    """Return the mean absolute change inside the mask, in levels; 0 for an empty mask."""
    difference = np.abs(out.astype(np.float64) - np.asarray(untouched)).mean(-1)
    return float(difference[mask > 0].mean()) if mask.any() else 0.0


def flicker(out: NDArray[np.uint8], mask: NDArray[np.uint8], untouched: Any) -> float:
    """Return how much the change differs from that of the frame before, in levels, where either frame is forged."""
    step = np.abs(np.diff(out.astype(np.float64) - np.asarray(untouched), axis=0)).mean(-1)
    either = (mask[1:] > 0) | (mask[:-1] > 0)
    return float(step[either].mean()) if either.any() else 0.0


def quality(model: FaceSwap) -> dict[str, Figure]:
    """Return how good portraits, networks (on held-out states) and Poisson blending are, each beside its bar."""
    return _networks(model) | {
        "poisson_seam": cards.with_bar(
            cards.mean(
                _seams(),
                "step of the change across the mask's border: Poisson blending over plain paste of the same layer",
            ),
            BARS["poisson_seam"],
            higher_is_better=False,
        ),
        "faces_found": cards.with_bar(
            cards.rate(
                _found(),
                FACES,
                "portraits of new people, twice enlarged, in which scikit-image's cascade, made"
                " for photographs, finds a face whose middle is in the true box",
            ),
            BARS["faces_found"],
        ),
    }


def _networks(model: FaceSwap) -> dict[str, Figure]:
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(derive_seed(0, model.name, "held out"))
    states = [draw_state(rng) for _ in range(STATES)]
    crops = {who: np.stack([crop_of(paint(person(who), replace(s, noise=0.0))) for s in states]) for who in PERSONS}
    inside = crop_weights() == 1
    psnr, over, ssim, nearer = [], [], [], []
    for who, other in zip("AB", "BA", strict=True):
        truth, mean_face = crops[who].astype(np.float64), crops[who].mean(0)
        for k in range(STATES):
            x = crops[who][k].astype(np.float32)
            back, swapped = model.render(x, who, who), model.render(x, who, other)
            psnr.append(_psnr(back, truth[k], inside))
            over.append(psnr[-1] - _psnr(mean_face, truth[k], inside))
            similar = structural_similarity(
                back.astype(np.float64), truth[k], channel_axis=2, data_range=255, full=True
            )
            ssim.append(float(similar[1].mean(-1)[inside].mean()))
            donor = crops[other][k].astype(np.float64)
            nearer.append(np.abs(swapped - donor)[inside].mean() < np.abs(swapped - truth[k])[inside].mean())
    held = f"of {STATES} held-out states of each person, in the face's ellipse"
    return {
        "psnr": cards.with_bar(cards.mean(psnr, f"PSNR of D_P(E(x)) {held}, dB"), BARS["psnr"]),
        "over_mean_face": cards.with_bar(
            cards.mean(over, f"by how much that PSNR exceeds the mean face's, {held}, dB"), BARS["over_mean_face"]
        ),
        "ssim": cards.with_bar(cards.mean(ssim, f"SSIM of D_P(E(x)) {held}"), BARS["ssim"]),
        "transfer": cards.with_bar(
            cards.rate(
                sum(map(int, nearer)),
                len(nearer),
                "swapped faces nearer (mean absolute difference) to the donor"
                " painted in the very same state than to the person whose crop was swapped",
            ),
            BARS["transfer"],
        ),
    }


def _psnr(made: Any, truth: Any, inside: NDArray[np.bool_]) -> float:
    return float(10 * np.log10(255**2 / np.square(np.asarray(made, np.float64) - truth)[inside].mean()))


def _seams() -> list[float]:
    """Of pairs of portraits: the seam of a Poisson swap over that of a plain paste."""
    out = []
    for i in range(PAIRS):
        take = Portraits().take(np.random.default_rng(derive_seed(0, "faceswap", "seam", i)), 1, "poisson")
        target, face = take.frames[0].astype(np.float32), take.faces[0]
        place = face_blending.inverse(face_blending.to_crop(face, SIDE))
        way = face_blending.chain(face_blending.to_crop(take.donor_faces[0], SIDE), place)
        layer = face_blending.warp(take.donor_frames[0], way, target.shape)
        mask = face_blending.hard_mask(target.shape, face, np.zeros((2, 1)))
        made = face_blending.poisson_blend(layer, target, mask), face_blending.alpha_blend(layer, target, mask)
        smooth, plain = (face_blending.seam(m, target, mask) for m in made)
        out.append(smooth / plain)
    return out


def _found() -> int:
    from guardrails.kit.pictures.faces import find_faces

    count = 0
    for i in range(FACES):
        take = Portraits().take(np.random.default_rng(derive_seed(0, "faceswap", "found", i)), 1, "self-blend")
        x, y, width, height = take.faces[0].box
        for face in find_faces(np.kron(take.frames[0], np.ones((2, 2, 1), np.uint8))):
            fx, fy, fw, fh = face.box
            if x < (fx + fw / 2) / 2 < x + width and y < (fy + fh / 2) / 2 < y + height:
                count += 1
                break
    return count
