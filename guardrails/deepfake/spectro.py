"""Synthetic speech by a small network over time and frequency."""

from __future__ import annotations

from pathlib import Path

from ._audio import AudioDetector, Model


class Spectro(AudioDetector):
    """Convolutions over log spectra with attention over time; after the idea of AASIST (arXiv 2110.01200)."""

    id = "deepfake.spectro"
    title = "Spectro-temporal network"
    limits = (
        "Knows vocoders like those that it learnt from: an unseen one of the library's own at an equal error rate of"
        " .10 [.02, .19], phases by Griffin and Lim at .30; some neural voices get past it, and seconds of a clean"
        " reading by a person can be called synthetic: see its card."
    )
    stem = "spectro"

    @staticmethod
    def model() -> type[Model]:
        from ._spectro_net import SpectroNet

        return SpectroNet


def train_shipped(folder: Path, seed: int = 0) -> list[Path]:
    """Train the weights that ship into a folder: a few minutes on one core."""
    from ._train_audio import train_shipped as train

    return train(Spectro, folder, seed)
