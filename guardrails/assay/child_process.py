"""Starts Python again for a module of this library, which then finds the modules that this process finds."""

from __future__ import annotations

import os
import sys


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module.

    ``-P``, or Python would look in the current folder first, which may be a stranger's: a ``cv2.py`` in it would run.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def search_path() -> dict[str, str]:
    """Return the environment variable with the path of this process; an interactive one looks in its current folder.

    What is no text, such as a `Path` that a notebook put there, Python passes over as well.
    """
    return {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path if isinstance(path, str))}
