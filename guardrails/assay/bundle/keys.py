"""Ed25519 keys: read from files, or made for one bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_KEY_BYTES = 1 << 16
HOW = "make one with: openssl genpkey -algorithm ed25519 -out key.pem"
HOW_PUBLIC = "openssl pkey -in key.pem -pubout writes the public one"


def new_key() -> Ed25519PrivateKey:
    """Return a fresh private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def private_key(file: Path) -> Ed25519PrivateKey:
    """Read a private key: PEM (PKCS #8) or OpenSSH, without a passphrase.

    Raises
    ------
    ConfigurationError
        Where it cannot be read, has a passphrase, or is no Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    def load(text: bytes) -> Any:
        reader = load_ssh_private_key if b"BEGIN OPENSSH" in text else load_pem_private_key
        return reader(text, password=None)

    key = _read(file, load)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"{file} is no private Ed25519 key; {HOW}")
    return key


def public_key(file: Path) -> Ed25519PublicKey:
    """Read a public key: PEM, or one line of OpenSSH's ``.pub``. A private key serves too.

    Raises
    ------
    ConfigurationError
        As `private_key`.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    def load(text: bytes) -> Any:
        if b"PRIVATE KEY" in text:
            return private_key(file).public_key()
        return load_ssh_public_key(text) if text.startswith(b"ssh-") else from_pem(text)

    key = _read(file, load)
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{file} is no public Ed25519 key; {HOW_PUBLIC}")
    return key


def from_pem(text: bytes) -> Any:
    """Return the public key of a PEM text. Raises ValueError where it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return load_pem_public_key(text)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def ed25519_of(pem: str) -> Ed25519PublicKey:
    """Return the public Ed25519 key of a PEM text. Raises ValueError where it is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = from_pem(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("its key is no public Ed25519 key")
    return key


def to_pem(key: Ed25519PublicKey) -> str:
    """Return a public key as PEM text."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key (DER, SubjectPublicKeyInfo) in hexadecimal."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _read(file: Path, load: Callable[[bytes], Any]) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        if not file.is_file() or file.stat().st_size > MAX_KEY_BYTES:
            raise ConfigurationError(f"{file} is no key; {HOW}")
        return load(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
    except TypeError as error:  # how `cryptography` says that a passphrase is missing
        raise ConfigurationError(f"{file} has a passphrase; give a key without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{file} is no key that can be read: {str(error).splitlines()[0][:120]}") from error
