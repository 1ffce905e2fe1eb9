"""Pictures with altered copies of given ones among them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError, TargetError
from ...core.seeding import derive_seed
from ...core.targets import ImageTarget
from ...kit.io import opened_picture, read_image, resize
from ...kit.pictures.folder import ImageFolder
from ._spiked import SpikedOutputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]


class SpikedImages(SpikedOutputs[ImageTarget]):
    """A maker or folder of pictures in which pictures are slightly altered copies of given ones.

    A copy takes the size of the picture that it replaces, and is grey where that is. In a folder it is written as the
    file was, with its orientation, and read as that is. A maker is asked for one picture only, and all its pictures are
    taken to be of that form.

    Parameters
    ----------
    target : ImageTarget
        The user's.
    copies : sequence of arrays, (H, W, 3) or (H, W) uint8
        What is copied.
    places : sequence of int, optional
        Which of them are copied, once each, in place of the target's first pictures; the others are its own. Default:
        every picture is a copy, in an order drawn by the seeds, again from its start where there are too few.
    seed : int
        Of the spike, beside that of each sampling.
    """

    def __init__(
        self, target: ImageTarget, copies: Sequence[Image], *, places: Sequence[int] | None = None, seed: int = 0
    ) -> None:
        if len(copies) == 0:
            raise ConfigurationError("a spike of pictures needs at least one picture to copy")
        super().__init__(target, f"{len(copies)} pictures, seed {seed}")
        self.copies = copies
        self._places, self._seed = places, seed

    def sample_images(self, n: int, *, seed: int) -> Sequence[Image]:
        """Return n pictures: copies with noise, another brightness, a shift by a pixel or JPEG in turn."""
        if self.available is not None and n > self.available:
            raise TargetError(f"{self.name}: {n} pictures are needed and {self.available} are there")
        drawn = derive_seed(self._seed, "spiked images", seed)
        places = self._places
        if places is None:
            order = np.random.default_rng(drawn).permutation(len(self.copies)).tolist()
            places = [order[i % len(order)] for i in range(n)]
        asked = 1 if self.available is None and len(places) >= n else n
        forms = self.target.sample_images(asked, seed=seed)

        def picture(i: int) -> Image:
            form = forms[i % asked]
            if i >= len(places):
                return np.asarray(form)
            alter = _ALTERATIONS[i % len(_ALTERATIONS)]
            copy = _in_form(alter(self.copies[places[i]], np.random.default_rng([drawn, i])), form)
            return _as_file(copy, forms.folder / forms.names[i]) if isinstance(forms, ImageFolder) else copy

        return _Lazily(picture, range(n))


class _Lazily(Sequence[Any]):
    """Pictures that are made when they are looked at, as those of a folder are read."""

    def __init__(self, make: Callable[[int], Image], places: Sequence[int]) -> None:
        self._make, self._places = make, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return _Lazily(self._make, self._places[place])
        return self._make(self._places[place])


def _in_form(image: Image, form: Image) -> Image:
    """Return a picture in the size of another, (H, W) or (H, W, 3) as that is, and grey where it is."""
    if image.shape[:2] != form.shape[:2]:
        image = resize(np.ascontiguousarray(image), form.shape[:2])
    colours = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    if form.ndim == 2 or (form == form[..., :1]).all():
        grey = _to_uint8(colours @ np.array([0.299, 0.587, 0.114]))
        return grey if form.ndim == 2 else np.repeat(grey[..., None], 3, axis=2)
    return colours


def _as_file(image: Image, path: Path) -> Image:
    """Return a picture as it is read from a file of the format and orientation of another, where that can be written.

    What is stored is turned by Pillow's own account of the orientation, which the reading has no part in.
    """
    from PIL import Image as Pillow

    with opened_picture(path) as original:
        kind, turned = original.format or "PNG", original.getexif().get(_ORIENTATION, 1)
    stored, exif = Pillow.fromarray(image), Pillow.Exif()
    if turned in _BACK:
        stored, exif[_ORIENTATION] = stored.transpose(Pillow.Transpose[_BACK[turned]]), turned
    with TemporaryDirectory() as folder:
        written = Path(folder) / f"planted{path.suffix}"
        try:
            stored.save(written, kind, exif=exif, quality=95)
        except (OSError, KeyError):  # a format that Pillow only reads
            return image
        return read_image(written)


_ORIENTATION = 0x0112
_BACK = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_90",
    7: "TRANSVERSE",
    8: "ROTATE_270",
}
"""By the value of EXIF's orientation, how an upright picture is stored."""


def _noise(image: Image, random: np.random.Generator) -> Image:
    return _to_uint8(image + random.normal(0, 4, image.shape))


def _brightness(image: Image, random: np.random.Generator) -> Image:
    return _to_uint8(image * random.choice([0.92, 1.08]))


def _shift(image: Image, random: np.random.Generator) -> Image:
    axis, step = int(random.integers(2)), int(random.choice([-1, 1]))
    padded = np.pad(image, [(1, 1) if a == axis else (0, 0) for a in range(image.ndim)], mode="edge")
    return np.take(padded, np.arange(1, image.shape[axis] + 1) + step, axis=axis)


def _jpeg(image: Image, random: np.random.Generator) -> Image:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=int(random.integers(75, 91)))
    return np.asarray(Pillow.open(buffer).convert("L" if image.ndim == 2 else "RGB"), dtype=np.uint8)


_ALTERATIONS = (_noise, _brightness, _shift, _jpeg)


def _to_uint8(image: NDArray[np.float64]) -> Image:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
