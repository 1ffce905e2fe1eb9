"""Synthetic speech, detected by the cepstra of its frames."""

from __future__ import annotations

from .speech.base import AudioDetector, Model


class Lfcc(AudioDetector):
    """Linear-frequency cepstra and two Gaussian mixtures (the baseline of ASVspoof 2021, arXiv 2109.00537).

    The score is the mean over loud frames of log p(x | synthetic) − log p(x | real), with 64 diagonal Gaussians each.
    """

    id = "deepfake.lfcc"
    title = "LFCC-GMM"
    limits = (
        "Recognizes synthesizers similar to those in its training data; on others its score may be uninformative "
        "or have the wrong sign. It does not separate vocoded speech from real speech of the same speaker over "
        "the same channel: see its card. It ships without verdicts: on neural speech it is no better than chance "
        "(AUC .53 [.45, .60]). Telephone codecs and noise hide the traces that it uses."
    )
    stem = "lfcc"

    @staticmethod
    def model() -> type[Model]:
        from .speech.gaussian_mixtures import MixturePair

        return MixturePair
