"""Keys in files, and archives of any contents."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardrails.assay.bundle import archive


def written(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, file: Path, password: bytes | None = None) -> Path:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
    return file


def members(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle) as opened:
        return {info.name: opened.extractfile(info).read() for info in opened}  # type: ignore[union-attr]


def packed(contents: dict[str, bytes], file: Path) -> Path:
    """Write an archive as `write_bundle` does, of any contents."""
    with file.open("wb") as stream:
        for name, content in contents.items():
            archive.add(stream, name, len(content), io.BytesIO(content))
        stream.write(bytes(archive.end(stream.tell())))
    return file
