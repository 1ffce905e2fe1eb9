"""Reconstructions differ from their patches in nothing but what an upsampling leaves."""

import numpy as np
import pytest
from skimage import data

from guardrails.training.material.reconstructed_pictures import SIDE, patches, ways


@pytest.mark.slow
def test_each_way_gives_back_the_patch_almost():
    cut = patches(data.astronaut(), 6, seed=0)
    assert all(patch.shape == (SIDE, SIDE, 3) for patch in cut)
    for name, rebuild in ways(cut, seed=0, steps=30).items():
        made = rebuild(cut)
        assert [x.shape for x in made] == [x.shape for x in cut]
        error = np.mean([np.abs(a.astype(float) - b).mean() for a, b in zip(made, cut, strict=True)])
        assert 0 < error < (70 if name == "autoencoder" else 25)


def test_grey_stays_grey_and_a_small_picture_has_no_patches():
    grey = np.repeat(data.camera()[..., None], 3, axis=2)
    cut = patches(grey, 2, seed=1)
    for rebuild in ways(cut, seed=0, steps=2).values():
        assert all((x == x[..., :1]).all() for x in rebuild(cut))
    assert patches(np.zeros((SIDE - 1, 500, 3), np.uint8), 3, seed=0) == []
