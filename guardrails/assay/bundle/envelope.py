"""in-toto Statements in DSSE envelopes: https://github.com/secure-systems-lab/dsse, https://in-toto.io/Statement/v1."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from .keys import key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


class EnvelopeError(ValueError):
    """An envelope is not as it was written and signed."""


def canonical(value: Any) -> bytes:
    """Return the one JSON text that a bundle writes of a value: sorted keys, no spaces, ASCII, a newline at the end."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def pre_authentication(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the bytes that DSSE signs: the payload with its type and both lengths (PAE, DSSE v1).

    >>> pre_authentication(b"hello world", "http://example.com/HelloWorld")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(payload_type.encode()), payload_type.encode(), len(payload), payload)


def statement(subject: list[dict[str, Any]], predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """Return an in-toto Statement, version 1."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": subject,
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def sealed(value: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return a statement in an envelope that is signed."""
    payload = canonical(value)
    return canonical(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [
                {
                    "keyid": key_id(key.public_key()),
                    "sig": base64.b64encode(key.sign(pre_authentication(payload))).decode(),
                }
            ],
        }
    )


def opened(text: bytes, key: Ed25519PublicKey) -> dict[str, Any]:
    """Return the statement in an envelope.

    Every bit of the text counts: it must be what `sealed` writes of what is read from it.

    Raises
    ------
    EnvelopeError
        Where it is not signed, not by this key, or not as it was written.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        envelope = json.loads(text)
        payload = base64.b64decode(envelope["payload"], validate=True)
        message = pre_authentication(payload, str(envelope.get("payloadType")))
        signatures = [(s["keyid"], base64.b64decode(s["sig"], validate=True)) for s in envelope["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise EnvelopeError("it is not a DSSE envelope that a bundle holds") from None
    if not signatures:
        raise EnvelopeError("its signature was removed")
    keyid, signature = signatures[0]
    if keyid != key_id(key):
        raise EnvelopeError(f"it is signed by another key: {str(keyid)[:16]}…, not {key_id(key)[:16]}…")
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise EnvelopeError("its signature does not fit its content") from None
    written = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    if canonical(written) != text:
        raise EnvelopeError("it is not written as a bundle writes it")
    try:
        value = json.loads(payload)
        as_written = canonical(value)
    except (ValueError, RecursionError):
        raise EnvelopeError("it holds no JSON") from None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        raise EnvelopeError("it holds no in-toto Statement")
    if as_written != payload:  # such as a name twice, of which another reader takes the other value
        raise EnvelopeError("its Statement is not written as a bundle writes it")
    return value
