"""Keys, tokens and passwords: by the shape that their maker gave them, or by what is assigned to what."""

from __future__ import annotations

import json
import math
import re
from base64 import urlsafe_b64decode
from collections import Counter

from .recognizer import Recognizer, holds_any

BITS = {True: 3.0, False: 3.5}
"""Entropy of the characters, in bits each, from which an assigned value looks drawn at random: hexadecimal or not."""


def entropy(value: str) -> float:
    """Return the Shannon entropy of a string's characters, in bits a character.

    >>> entropy("aaaa"), entropy("abcd")
    (0.0, 2.0)
    """
    n = len(value)
    return sum(k / n * math.log2(n / k) for k in Counter(value).values())


def _random(value: str) -> bool | None:
    hexadecimal = re.fullmatch(r"[0-9A-Fa-f]+", value) is not None
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return (mixed and entropy(value) >= BITS[hexadecimal]) or None


def _password(value: str) -> bool | None:
    return (any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and len(set(value)) > 4) or None


def _jwt(value: str) -> bool:
    head = value.partition(".")[0]
    try:
        return "alg" in json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, TypeError, RecursionError):
        return False


_ASSIGNED = re.compile(
    r"(?:api|access|auth|secret|private|signing|encryption|client|account|license)[\w.-]{0,16}(?:key|token|secret)"
    r"|(?:secret|token|passwo?r?d|passphrase|pwd|apikey|bearer|credential)[\w.-]{0,12}$",
    re.I,
)


_ENDS = ("ey", "oken", "ecret", "ass", "wd", "earer", "edential")
_STEMS = (*_ENDS, *(end.upper() for end in _ENDS))
"""What the words of `_ASSIGNED` hold: a text without any of these has none of them."""


def _named(m: re.Match[str]) -> bool:
    before = m.string[max(0, m.start() - 40) : m.start()].rstrip("\"'` \t]")
    if not holds_any(before.lower(), _ENDS):
        return False
    assignments = list(_ASSIGNED.finditer(before))
    return bool(assignments) and len(before) - assignments[-1].end() <= 4


def _token(name: str, pattern: str, *needs: str) -> Recognizer:
    return Recognizer(name, "secret", re.compile(rf"(?<![A-Za-z0-9_]){pattern}(?![A-Za-z0-9_])"), needs=needs)


SECRETS = (
    Recognizer(
        "private key (PEM)",
        "secret",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s:,.-]{16,16000}?"
            r"-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        ),
        needs=("PRIVATE KEY",),
    ),
    Recognizer(
        "JSON web token",
        "secret",
        re.compile(r"(?<![\w-])eyJ[\w-]{8,1024}\.[\w-]{8,4096}\.[\w-]{16,1024}"),
        _jwt,
        needs=("eyJ",),
    ),
    _token("AWS access key", r"(?:AKIA|ASIA)[A-Z2-7]{16}", "AKIA", "ASIA"),
    _token("GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,251}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _token("GitHub token", r"github_pat_[A-Za-z0-9_]{36,200}", "github_pat_"),
    _token("GitLab token", r"glpat-[\w-]{20,64}", "glpat-"),
    _token("Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{10,250}", "xox"),
    _token("Slack webhook", r"hooks\.slack\.com/services/T\w{6,14}/B\w{6,14}/\w{16,32}", "hooks.slack.com"),
    _token("Stripe key", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,247}", "k_live_", "k_test_"),
    _token("Google API key", r"AIza[\w-]{35}", "AIza"),
    _token("Google OAuth secret", r"GOCSPX-[\w-]{28}", "GOCSPX-"),
    _token("SendGrid key", r"SG\.[\w-]{22}\.[\w-]{43}", "SG."),
    _token("npm token", r"npm_[A-Za-z0-9]{36}", "npm_"),
    _token("PyPI token", r"pypi-AgEIcHlwaS5vcmc[\w-]{50,250}", "pypi-AgEI"),
    _token("Hugging Face token", r"hf_[A-Za-z0-9]{34}", "hf_"),
    Recognizer(
        "API key of the form sk-…",
        "secret",
        re.compile(r"(?<![\w-])sk-(?:[a-z0-9]{2,10}-){0,2}[\w-]{20,200}(?![\w-])"),
        _random,
        needs=("sk-",),
    ),
    Recognizer(
        "password in an address (scheme://user:password@host)",
        "secret",
        re.compile(r"(?<=[a-z])://[^\s:/@]{1,64}:(?P<datum>[^\s:/@]{6,128})@[\w.-]"),
        _password,
        needs=("://",),
    ),
    Recognizer(
        "random value assigned to a key, token, secret or password",
        "secret",
        re.compile(r"[=:][>=]?[ \t]{0,3}[\"'`]?(?P<datum>[A-Za-z0-9+/_~.=-]{16,200})(?![A-Za-z0-9+/_~.=(\[-])"),
        _random,
        context=_named,
        needs=_STEMS,
    ),
    Recognizer(
        "bearer token",
        "secret",
        re.compile(r"[Bb]earer (?P<datum>[\w.~+/=-]{20,400})"),
        _random,
        needs=("earer ",),
    ),
)
