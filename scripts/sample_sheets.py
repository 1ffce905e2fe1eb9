"""Make the sample sheets of the reference generators: pictures, and sound where there is some.

    python scripts/sample_sheets.py [NAME …]

Writes to docs/pictures and docs/sounds; each generator's sheet is drawn by scripts/sheets/<module>.py.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from generators.base import generators

ROOT = Path(__file__).parents[1]
SHEETS = ROOT / "scripts" / "sheets"


def sheet(name: str) -> ModuleType:
    """Return the module that draws a generator's sheet."""
    path = SHEETS / f"{name.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(f"sheet_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(names: list[str]) -> None:
    """Draw the sheets of these generators, or of all."""
    for name in names or list(generators()):
        for path in sheet(name).draw(ROOT):
            sys.stderr.write(f"wrote {path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
