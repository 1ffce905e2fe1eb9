"""Files of several frames or pages: none is read by its first alone, unless the others are that picture again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import TiffImagePlugin

from guardrails.core.errors import ConfigurationError
from guardrails.core.targets import Modality
from guardrails.kit.pictures import frames
from guardrails.kit.pictures.folder import ImageFolder
from guardrails.kit.pictures.frames import OWN_PICTURES, has_own_frames
from guardrails.targets.data import load_data
from guardrails.targets.files import ImageFolderTarget


def picture(seed: int, side: int = 32, mode: str = "RGB") -> Pillow.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Pillow.fromarray(noise).resize((side, side)).convert(mode)


def write(path: Path, first: Pillow.Image, *others: Pillow.Image, **options: Any) -> Path:
    first.save(path, save_all=True, append_images=list(others), **options)
    return path


BLANK = Pillow.new("RGB", (32, 32), "white")


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tiff", "a.avif", "a.mpo"])
def test_a_further_frame_that_is_a_picture_of_its_own_withholds_the_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, BLANK, picture(1))
    picture(2).save(tmp_path / "b.png")
    assert has_own_frames(tmp_path / name)
    assert ImageFolder(tmp_path).problems == ((name, OWN_PICTURES),)
    target = ImageFolderTarget(tmp_path)
    assert target.available == 1
    assert f"counted as errors 1: {name} ({OWN_PICTURES})" in target.read_as


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tiff", "a.avif", "a.jpg"])
def test_a_file_of_one_frame_has_none(tmp_path: Path, name: str) -> None:
    picture(1).save(tmp_path / name)
    assert not has_own_frames(tmp_path / name)
    assert ImageFolder(tmp_path).problems == ()


def test_a_png_whose_animation_leaves_its_first_picture_out_has_own_frames(tmp_path: Path) -> None:
    write(tmp_path / "a.png", BLANK, picture(1), default_image=True)
    assert has_own_frames(tmp_path / "a.png")


def pages(path: Path, *given: tuple[Pillow.Image, int]) -> Path:
    """Write a TIFF of pages, each with its NewSubfileType."""
    with TiffImagePlugin.AppendingTiffWriter(path, new=True) as writer:
        for page, kind in given:
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[254] = kind
            page.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    return path


def test_reduced_pages_of_a_tiff_are_its_first_picture_again(tmp_path: Path) -> None:
    pages(tmp_path / "a.tiff", (picture(1), 0), (picture(1, 16), 1), (picture(1, 8), 1))
    folder = ImageFolder(tmp_path)
    assert folder.problems == ()
    assert folder.read_as == "1 pictures (TIFF 1); of 1 with previews, reduced pages or masks the first picture"


@pytest.mark.parametrize(
    "second",
    [(picture(2, 16), 0), (picture(2), 1), (picture(2, 64), 1), (picture(2), 4)],
    ids=["smaller and not said to be reduced", "as large", "larger", "a mask that is none"],
)
def test_other_pages_of_a_tiff_are_not(tmp_path: Path, second: tuple[Pillow.Image, int]) -> None:
    assert has_own_frames(pages(tmp_path / "a.tiff", (picture(1), 0), second))
    assert has_own_frames(pages(tmp_path / "b.tiff", (picture(1), 0), (picture(1, 16), 1), second))


def test_previews_and_grey_maps_behind_a_jpeg_are_not_pictures_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "a.mpo", picture(1), picture(1, 16), picture(3, 32, "L"))
    assert not has_own_frames(tmp_path / "a.mpo")


def test_a_tiff_whose_pages_go_round_ends(tmp_path: Path) -> None:
    path = pages(tmp_path / "a.tiff", (picture(1), 0), (picture(1, 16), 1))
    data = bytearray(path.read_bytes())
    order = "little" if data[:2] == b"II" else "big"
    first = int.from_bytes(data[4:8], order)  # type: ignore[arg-type]
    link = first + 2 + 12 * int.from_bytes(data[first : first + 2], order)  # type: ignore[arg-type]
    second = int.from_bytes(data[link : link + 4], order)  # type: ignore[arg-type]
    back = second + 2 + 12 * int.from_bytes(data[second : second + 2], order)  # type: ignore[arg-type]
    data[back : back + 4] = second.to_bytes(4, order)  # type: ignore[arg-type]
    path.write_bytes(bytes(data))
    assert has_own_frames(path)


def test_pages_beyond_the_limit_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_PAGES", 2)
    write(tmp_path / "a.mpo", picture(1), picture(1, 16))
    write(tmp_path / "b.mpo", picture(1), picture(1, 16), picture(1, 8))
    pages(tmp_path / "a.tiff", (picture(1), 0), (picture(1, 16), 1))
    pages(tmp_path / "b.tiff", (picture(1), 0), (picture(1, 16), 1), (picture(1, 8), 1), (picture(1, 4), 1))
    assert [has_own_frames(tmp_path / name) for name in ("a.mpo", "b.mpo", "a.tiff", "b.tiff")] == [0, 1, 0, 1]


def test_training_pictures_of_several_frames_are_named_and_many_refused(tmp_path: Path) -> None:
    for i in range(40):
        picture(i).save(tmp_path / f"{i}.png")
    write(tmp_path / "a.gif", BLANK, picture(1))
    corpus = load_data("corpus", tmp_path, Modality.IMAGE)
    assert len(corpus) == 40
    assert f"left out 1: a.gif ({OWN_PICTURES})" in corpus.read_as
    for name in ("b.gif", "c.tiff", "d.png"):
        write(tmp_path / name, BLANK, picture(1))
    with pytest.raises(ConfigurationError, match=r"--corpus .*4: a\.gif \(several frames or pages"):
        load_data("corpus", tmp_path, Modality.IMAGE)
