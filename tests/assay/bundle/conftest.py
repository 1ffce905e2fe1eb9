"""The folder of a finished audit, a key, and the bundle of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.bundle.keys import new_key
from guardrails.assay.bundle.write import bundle as write_bundle

from .. import fakes
from .archives import written


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a finished audit, with a picture."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    with pytest.MonkeyPatch.context() as patch:
        fakes.install(patch)
        run_audit(fakes.FakeTarget(0.0), out=folder)
        (folder / "media").mkdir()
        (folder / "media" / "one.png").write_bytes(bytes(range(256)) * 5)
        yield folder


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(new_key(), tmp_path_factory.mktemp("keys") / "key.pem")


@pytest.fixture(scope="module")
def bundle(run: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(run, tmp_path_factory.mktemp("bundles") / "b.tar", key=key).file
