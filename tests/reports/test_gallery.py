"""The gallery of a scan: hostile names stay text, and nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.core.results.scan import ScanResult
from reports import render
from reports.gallery import render_gallery
from reports.html import csp_hash

from .gallery_data import HOSTILE, gallery


def test_a_hostile_name_is_text(read: Any) -> None:
    page = read(render_gallery(gallery()))
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.text
    assert page.all("script") == []
    assert not [tag for tag, attributes in page.tags for name in attributes if name.startswith("on")]
    assert {image["src"][:23] for image in page.all("img")} == {"data:image/jpeg;base64,"}
    assert HOSTILE not in page.text  # its control characters are written out


def test_the_policy_allows_only_this_style(read: Any) -> None:
    page = read(render_gallery(gallery()))
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert csp_hash(page.style) in policy
    assert not [attributes for _, attributes in page.tags if "style" in attributes]


def test_it_says_what_was_found(read: Any) -> None:
    text = read(render_gallery(gallery())).text
    for said in (
        "4,000 files scanned", "failed: its verdicts are withheld", "AUC 0.90 [0.80, 0.95] on 100 + 90 items",
        "1.0 to 2.5 s; 4.0 to 4.2 s", "left out", "3,498 more files were scored",
        "1,231 more are in scan.jsonl", "cut short",
    ):  # fmt: skip
        assert said in text, said


def test_it_names_what_stands_beside_a_picture(read: Any) -> None:
    text = read(render_gallery(gallery())).text
    assert "Evidence by place: where a detector sees it" in text
    assert "Error levels: how much a JPEG changes" in text
    assert "JPEG ghosts" not in text  # there are none to show


def test_nothing_found_is_said(read: Any) -> None:
    empty = gallery() | {"shown": [], "errors": [], "more": 0}
    empty["summary"] = empty["summary"] | {"errors": 0}
    text = read(render_gallery(empty)).text
    assert "No detector scored a file." in text
    assert "None." in text


def test_a_picture_that_is_no_base64_is_left_out(read: Any) -> None:
    bad = gallery()
    bad["shown"][0]["thumbnail"] = '"><script>'
    assert len(read(render_gallery(bad)).all("img")) == len(read(render_gallery(gallery())).all("img")) - 3


def test_it_is_written_whole(tmp_path: Path) -> None:
    result = ScanResult(**gallery()["summary"], folder=tmp_path, gallery=gallery())
    render(result, "html", tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text(encoding="utf-8") == render_gallery(gallery())
    with pytest.raises(ConfigurationError, match="cannot be written"):
        render(result, "html", tmp_path / "no" / "g.html")


def test_without_its_pictures_it_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--resume and --format html"):
        render(ScanResult(**gallery()["summary"], folder=tmp_path), "html")
