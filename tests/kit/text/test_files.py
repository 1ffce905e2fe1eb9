"""Text files in any encoding, with any line ends, packed or not, within bounds."""

import codecs
import gzip
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.errors import ContentError
from guardrails.kit import io
from guardrails.kit.text.files import TextFile, text_encoding

WESTERN = "L'été, l'élève déçu naïvement paya 3 € – près de Besançon.\nCoût: œuvre à part.\n"


def text(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return TextFile(path).text()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_give_the_same_text(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "a.txt"
    assert text(path, WESTERN.replace("\n", end).encode(encoding)) == WESTERN
    assert [line for _, line in TextFile(path).lines()] == WESTERN.splitlines()
    western = "cp1252 (6 characters would be read differently as cp1250)"
    noted = [] if encoding.startswith("utf-8") else [f"decoded as {western if 'cp' in encoding else encoding.upper()}"]
    assert TextFile(path).notes == noted


@pytest.mark.parametrize(
    ("sample", "codec", "note"),
    [
        ("The firm is in Gdańsk. " * 2, "cp1250", " (2 characters would be read differently as cp1250)"),
        ("One shop in Plzeň", "iso8859-2", " (1 character would be read differently as cp1250)"),
        ("Ein Laden in Köln", "cp1252", ""),
    ],
)
def test_letters_that_another_code_page_reads_differently_are_counted(
    tmp_path: Path, sample: str, codec: str, note: str
) -> None:
    text(tmp_path / "a.txt", sample.encode(codec))
    assert TextFile(tmp_path / "a.txt").notes == [f"decoded as cp1252{note}"]


def test_utf16_with_a_mark_of_the_other_order_and_of_other_scripts(tmp_path: Path) -> None:
    for sample in ("Это не латинский текст, а русский.\n", "これは 日本語 の 文章 です\n" * 3):
        for codec in ("utf-16-le", "utf-16-be"):
            assert text(tmp_path / "a.txt", sample.encode(codec)) == sample
    assert text(tmp_path / "a.txt", codecs.BOM_UTF16_BE + "abc é".encode("utf-16-be")) == "abc é"


@pytest.mark.parametrize(
    ("sample", "codec"),
    [
        ("Это простой русский текст", "cp1251"),
        ("Это простой русский текст", "koi8-r"),
        ("これは日本語の文章です", "shift-jis"),
        ("这是一个中文句子", "gbk"),
        ("Michał i żółw są tutaj, łaskawie", "cp1250"),
        ("Příliš žluťoučký kůň úpěl", "cp1250"),
        ("Különböző fűszerek a szűk időben", "cp1250"),
        ("Güneş doğdu, ağaç altında ılık süt", "cp1254"),
        ("Café, résumé, naïve, über", "mac-roman"),
        ("Café, résumé, naïve, über", "cp437"),
    ],
)
def test_other_code_pages_are_refused_and_never_read_as_western(tmp_path: Path, sample: str, codec: str) -> None:
    with pytest.raises(ContentError, match=r"a\.txt, line 2: byte 0x.. at \d+ is not UTF-8"):
        text(tmp_path / "a.txt", b"plain words stand before it\n" + sample.encode(codec))


@pytest.mark.parametrize(
    "sample", ["Ça va, là-bas, déjà vu", "«Élan» – Straße, Größe, Übung", "¿Qué año, señor? ¡Allí!", "São João não põe"]
)
def test_short_western_texts_are_read(tmp_path: Path, sample: str) -> None:
    assert text(tmp_path / "a.txt", sample.encode("cp1252")) == sample


def test_utf8_with_a_damaged_byte_is_not_read_as_another_code_page(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="line 3: byte 0xff at 3"):
        text(tmp_path / "a.txt", WESTERN.encode() + b"abc\xff\n")


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\0\0", b"so\0me text", "abc".encode("utf-16-le") + b"\0\0\0"])
def test_what_holds_nul_bytes_is_no_text(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ContentError, match="no text"):
        text(tmp_path / "a.txt", data)


def test_gzip_is_unpacked_within_the_limit_and_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(b"a line\n" * 1000)
    assert text(tmp_path / "a.TXT.gz", packed) == "a line\n" * 1000
    assert TextFile(tmp_path / "a.TXT.gz").suffix == ".txt"
    with pytest.raises(ContentError, match="cannot be unpacked"):
        text(tmp_path / "cut.txt.gz", packed[:-9])
    with pytest.raises(ContentError, match=r"compressed \(xz\); unpack it first"):
        text(tmp_path / "a.txt.xz", lzma.compress(b"a line"))
    monkeypatch.setattr(io, "MAX_FILE", 6999)
    with pytest.raises(ContentError, match="unpacked it is larger than 6,999 bytes"):
        text(tmp_path / "b.txt.gz", packed)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200), st.sampled_from(["utf-8", "utf-16"])
)
def test_any_text_comes_back_with_its_line_ends_as_lf(tmp_path_factory, sample: str, codec: str) -> None:
    path = tmp_path_factory.mktemp("t") / "a.txt"
    expected = sample.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff" if codec == "utf-8" else "")
    assert text(path, sample.encode(codec)) == expected


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_have_an_encoding_or_none(data: bytes, cut: bool) -> None:
    encoding = text_encoding(data, cut=cut)
    assert encoding is None or data.decode(encoding, "replace") is not None
