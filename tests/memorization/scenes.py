"""Pictures for the tests of probes of pictures, and what every target that makes them has."""

import numpy as np

from guardrails.core.targets import Access, Modality


def scene(rng, size=24):
    """Three soft blobs of random place, width and colour."""
    y, x = np.mgrid[0:size, 0:size] / size
    picture = np.full((size, size, 3), 0.2)
    for _ in range(3):
        cx, cy, r = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3)
        picture += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r * r))[..., None] * rng.uniform(-0.3, 0.7, 3)
    return noisy(picture, rng)


def noisy(picture, rng, scale=0.02):
    return np.round(np.clip(picture + rng.normal(0, scale, picture.shape), 0, 1) * 255).astype(np.uint8)


def scenes(n, seed):
    rng = np.random.default_rng(seed)
    return [scene(rng) for _ in range(n)]


class Images:
    """A target of pictures; a test says which it makes."""

    name = "fake"
    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def identity(self):
        return {}
