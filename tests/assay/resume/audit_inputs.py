"""Files for an audit to read: a target, a corpus, a holdout and a reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def texts(path: Path, word: str, n: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": word}) + "\n" for _ in range(n)))
    return path


def given(tmp_path: Path, word: str = "yes") -> dict[str, Any]:
    data = {
        name: texts(tmp_path / name / "texts.jsonl", f"the {name}", 3) for name in ("corpus", "holdout", "reference")
    }
    return {"target": f"jsonl:{texts(tmp_path / 'out.jsonl', word)}", **data}
