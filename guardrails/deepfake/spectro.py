"""Synthetic speech, detected by a small network over time and frequency."""

from __future__ import annotations

from .speech.base import AudioDetector, Model


class Spectro(AudioDetector):
    """Convolutions over log spectra with attention over time; after the idea of AASIST (arXiv 2110.01200)."""

    id = "deepfake.spectro"
    title = "Spectro-temporal network"
    limits = (
        "Recognizes vocoders similar to those in its training data: an unseen one of the library's own at an "
        "equal error rate of .06 [.01, .12], WORLD at .19 [.10, .29]. On neural speech of 62 systems it is no "
        "better than chance (AUC .55 [.48, .61]) and it fails its control with neural voices, so it ships without "
        "verdicts: fit or calibrate it on your own speech."
    )
    stem = "spectro"

    @staticmethod
    def model() -> type[Model]:
        from .speech.network import SpectroNet

        return SpectroNet
