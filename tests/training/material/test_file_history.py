"""Estimates of what happened to a picture: each tells what it is for, on pictures made for it."""

import numpy as np
import pytest
from skimage import data

from guardrails.training.material.file_history import QUALITIES, history, noise
from guardrails.training.material.histories import resized, saved

GHOSTS = len(QUALITIES)


@pytest.fixture(scope="module")
def photograph():
    return np.ascontiguousarray(data.astronaut()[64:448, 64:448])


@pytest.mark.parametrize("size", [(1, 1), (7, 200), (65, 64), (500, 390)])
def test_any_size_has_finite_numbers_of_the_same_length(size, photograph):
    image = resized(photograph, size, "BILINEAR")
    for describe, like in ((history, history(photograph)), (noise, noise(photograph))):
        vector = describe(image)
        assert vector.shape == like.shape
        assert np.isfinite(vector).all()


def test_a_flat_picture_has_finite_numbers():
    flat = np.full((96, 96, 3), 128, dtype=np.uint8)
    assert np.isfinite(history(flat)).all()
    assert np.isfinite(noise(flat)).all()


def test_the_error_of_another_jpeg_is_least_at_the_quality_it_had(photograph):
    for place, quality in ((1, 70), (3, 90)):
        once = history(saved(photograph, "JPEG", quality))[:GHOSTS]
        plain = history(photograph)[:GHOSTS]
        assert np.argmin(once - plain) == place


def test_the_grid_of_a_jpeg_shows_and_a_cut_moves_it(photograph):
    grid = slice(2 * GHOSTS + 1, 2 * GHOSTS + 7)
    coarse = saved(photograph, "JPEG", 40)
    at_edge = history(coarse)[grid][2]
    assert at_edge > history(photograph)[grid][2] + 0.1
    assert at_edge > history(np.ascontiguousarray(coarse[3:, 3:]))[grid][2] + 0.1


def test_enlarged_pictures_have_a_period_and_little_energy_above(photograph):
    larger = resized(photograph[:256, :256], (384, 384), "BILINEAR")
    periods, bands = slice(2 * GHOSTS + 7, 2 * GHOSTS + 11), slice(2 * GHOSTS + 11, None)
    assert history(larger)[periods][0] > history(photograph)[periods][0] + 0.5
    assert abs(history(larger)[periods][1] - 1 / 3) < 0.02
    assert history(larger)[bands][-1] < history(photograph)[bands][-1] - 0.5


def test_noise_that_grows_with_the_light_is_told_from_noise_that_does_not():
    rng = np.random.default_rng(0)
    light = np.repeat(np.repeat(np.linspace(20, 230, 48)[None], 48, axis=0), 8, axis=0).repeat(8, axis=1)[..., None]
    grows = light + rng.normal(size=(384, 384, 3)) * np.sqrt(light) / 2
    same = light + rng.normal(size=(384, 384, 3)) * 5
    levels = slice(-5 - 6, -5)
    slopes = [np.diff(noise(np.clip(x, 0, 255).astype(np.uint8))[levels][[0, 5]])[0] for x in (grows, same)]
    assert slopes[0] > 0.25
    assert abs(slopes[1]) < 0.1


def test_smoothed_noise_is_alike_its_neighbours():
    rng = np.random.default_rng(0)
    white = np.clip(128 + 10 * rng.normal(size=(256, 256, 3)), 0, 255).astype(np.uint8)
    smooth = resized(np.ascontiguousarray(white[:128, :128]), (256, 256), "BICUBIC")
    assert noise(smooth)[3] > noise(white)[3] + 0.2
