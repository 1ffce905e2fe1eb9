"""`faceswap`: the classic deepfake, an autoencoder with one encoder and two decoders, and two blends without a network.

The model [1]_, [2]_. Two people, A and B. One encoder E for both, a decoder for each: D_A, D_B. A crop x of 64 × 64
pixels around a face of person P, bent by a random grid (`faceswap_learning.bend`), is to be made straight again::

    L = mean over P in {A, B} of  Σ w |x − D_P(E(bend x))| / Σ w,    w = 1 in the face's ellipse, 0.2 around it

The input of E is (x − μ_P) / σ_P, with mean and standard deviation of the person's colours over all lights. Without
this, a code cannot distinguish darker skin from a dimmer lamp, and a swap keeps the tone of the replaced person. E does
not know whose face it sees, so its code is what both have in common: pose, expression, light. Therefore D_B(E(x)) of a
crop of A is B in A's place. It is blended back into the picture with a soft mask (`generators.faceswap.face_blending`).

Sampling. `method` says how a forged face is made: *autoencoder* as above; *self-blend*, where a changed copy of the
picture is blended over itself [3]_, a forgery without a donor; *poisson*, where another person's picture is blended in
by gradients [4]_. `output` is a picture, or a video of 24 frames of which 8 to 16 consecutive ones are forged.

The dials. `forgery` is how crude the blending is: the edge of the mask, the colours, sharpness and position of the
layer, and the share of plain pasting in a Poisson blend; 0 leaves every face unmanipulated. `flicker` blends a person's
own face over itself and lets position and brightness jump from frame to frame: it only shows in videos. Blending is a
procedure and is not learnt, so a dose is a handful of constants (`DOSES`) with the same networks.

Training data: portraits of A and B (`generators.faceswap.portraits`), each new, each in eight batches with another
random bend; the training items are seen as often as any other.

Known limits: at 64 × 64 pixels and 0.3 million weights, freckles and teeth are blurred; there are only two people; the
elliptical mask also includes hair over the forehead; the video of a photograph is a camera that drifts over a still.

.. [1] The open-source "deepfakes/faceswap" (2017), the first public form of the idea.
.. [2] A. Rössler et al., "FaceForensics++: Learning to Detect Manipulated Facial Images", ICCV 2019, arXiv
   1901.08971.
.. [3] K. Shiohara and T. Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022, arXiv 2204.08376.
.. [4] P. Pérez, M. Gangnet and A. Blake, "Poisson Image Editing", SIGGRAPH 2003.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed

from .. import cards
from ..base import Dial, Generator, Item, Network, Property
from ..shipping import card, read_files, weights_bytes, write_files
from . import face_blending
from . import learning as faceswap_learning
from .face_blending import Blending
from .face_sources import RATE, FaceSource, Photographs, Portraits, Take
from .learning import CORPUS, SIDE, Recipe, fixed_portraits

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

CODE = 48
FRAMES = 24
LENGTHS = (8, 16)
"""How many frames of a video are forged."""
DOSES: dict[tuple[str, float], Blending] = {
    ("forgery", 0.25): Blending(1, hardness=0.0, mismatch=0.15, coarseness=0.15, astray=0.01, paste=0.15),
    ("forgery", 0.5): Blending(1, hardness=0.5, mismatch=0.5, coarseness=0.6, astray=0.02, paste=0.5),
    ("forgery", 1.0): Blending(1, hardness=1.0, mismatch=1.0, coarseness=1.5, astray=0.04, paste=1.0),
    ("flicker", 0.25): Blending(shake=0.0075, flash=0.01),
    ("flicker", 0.5): Blending(shake=0.015, flash=0.02),
    ("flicker", 1.0): Blending(shake=0.03, flash=0.04),
}


CLEAN = Recipe(steps=2500, rate=2e-3)


class FaceSwap(Network):
    """A shared encoder, two decoders (0.3 million weights) and the blending of a dose.

    Attributes
    ----------
    encoder, decoder_a, decoder_b : torch.nn.Sequential
    tone : torch.nn.Parameter
        (2, 2, 3): of A and of B, μ and σ of each colour in the face.
    blending : torch.nn.Parameter
        The values of a `Blending`: all that a dose changes.
    face_source : FaceSource
        Where untouched pictures come from.
    """

    name = "faceswap"
    family = "face swap"
    domain = "deepfakes"
    modality = "image"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial("forgery", "how crude the blending of a forged face is; 0 leaves faces untouched", (0.25, 0.5, 1.0)),
        Dial("flicker", "how far a face laid over itself jumps from frame to frame (videos alone)", (0.25, 0.5, 1.0)),
    )
    choices: ClassVar[tuple[Property, ...]] = (
        Property("method", "how a forged face is made", ("autoencoder", "self-blend", "poisson")),
        Property("output", "pictures, or videos of 24 frames", ("image", "video")),
    )
    citation = (
        "Rössler et al. 2019 (FaceForensics++); Shiohara & Yamasaki 2022 (self-blend); Pérez et al. 2003 (Poisson)"
    )
    rate = RATE

    def build(self) -> None:
        import torch
        from torch import nn

        self.face_source: FaceSource = Portraits()
        self.blending = nn.Parameter(torch.zeros(len(Blending().values())), requires_grad=False)
        self.tone = nn.Parameter(torch.tensor([0.5, 0.25])[None, :, None].repeat(2, 1, 3), requires_grad=False)
        self.encoder = nn.Sequential(  # (B, 3, 64, 64)
            *(nn.Conv2d(3, 16, 4, 2, 1), nn.SiLU()),  # (B, 16, 32, 32)
            *(nn.Conv2d(16, 32, 4, 2, 1), nn.SiLU()),  # (B, 32, 16, 16)
            *(nn.Conv2d(32, 48, 4, 2, 1), nn.SiLU()),  # (B, 48, 8, 8)
            *(nn.Conv2d(48, 48, 4, 2, 1), nn.SiLU()),  # (B, 48, 4, 4)
            *(nn.Flatten(), nn.Linear(768, CODE)),  # (B, 48): the code
            *(nn.Linear(CODE, 1024), nn.SiLU(), nn.Unflatten(1, (64, 4, 4))),
        )

        def decoder() -> nn.Sequential:
            return nn.Sequential(  # (B, 64, 4, 4)
                *(nn.ConvTranspose2d(64, 40, 4, 2, 1), nn.SiLU()),  # (B, 40, 8, 8)
                *(nn.ConvTranspose2d(40, 36, 4, 2, 1), nn.SiLU()),  # (B, 36, 16, 16)
                *(nn.ConvTranspose2d(36, 28, 4, 2, 1), nn.SiLU()),  # (B, 28, 32, 32)
                *(nn.Conv2d(28, 12, 3, 1, 1), nn.PixelShuffle(2), nn.Sigmoid()),  # (B, 3, 64, 64) in 0–1
            )

        self.decoder_a, self.decoder_b = decoder(), decoder()

    @property
    def parts(self) -> Mapping[str, torch.nn.Module | torch.nn.Parameter]:
        networks = {"encoder": self.encoder, "decoder_a": self.decoder_a, "decoder_b": self.decoder_b}
        return networks | {"tone": self.tone, "blending": self.blending}

    @property
    def crudeness(self) -> Blending:
        """The blending of this dose."""
        return Blending.of(self.blending.tolist())

    def decode(self, crops: torch.Tensor, of: str, who: str) -> torch.Tensor:
        """Return `who` (A or B) in pose, expression and light of crops `of` A or B: (B, 3, 64, 64) in 0–1, both."""
        mean, spread = self.tone["AB".index(of), :, :, None, None]
        out: torch.Tensor = {"A": self.decoder_a, "B": self.decoder_b}[who](self.encoder((crops - mean) / spread))
        return out

    def render(self, crop: NDArray[np.float32], of: str, who: str) -> NDArray[np.float32]:
        """As `decode`, for one crop (64, 64, 3) in 0–255."""
        import torch

        with torch.no_grad():
            made = self.decode(torch.from_numpy(crop / 255).permute(2, 0, 1)[None].float(), of, who)[0]
        return 255 * np.ascontiguousarray(made.permute(1, 2, 0).numpy())

    def draw(self, n: int, *, seed: int) -> list[Image]:
        return [self._item(seed, i).content for i in range(n)]

    def items(self, n: int, *, seed: int) -> list[Item]:
        """Return n outputs with their truth.

        Returns
        -------
        list of Item
            `mask` is 255 where a pixel was forged; `facts` are label (real or forged), method, identity and donor, box
            (x, y, width, height; for a video one a frame) and, for a video, frames: the numbers of the forged ones.
        """
        self.sample(min(n, 0), seed=seed)  # refuses a negative n
        return [self._item(seed, i) for i in range(n)]

    def _item(self, seed: int, i: int) -> Item:
        video, method = self.properties["output"] == "video", self.properties["method"]
        rng = np.random.default_rng(derive_seed(seed, self.name, i))
        take = self.face_source.take(rng, FRAMES if video else 1, method)
        length = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1)) if video else 1
        start = int(rng.integers(len(take.frames) - length + 1))
        content, mask = self.forge(take, method, slice(start, start + length), rng)
        forged = bool(mask.any())
        facts = {
            "label": "forged" if forged else "real",
            "method": method if forged else None,
            "identity": take.identity,
            "donor": (take.donor if self.crudeness.strength else take.identity) if forged else None,
            "box": [[round(v, 2) for v in face.box] for face in take.faces],
        }
        if not video:
            return Item(content[0], facts | {"box": facts["box"][0]}, mask[0])  # type: ignore[index]
        return Item(content, facts | {"frames": [t for t in range(len(mask)) if mask[t].any()]}, mask)

    def forge(self, take: Take, method: str, stretch: slice, rng: np.random.Generator) -> tuple[Image, Image]:
        """Lay faces into a stretch of a take, as crudely as the dose says.

        Parameters
        ----------
        take : Take
            What is seen, and what the method needs of a donor.
        method : str
            autoencoder, self-blend or poisson.
        stretch : slice
            The frames that are forged.
        rng : numpy.random.Generator
            Of where the layer goes astray, and of the mask's shape: the same in all frames.

        Returns
        -------
        content, mask : ndarray of uint8
            (T, H, W, 3) and (T, H, W): 255 where a pixel was forged.
        """
        crude = self.crudeness
        content = np.stack(take.frames)
        mask = np.zeros(content.shape[:3], np.uint8)
        frames = range(len(content))[stretch]
        wobble = rng.normal(0, 0.02, (2, 4))
        angle, kept = rng.uniform(0, 2 * np.pi), int(rng.integers(2**62))
        away = crude.astray * np.array([np.cos(angle), np.sin(angle)])
        shakes, flashes = (
            crude.shake * rng.standard_normal((len(frames), 2)),
            crude.flash * rng.standard_normal(len(frames)),
        )
        if not crude.strength and (not crude.shake or len(frames) < 2):
            return content, mask  # a single picture has no time to flicker in
        for k, t in enumerate(frames):
            target, face = take.frames[t].astype(np.float32), take.faces[t]
            hard = face_blending.hard_mask(target.shape, face, wobble)
            soft = face_blending.soften(hard, face.box[3], crude.hardness)
            if crude.strength:
                layer = self._layer(take, t, method, away, np.random.default_rng(kept))
                laid = face_blending.alpha_blend(layer, target, soft)
                if method == "poisson":
                    gradients = face_blending.poisson_blend(layer, target, hard)
                    laid = gradients + crude.paste * (laid - gradients)
            else:
                dx, dy = shakes[k] - shakes.mean(0)
                moved = face_blending.warp(target, face_blending.move(face, dx, dy), target.shape)
                laid = face_blending.alpha_blend(moved + 255 * (flashes[k] - flashes.mean()), target, soft)
            content[t] = np.round(np.clip(laid, 0, 255)).astype(np.uint8)
            mask[t] = 255 * (hard > 0)
        return content, mask

    def _layer(self, take: Take, t: int, method: str, away: NDArray[np.float64], rng: np.random.Generator) -> Any:
        """The face to lay into frame t: in its place, coarse and with its own colours as far as the dose says."""
        crude, face, target = self.crudeness, take.faces[t], take.frames[t].astype(np.float32)
        place = face_blending.to_crop(face, SIDE)
        if method == "self-blend":
            layer = face_blending.self_blend_layer(target, face, crude, rng)
        elif method == "autoencoder":
            crop = face_blending.warp(target, place, (SIDE, SIDE))
            layer = face_blending.warp(
                self.render(crop, take.identity, take.donor), face_blending.inverse(place), target.shape
            )
        else:
            theirs = face_blending.to_crop(take.donor_faces[t], SIDE)
            way = face_blending.chain(theirs, face_blending.inverse(place))
            layer = face_blending.warp(take.donor_frames[t], way, target.shape)
        layer = face_blending.warp(layer, face_blending.move(face, *away), target.shape)
        layer = face_blending.coarsen(layer, 1 + crude.coarseness)
        if method == "self-blend":
            return layer  # its colours are off by as much as the dose says already
        mask = face_blending.hard_mask(target.shape, face, np.zeros((2, 1)))
        matched = face_blending.match_colours(layer, target, mask)
        return matched + crude.mismatch * (layer - matched)

    def with_faces(
        self,
        folder: str | os.PathLike[str],
        *,
        boxes: str | os.PathLike[str] | None = None,
        model: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Return a copy that forges the user's photographs instead of procedural portraits.

        Parameters
        ----------
        folder : path
            Of photographs; those without a face are passed over.
        boxes, model : path, optional
            The user's boxes, or a YuNet model; default scikit-image's cascade. See `guardrails.kit.pictures.faces`.

        Raises
        ------
        ConfigurationError
            For the autoencoder, which knows procedural people alone, or a folder without a face.
        """
        if self.properties["method"] == "autoencoder":
            raise ConfigurationError(
                "faceswap's autoencoder knows its two procedural people alone; "
                "for photographs ask for method=self-blend or method=poisson"
            )
        out = copy.copy(self)
        out.face_source = Photographs(folder, boxes=boxes, model=model)
        return out

    @classmethod
    def load(cls, **settings: float | str) -> Self:
        out = super().load(**settings)
        out.modality = out.properties["output"]
        return out

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        from . import truth as faceswap_truth

        out = cls.begin(doses, seed=seed, base=base)
        if isinstance(base, cls) and any(out.doses.values()):
            ((dial, dose),) = [(dial, dose) for dial, dose in out.doses.items() if dose]
            out.blending.copy_(out.blending.new_tensor(DOSES[dial, dose].values()))
            kept = {key: base.card[key] for key in ("data", "seen", "quality", "stability")}  # of the same networks
        else:
            seen = [0] * CORPUS
            stability = faceswap_learning.learn(out, CLEAN, seen, seed=seed)
            out.round()
            made = CLEAN.steps * 2 * CLEAN.batch // CLEAN.repeats
            kept = {
                "data": f"about {made} procedural portraits of two people (generators/faceswap/portraits.py), each in"
                f" {CLEAN.repeats} batches, the {CORPUS} training items among them",
                "seen": seen,
                "quality": faceswap_truth.quality(out),
                "stability": stability,
            }
        out.round()
        return out.seal(
            seed=seed,
            sheet=cards.data_sheet(out.training_items(), balance={"A": CORPUS // 2, "B": CORPUS // 2}),
            blending=dict(zip(Blending.__dataclass_fields__, out.crudeness.values(), strict=True)),
            truth=faceswap_truth.truths(out),
            **kept,
        )

    def _shipped(self) -> dict[str, torch.Tensor]:
        """What is in this dose's file: all tensors, or for a dose its blending alone."""
        return {"blending": self.blending} if any(self.doses.values()) else self.state()

    def seal(self, *, seed: int, **findings: Any) -> Self:
        self._card = card(self, weights_bytes(self._shipped()), seed=seed, **(self._card | findings))
        return self

    def save(self, folder: Path) -> list[Path]:
        """Write the card and the weights; a dose's file holds its blending, the networks are in the clean one."""
        return write_files(folder, self, weights_bytes(self._shipped()))

    @classmethod
    def read(cls, folder: Path, **doses: float) -> Self:
        """Read one dose from a folder that `save` wrote the clean weights and the dose to."""
        out = cls(doses)
        tensors, out._card = read_files(folder, cls.name, {})
        if any(out.doses.values()):
            clean, (dosed, out._card) = out._card["sha256"], read_files(folder, cls.name, out.doses)
            if out._card["base_sha256"] != clean:
                raise ConfigurationError(f"{cls.name}, {doses}: it was made for other clean weights than those here")
            tensors |= dosed
        out.set_state(tensors)
        return out

    def training_items(self) -> list[Image]:
        """Return 100 untouched portraits of A, then 100 of B, which the networks saw as they saw all others."""
        return [portrait.image for portrait in fixed_portraits("training")]

    def holdout_items(self) -> list[Image]:
        """Return as many of the same people that they never saw."""
        return [portrait.image for portrait in fixed_portraits("holdout")]

    def reference_items(self, n: int, *, seed: int) -> list[Image]:
        """Return n fresh untouched pictures, or videos, from the distribution of the outputs."""
        frames = FRAMES if self.properties["output"] == "video" else 1
        out = []
        for i in range(n):
            rng = np.random.default_rng(derive_seed(seed, self.name, "reference", i))
            shots = self.face_source.take(rng, frames, self.properties["method"]).frames
            out.append(np.stack(shots) if frames > 1 else shots[0])
        return out
