"""Runs ONNX networks with the same numbers on every processor."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from ...core.errors import MissingExtraError

INSTALL = "pip install 'guardrails-audit[onnx]'"
EXACT = ("session.x64quantprecision", "1")
"""Without it, onnxruntime adds products of 8-bit weights in 16 bits on x86 processors that have AVX2 and no VNNI
instructions, and the sums saturate: all vectors of such a network are others there."""


def onnx_session(model: bytes) -> Any:
    """Return a session of a network, on the processor, with as many threads as ``OMP_NUM_THREADS`` says.

    Parameters
    ----------
    model : bytes
        From memory, no other file can be reached, so that what is hashed is what is run.

    Raises
    ------
    MissingExtraError
        Where onnxruntime is not installed.
    Exception
        Where it cannot load the network: it has a class of its own for each of a graph's faults.
    """
    try:
        onnxruntime: Any = import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError("onnxruntime", INSTALL) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry(*EXACT)
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)  # 0: as many as there are cores
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
