"""Weights with a card: read as they were written, or refused by name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.kit.carded_weights import read_carded, write_carded


def test_what_is_written_is_read(tmp_path: Path) -> None:
    paths = write_carded(tmp_path / "new", "net", b"weights", {"seed": 3, "sha256": "of an earlier one", "what": "Zoë"})
    weights, card = read_carded(tmp_path / "new", "net", command="make it")
    assert [path.name for path in paths] == ["net.safetensors", "net.json"]
    assert weights == b"weights"
    assert card == {"seed": 3, "what": "Zoë", "sha256": hashlib.sha256(b"weights").hexdigest()}


def test_a_card_of_another_name_may_state_the_hash(tmp_path: Path) -> None:
    _, text = write_carded(tmp_path, "net", b"weights", {})
    stated = json.loads(text.read_text())["sha256"]
    (tmp_path / "whole.json").write_text(json.dumps({"net_sha256": stated}))
    assert read_carded(tmp_path, "net", command="", card="whole", key="net_sha256")[0] == b"weights"


@pytest.mark.parametrize("name", ["net.safetensors", "net.json"])
def test_a_missing_file_is_named_with_what_makes_it(tmp_path: Path, name: str) -> None:
    write_carded(tmp_path, "net", b"weights", {})
    (tmp_path / name).unlink()
    with pytest.raises(ConfigurationError, match=f"{name} is missing; make it: guardrails train net"):
        read_carded(tmp_path, "net", command="guardrails train net")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    write_carded(tmp_path, "net", b"weights", {})
    (tmp_path / "net.safetensors").write_bytes(b"weight")
    with pytest.raises(ConfigurationError, match="does not have the hash that its card states"):
        read_carded(tmp_path, "net", command="make it")


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "\x00", "[" * 100_000, '{"sha256": NaN}'])
def test_what_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    write_carded(tmp_path, "net", b"weights", {})
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"is no card of net\.safetensors"):
        read_carded(tmp_path, "net", command="make it")
