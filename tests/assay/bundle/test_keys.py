"""Files of keys: what serves, and what is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from guardrails.assay.bundle.keys import key_id, new_key, public_key
from guardrails.assay.bundle.verify import verify
from guardrails.assay.bundle.write import bundle as write_bundle
from guardrails.core.errors import ConfigurationError

from .archives import written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is no key"),
        (b"ssh-rsa AAAA", "is no key"),
        (b"\0" * 70000, "is no key"),
    ],
)
def test_a_file_that_is_no_key(bundle: Path, run: Path, tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    for attempt in (
        lambda: verify(bundle, key=file),
        lambda: write_bundle(run, tmp_path / "out.tar", key=file),
    ):
        with pytest.raises(ConfigurationError, match=message):
            attempt()
    assert not (tmp_path / "out.tar").exists()


def test_keys_of_another_kind_or_with_a_passphrase_are_refused(run: Path, tmp_path: Path) -> None:
    other = written(ec.generate_private_key(ec.SECP256R1()), tmp_path / "ec.pem")
    with pytest.raises(ConfigurationError, match="no private Ed25519 key"):
        write_bundle(run, tmp_path / "b.tar", key=other)
    locked = written(new_key(), tmp_path / "locked.pem", b"secret")
    with pytest.raises(ConfigurationError, match="has a passphrase"):
        write_bundle(run, tmp_path / "b.tar", key=locked)


def test_openssh_keys_serve(run: Path, tmp_path: Path) -> None:
    key = new_key()
    private, public = tmp_path / "id", tmp_path / "id.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    assert key_id(public_key(public)) == key_id(key.public_key()) == key_id(public_key(private))
    made = write_bundle(run, tmp_path / "b.tar", key=private)
    assert verify(made.file, key=public).ok
