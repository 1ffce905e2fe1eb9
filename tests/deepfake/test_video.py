"""`deepfake.video`: what is read, what is said of it, and what a bad file comes to."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.core.registry import load_detector
from guardrails.kit.video import Shots, is_video, opencv, write_video
from guardrails.targets.reference import load
from guardrails.training.videos import Clip, Encoder, clips


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Someone whom the weights do not know, by a method that they do not know."""
    return next(clips("method=poisson,forgery=0.5", 1, seed=990))


@pytest.fixture(scope="module")
def detector() -> Any:
    return load_detector("deepfake.video")


@pytest.mark.slow
def test_a_forged_stretch_is_found_and_the_untouched_video_is_not(detector: Any, clip: Clip, tmp_path: Path) -> None:
    paths = [
        Encoder().write(content, tmp_path, name, clip.rate)
        for name, content in (("real", clip.untouched), ("forged", clip.forged))
    ]
    real, forged = detector.score(paths)
    assert forged.score > real.score
    for row in (real, forged):  # drawn people are all that it was calibrated and is controlled with
        assert (row.verdict, row.likelihood_ratio, row.probability) == ("abstain", None, None)
        assert "no verdict on footage of a face" in row.reasons[0]
    assert forged.segments
    times = np.arange(len(clip.truth)) / clip.rate
    marked = np.any([(times >= s.start - 1e-3) & (times < s.end - 1e-3) for s in forged.segments], axis=0)
    assert (marked & clip.truth).sum() / (marked | clip.truth).sum() >= 0.5
    assert detector.score(paths)[1] == forged


def test_frames_and_their_rate_are_a_video_too(detector: Any, clip: Clip, tmp_path: Path) -> None:
    path = write_video(clip.forged, tmp_path / "a.mkv", clip.rate)
    file, array, stream = detector.score([path, (clip.forged, clip.rate), (iter(clip.forged), clip.rate)])
    assert array.score == pytest.approx(file.score, abs=1e-6)
    assert stream.score == array.score
    with pytest.raises(ConfigurationError, match="frames, rate"):
        detector.score([clip.forged])
    assert "uint8" in detector.score([(clip.forged / 255, 12.0)])[0].reasons[0]


def test_the_evidence_is_a_picture(detector: Any, clip: Clip) -> None:
    drawn = detector.picture((clip.forged, clip.rate))
    assert drawn.shape == (280, 960, 3)
    assert drawn.dtype == np.uint8
    assert (drawn == (200, 30, 30)).all(-1).sum() > 100
    assert detector.picture((np.zeros((12, 64, 64, 3), np.uint8), 12.0)) is None


def _reason(detector: Any, item: Any) -> str:
    (row,) = detector.score([item])
    assert row.score is None
    assert row.verdict == "abstain"
    return str(row.reasons[0])


def test_what_is_no_video_is_a_row(detector: Any, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("Not a video at all. " * 50)
    list_of_files = tmp_path / "list.mp4"
    list_of_files.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n" * 9)
    empty = tmp_path / "empty.mkv"
    empty.write_bytes(b"")
    head = tmp_path / "head.mkv"
    head.write_bytes(write_video(np.zeros((3, 32, 32, 3), np.uint8), tmp_path / "b.mkv", 12).read_bytes()[:300])
    for path in (text, list_of_files, empty, head, tmp_path / "absent.mp4", tmp_path):
        assert str(path) in _reason(detector, path) or "no frame" in _reason(detector, path)
    assert not is_video(list_of_files)


def test_sound_alone_is_a_row(detector: Any, tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "sound.avi"
    soundfile.write(path, np.zeros(8000), 8000, format="WAV")
    assert "not a video" in _reason(detector, path)


def test_no_face_and_too_few_frames_are_rows(detector: Any, clip: Clip) -> None:
    assert "no face" in _reason(detector, (np.zeros((20, 64, 64, 3), np.uint8), 12.0))
    assert "1 frame to look at" in _reason(detector, (clip.forged[:1], 12.0))
    assert "no frame" in _reason(detector, (clip.forged[:0], 12.0))
    assert "no face" in _reason(detector, (np.zeros((20, 2, 3, 3), np.uint8), 12.0))


def test_a_cut_file_is_scored_as_far_as_it_goes(detector: Any, clip: Clip, tmp_path: Path) -> None:
    path = write_video(clip.untouched, tmp_path / "a.avi", clip.rate)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    (row,) = detector.score([path])
    assert row.score is None or len(row.reasons) >= 2


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4"])
def test_mutated_files_are_rows(detector: Any, tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(7)
    whole = write_video(np.zeros((9, 32, 32, 3), np.uint8), tmp_path / f"a{suffix}", 12).read_bytes()
    for i in range(25):
        content = bytearray(whole[: int(rng.integers(1, len(whole) + 1))])
        for place in rng.integers(0, len(content), 8):
            content[place] = int(rng.integers(256))
        path = tmp_path / f"{i}{suffix}"
        path.write_bytes(content)
        assert _reason(detector, path)


def test_frames_that_change_size_end_a_track(detector: Any, clip: Clip) -> None:
    small = [frame[::2, ::2] for frame in clip.untouched]
    (row,) = detector.score([(iter([*clip.untouched, *small, *clip.untouched]), 12.0)])
    assert row.score is not None


class Header:
    """A capture whose header states anything."""

    def __init__(self, real: Any, stated: dict[int, float]) -> None:
        self.real, self.stated = real, stated

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def get(self, prop: int) -> Any:
        return self.stated.get(prop, self.real.get(prop))


@pytest.mark.parametrize("rate", [0.0, float("nan"), float("inf"), -5.0, 1e9])
def test_a_header_that_lies_about_rate_and_length(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rate: float) -> None:
    cv2 = opencv()
    path = write_video(np.zeros((50, 32, 32, 3), np.uint8), tmp_path / "a.mkv", 25)
    lies = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_POS_MSEC: float("nan"), cv2.CAP_PROP_FRAME_COUNT: -1e12}
    real = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *given: Header(real(*given), lies))
    shots = Shots(path)
    times = [time for time, _ in shots]
    assert times == pytest.approx(np.arange(50) / 25)
    assert shots.claimed is None
    assert shots.whole


def test_a_header_with_a_huge_size_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cv2 = opencv()
    path = write_video(np.zeros((3, 32, 32, 3), np.uint8), tmp_path / "a.mkv", 25)
    real = cv2.VideoCapture
    lies = {cv2.CAP_PROP_FRAME_WIDTH: 1e6, cv2.CAP_PROP_FRAME_HEIGHT: 1e6}
    monkeypatch.setattr(cv2, "VideoCapture", lambda *given: Header(real(*given), lies))
    with pytest.raises(ContentError, match="limit of 50,000,000"):
        next(iter(Shots(path)))


@pytest.mark.parametrize(("rate", "n"), [(12.0, 24), (6.0, 12), (100.0, 50)])
def test_frames_are_sampled_evenly(tmp_path: Path, rate: float, n: int) -> None:
    path = write_video(np.zeros((50, 32, 32, 3), np.uint8), tmp_path / "a.mkv", 25)
    times = [time for time, _ in Shots(path, rate=rate)]
    assert abs(len(times) - n) <= 1
    assert np.diff(times).max() <= 1 / min(rate, 25) + 0.041


@pytest.mark.slow
def test_fit_learns_from_labelled_videos() -> None:
    from guardrails.deepfake.video import VideoFaces

    learner, pairs = VideoFaces(), []
    for one in clips("method=self-blend,forgery=1", 14, seed=991, frames=9, whole=True):
        videos = [(content, one.rate) for content in (one.untouched, one.forged)]
        if all(learner.follow(video).tracks for video in videos):
            pairs.append(videos)
    items, labels = [video for pair in pairs for video in pair], [0, 1] * len(pairs)
    learner.fit(items, labels, sources=[f"{i // 2}" for i in range(len(items))])
    assert learner.model.fitted.basis == "cross-fitted on the videos that it was fitted to"
    assert np.mean([row.score for row in learner.score(items[1::2])]) > np.mean(
        [row.score for row in learner.score(items[::2])]
    )
    with pytest.raises(ContentError, match="no face"):
        learner.fit([(np.zeros((9, 64, 64, 3), np.uint8), 12.0)] * 20, [0, 1] * 10)


def test_the_reference_videos_are_a_target() -> None:
    target = load("faceswap,output=video,method=poisson,forgery=0.5")
    (video,) = target.sample_videos(1, seed=3)  # type: ignore[attr-defined]
    assert video.shape == (24, 96, 96, 3)


@pytest.mark.slow
def test_an_hour_is_read_in_the_memory_of_a_minute(detector: Any, tmp_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    peaks = []
    for seconds in (60, 3600):
        path = write_video((np.roll(frame, t, 1) for t in range(2 * seconds)), tmp_path / f"{seconds}.avi", 2)
        tracemalloc.start()
        assert "no face" in _reason(detector, path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2_000_000
