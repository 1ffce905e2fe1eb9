"""Synthetic speech by the cepstra of its frames."""

from __future__ import annotations

from .speech.base import AudioDetector, Model


class Lfcc(AudioDetector):
    """Linear-frequency cepstra and two Gaussian mixtures (the baseline of ASVspoof 2021, arXiv 2109.00537).

    The score is the mean over loud frames of log p(x | synthetic) − log p(x | real), with 64 diagonal Gaussians each.
    """

    id = "deepfake.lfcc"
    title = "LFCC-GMM"
    limits = (
        "Knows synthesizers like those that it learnt from; on another one it may say nothing or point the wrong way."
        " It does not tell vocoded speech from real speech of the same speaker over the same channel: see its card."
        " It ships without verdicts: on neural speech it is no better than chance (AUC .53 [.45, .60])."
        " Telephone codecs and noise hide what it listens for."
    )
    stem = "lfcc"

    @staticmethod
    def model() -> type[Model]:
        from .speech.gaussian_mixtures import MixturePair

        return MixturePair
