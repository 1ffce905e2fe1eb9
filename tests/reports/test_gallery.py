"""The gallery of a scan: hostile names stay text, and nothing is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import result_kinds as kinds

from guardrails.core.errors import ConfigurationError
from guardrails.core.results.scan import FilePictures, ScanRow, most_telling
from reports import render
from reports.gallery import Gallery, gallery_of, render_gallery
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
    whole = gallery()
    result = whole.result.model_copy(update={"errors": 0, "pictures": ()})
    text = read(render_gallery(Gallery(result, [], 0, []))).text
    assert "No detector scored a file." in text
    assert "None." in text


def test_a_picture_that_is_no_base64_is_left_out(read: Any) -> None:
    whole = gallery()
    first, *others = whole.result.pictures
    bad = first.model_copy(update={"thumbnail": '"><script>'})
    result = whole.result.model_copy(update={"pictures": (bad, *others)})
    page = render_gallery(replace(whole, result=result))
    assert len(read(page).all("img")) == len(read(render_gallery(whole)).all("img")) - 3


def test_facts_of_a_stranger_are_text_or_nothing(read: Any) -> None:
    whole = gallery()
    odd: dict[str, Any] = {"width": "<b>", "height": [1], "seconds": True}
    shown = [row.model_copy(update={"facts": odd}) for row in whole.shown]
    assert "<b>" not in render_gallery(replace(whole, shown=shown))


def test_it_is_written_whole(tmp_path: Path) -> None:
    result = kinds.scan(tmp_path)
    render(result, "html", tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text(encoding="utf-8") == render_gallery(gallery_of(result))
    with pytest.raises(ConfigurationError, match="cannot be written"):
        render(result, "html", tmp_path / "no" / "g.html")


@pytest.mark.slow
def test_a_stored_scan_has_no_pictures_and_says_how_to_make_them(tmp_path: Path, read: Any) -> None:
    stored = kinds.scan(tmp_path)
    page = read(render(stored, "html").decode())
    assert page.all("img") == []
    assert "guardrails scan --resume --format html" in page.text
    scored = [row for row in stored.rows() if row.detections]
    assert len(gallery_of(stored).shown) == len(scored)
    shown = [FilePictures(thumbnail=gallery().result.pictures[0].thumbnail)] * len(scored)
    page = read(render(stored.model_copy(update={"pictures": tuple(shown)}), "html").decode())
    assert len(page.all("img")) == len(scored)
    assert "--resume --format html" not in page.text


def test_rows_are_shown_by_the_largest_ratio_that_is_believed(tmp_path: Path) -> None:
    stored = kinds.scan(tmp_path)
    rows = [row.model_copy(update={"path": f"{i}"}) for i, row in enumerate(stored.rows()) if row.detections][:4]

    def rated(row: ScanRow, *ratios: float | None) -> ScanRow:
        said = [d.model_copy(update={"likelihood_ratio": r}) for d, r in zip(row.detections, ratios, strict=True)]
        return row.model_copy(update={"detections": tuple(said)})

    name = rows[0].detections[0].detector
    given = [rated(rows[0], 1.0, 900.0), rated(rows[1], None, 5.0), rated(rows[2], 3.0, 0.1), rated(rows[3], 1.0, None)]
    ordered = most_telling(given, {name}, 10)
    assert [row.path for row in ordered] == [rows[i].path for i in (2, 0, 3, 1)]
    assert [row.path for row in most_telling(given, {name}, 2)] == [rows[i].path for i in (2, 0)]
    assert [row.path for row in most_telling(given, set(), 3)] == [rows[i].path for i in (0, 1, 2)]
