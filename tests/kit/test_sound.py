"""Reading recordings: the whole against the blocks, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from guardrails.core.errors import ContentError
from guardrails.core.targets import Modality
from guardrails.kit import sound
from guardrails.kit.content import Content, facts_of
from guardrails.kit.sound import as_sound, read_sound, resampled, sound_blocks


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([4000, 8000, 11025, 15999, 22050, 44100, 48000, 192000]),
    n=st.integers(1, 30_000),
    cut=st.integers(1, 9_000),
    seed=st.integers(0, 9),
)
def test_blocks_resample_as_the_whole(rate: int, n: int, cut: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(n).astype(np.float32)
    parts = list(resampled((x[i : i + cut] for i in range(0, n, cut)), rate, 16_000))
    whole = resample_poly(x, 16_000 // np.gcd(rate, 16_000), rate // np.gcd(rate, 16_000))
    assert np.concatenate(parts) == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.wav", {}), ("a.flac", {}), ("a.ogg", {}), ("b.ogg", {"subtype": "OPUS"}), ("a.mp3", {}), ("a.aiff", {})],
)
def test_formats_are_read(tmp_path: Path, name: str, kind: dict[str, str]) -> None:
    t = np.arange(48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * t)
    soundfile.write(tmp_path / name, np.stack([tone, tone], axis=1), 48_000, **kind)
    samples = read_sound(tmp_path / name)
    assert len(samples) == pytest.approx(16_000, abs=1200)
    assert np.abs(np.fft.rfft(samples[2000:10_000])).argmax() == pytest.approx(220, abs=1)


def test_blocks_join_to_the_whole_and_stay_small(tmp_path: Path) -> None:
    x = 0.1 * np.random.default_rng(0).standard_normal(44_100 * 5)
    soundfile.write(tmp_path / "a.wav", x, 44_100)
    blocks = list(sound_blocks(tmp_path / "a.wav", seconds=0.5))
    assert np.concatenate(blocks) == pytest.approx(read_sound(tmp_path / "a.wav"), abs=1e-5)
    assert max(map(len, blocks)) < 16_000


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    folder = Path(folder)
    soundfile.write(folder / "good.flac", 0.1 * np.random.default_rng(0).standard_normal(160_000), 16_000)
    good = (folder / "good.flac").read_bytes()
    (folder / "cut.flac").write_bytes(good[:50])
    (folder / "text.wav").write_text("no sound at all")
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "none.wav", np.zeros(0), 16_000)
    soundfile.write(folder / "nan.wav", np.array([0.0, np.nan, 0.1]), 16_000, subtype="FLOAT")
    soundfile.write(folder / "slow.wav", np.zeros(100), 100)
    soundfile.write(folder / "long.wav", np.zeros(16_000 * 4), 16_000)
    return {
        "cut": (folder / "cut.flac", "not a recording|no samples"), "text": (folder / "text.wav", "not a recording"),
        "empty": (folder / "empty.wav", "not a recording"), "none": (folder / "none.wav", "no samples"),
        "nan": (folder / "nan.wav", "not finite"), "slow": (folder / "slow.wav", "samples a second"),
        "long": (folder / "long.wav", "more than the limit"), "absent": (folder / "absent.wav", "no such file"),
        "folder": (folder, "no such file"),
    }  # fmt: skip


def test_bad_files_say_why(tmp_path: Path) -> None:
    for path, why in bad_files(tmp_path).values():
        with pytest.raises(ContentError, match=why):
            read_sound(path, max_seconds=3)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_broken_file_crashes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    kind = data.draw(st.sampled_from(["wav", "flac", "ogg"]))
    soundfile.write(folder / f"a.{kind}", 0.1 * np.random.default_rng(0).standard_normal(4_000), 16_000)
    raw = bytearray((folder / f"a.{kind}").read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        raw[data.draw(st.integers(0, min(len(raw) - 1, 120)))] = data.draw(st.integers(0, 255))
    broken = folder / f"b.{kind}"
    broken.write_bytes(bytes(raw[: data.draw(st.integers(1, len(raw)))]))
    try:
        samples = read_sound(broken, max_seconds=30)
    except ContentError:
        return
    assert np.isfinite(samples).all()


def test_samples_in_memory() -> None:
    loud = (np.sin(np.arange(16_000) / 10) * 32_767).astype(np.int16)
    assert np.abs(as_sound(loud, 16_000)).max() == pytest.approx(1, abs=1e-3)
    assert len(as_sound(np.zeros((8_000, 2)), 8_000)) == 16_000
    for samples, rate in (
        (np.zeros(0), 16_000),
        (np.zeros(9), 1),
        (np.zeros(9), 16_000.5),
        (np.zeros(9, complex), 16_000),
    ):
        with pytest.raises(ContentError):
            as_sound(samples, rate)


@pytest.mark.parametrize("name", ["-", "a.raw", "a.sd2", "a.vox", "a.gsm", "http:", "é\n"])
def test_a_recording_is_known_by_its_content_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libsndfile takes "-" for standard input, and some endings for formats that have no header."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)
    with Path(name).open("wb") as file:
        soundfile.write(file, x, 16_000, format="FLAC")
    assert np.allclose(read_sound(name), x, atol=1e-4)
    assert facts_of(Path(name), Content(Modality.AUDIO, "FLAC")) == {"rate": 16_000, "channels": 1, "seconds": 0.25}


def test_many_channels_are_read_in_smaller_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (48_000, 8))
    soundfile.write(tmp_path / "a.wav", x, 48_000, subtype="FLOAT")
    whole = read_sound(tmp_path / "a.wav")
    monkeypatch.setattr(sound, "MAX_BLOCK", 8 * 4800)
    assert np.array_equal(read_sound(tmp_path / "a.wav"), whole)
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        blocks = list(sound._mono(tmp_path / "a.wav", file, 9, sound.MAX_BLOCK // 8))
    assert [len(block) for block in blocks] == [4800] * 10


def test_samples_of_all_channels_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((1000, 4)), 16_000)
    monkeypatch.setattr(sound, "MAX_SAMPLES", 3999)
    with pytest.raises(ContentError, match=r"4,000 samples are more than the limit of 3,999"):
        read_sound(tmp_path / "a.wav")


def test_why_a_recording_cannot_be_read_is_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\4\0\0\0WAVE")
    with pytest.raises(ContentError, match=r"^not a recording that libsndfile reads") as once:
        facts_of(path, Content(Modality.AUDIO, "WAV"))
    with path.open("rb"), pytest.raises(ContentError) as again:  # the next descriptor has another number
        facts_of(path, Content(Modality.AUDIO, "WAV"))
    assert str(once.value) == str(again.value)
