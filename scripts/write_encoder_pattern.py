"""Describes the encoder's test picture with exact arithmetic: python scripts/write_encoder_pattern.py

The 8-bit network runs in onnx's reference evaluator, which adds in 32 bits with NumPy, so that the vector depends on no
processor. Needs ``make models`` and ``pip install onnx``; takes a minute.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from guardrails.deepfake.images import encoder as default
from guardrails.deepfake.images.onnx_graph import with_outputs

BLOCK = "/vision_model/encoder/layers.8/Add_1_output_0"
"""Of `encoder.PATTERN_LAYER`: the ninth block."""


def main() -> None:
    """Write the vector."""
    from onnx import load_model_from_string
    from onnx.reference import ReferenceEvaluator

    content = Path(str(distribution(default.PACKAGE).locate_file(default.FILE))).read_bytes()
    model = load_model_from_string(with_outputs(content, [BLOCK]))
    mean, deviation = (np.array(v, np.float32) for v in (default.CLIP_MEAN, default.CLIP_DEVIATION))
    picture = (default.whole(default.pattern(), default.SIDE).astype(np.float32) / 255 - mean) / deviation
    batch = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
    vector = ReferenceEvaluator(model).run([BLOCK], {model.graph.input[0].name: batch})[0][0, 0]
    default.PATTERN.write_bytes(save({"vector": np.asarray(vector, np.float32)}))


if __name__ == "__main__":
    main()
