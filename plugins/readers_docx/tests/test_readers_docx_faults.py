"""Files that look like documents of Word and are broken, protected or hostile get a clear answer."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import pytest

from agentic import Page, ToolError
from agentic.testing.reader import text_in
from agentic_readers_docx.reader import DocxReader

KIND = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))

Saved = Callable[..., bytes]


def pages_of(folder: Path, data: bytes) -> list[Page]:
    (folder / "document").write_bytes(data)
    return list(DocxReader().read(folder / "document"))


def refusal(folder: Path, data: bytes) -> str:
    with pytest.raises(ToolError) as refused:
        pages_of(folder, data)
    return refused.value.message


def document(text: str = "Hello.") -> docx.document.Document:
    made = docx.Document()
    made.add_paragraph(text)
    return made


def test_a_password_is_told_from_an_old_format(tmp_path: Path) -> None:
    locked = COMPOUND + "EncryptedPackage".encode("utf-16-le")
    assert "password" in refusal(tmp_path, locked)
    assert "before 2007" in refusal(tmp_path, COMPOUND + "WordDocument".encode("utf-16-le"))


@pytest.mark.parametrize(("name", "known"), [("a.docx", KIND), ("a.DOCX", KIND), ("a.doc", None), ("a.xlsx", None)])
def test_a_compound_file_is_taken_by_its_name_alone(name: str, known: str | None) -> None:
    assert DocxReader().recognise(COMPOUND, name) == known


def test_an_archive_counts_by_its_parts_or_its_name(saved: Saved) -> None:
    head = saved(document())[:60]
    assert b"[Content_Types].xml" in head
    assert DocxReader().recognise(head, "a.docx") == KIND
    assert DocxReader().recognise(head, "a.zip") is None


def test_an_archive_with_a_password_is_told(tmp_path: Path, saved: Saved) -> None:
    locked = bytearray(saved(document()))
    place = locked.find(b"PK\x01\x02")
    while place >= 0:
        locked[place + 8] |= 1
        place = locked.find(b"PK\x01\x02", place + 4)
    assert "password" in refusal(tmp_path, bytes(locked))


def test_macros_and_templates_are_told(tmp_path: Path, saved: Saved, with_parts: Saved) -> None:
    whole = saved(document())
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        kinds = archive.read("[Content_Types].xml")
    other = kinds.replace(b"officedocument.wordprocessingml.document.main", b"ms-word.document.macroEnabled.main")
    assert other != kinds
    assert "macros" in refusal(tmp_path, with_parts(whole, {"[Content_Types].xml": other}))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, saved: Saved, with_parts: Saved) -> None:
    bomb = with_parts(saved(document()), {"word/document.xml": b" " * (70 << 20)})
    assert len(bomb) < 200_000
    assert "unpacks to 71 MB of text" in refusal(tmp_path, bomb)


def stating(package: bytes, size: int, stated: int) -> bytes:
    """The package in which each part of one size is said to have another."""
    return package.replace(struct.pack("<L", size), struct.pack("<L", stated))


def test_sizes_count_as_a_whole(tmp_path: Path, saved: Saved, with_parts: Saved) -> None:
    pictures = {f"word/media/picture{number}.png": bytes(54_321) for number in range(5)}
    bomb = stating(with_parts(saved(document()), pictures), 54_321, 101 << 20)
    assert "unpacks to 506 MB of data" in refusal(tmp_path, bomb)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked_further(
    tmp_path: Path, saved: Saved, with_parts: Saved
) -> None:
    bomb = with_parts(saved(document()), {"word/document.xml": b" " * (8 << 20)})
    assert "damaged" in refusal(tmp_path, stating(bomb, 8 << 20, 1000))


def test_thousands_of_parts_are_refused(tmp_path: Path, saved: Saved, with_parts: Saved) -> None:
    crowd = with_parts(saved(document()), {f"word/part{number}.bin": b"" for number in range(5_001)})
    assert "parts" in refusal(tmp_path, crowd)


@pytest.mark.parametrize("part", ["word/document.xml", "word/styles.xml", "[Content_Types].xml", "_rels/.rels"])
def test_a_billion_laughs_expand_to_nothing(tmp_path: Path, saved: Saved, with_parts: Saved, part: str) -> None:
    whole = saved(document("Hello."))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        old = archive.read(part).partition(b"?>")[2]
    hostile = f'<!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]>'.encode() + old.replace(b"Hello.", b"Hello&l9;")
    try:
        text = text_in(pages_of(tmp_path, with_parts(whole, {part: hostile})))
    except ToolError as refused:
        assert "damaged" in refused.message
    else:
        assert text in ("Hello.\n", "Hello\n")


def test_no_file_of_the_server_is_drawn_in(tmp_path: Path, saved: Saved, with_parts: Saved) -> None:
    (tmp_path / "secret").write_text("s3cret")
    whole = saved(document("Hello."))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        old = archive.read("word/document.xml").partition(b"?>")[2]
    hostile = f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'.encode() + old.replace(
        b"Hello.", b"Hi&x;"
    )
    assert "s3cret" not in text_in(pages_of(tmp_path, with_parts(whole, {"word/document.xml": hostile})))


def parts_of(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def related(package: bytes, kind: str, target: str) -> dict[str, bytes]:
    """The relationships of the document's text, and one more."""
    old = parts_of(package)["word/_rels/document.xml.rels"]
    base = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    more = f'<Relationship Id="rIdMore" Type="{base}/{kind}" Target="{target}"/></Relationships>'
    return {"word/_rels/document.xml.rels": old.replace(b"</Relationships>", more.encode())}


@pytest.mark.parametrize("target", ["NULL", "../NULL", "media/gone.png", "/word/media/gone.png", "../../../etc/passwd"])
def test_a_picture_that_is_lost_does_not_cost_the_text(
    tmp_path: Path, saved: Saved, with_parts: Saved, target: str
) -> None:
    whole = saved(document())
    assert text_in(pages_of(tmp_path, with_parts(whole, related(whole, "image", target)))) == "Hello.\n"


def test_styles_that_are_lost_do_not_cost_the_text(tmp_path: Path, saved: Saved) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as package:
        for name, data in parts_of(saved(document())).items():
            if name != "word/styles.xml":
                package.writestr(name, data)
    assert text_in(pages_of(tmp_path, whole.getvalue())) == "Hello.\n"


def test_a_strict_document_is_read(tmp_path: Path, saved: Saved, with_parts: Saved) -> None:
    whole = saved(document())
    strict = {
        name: data.replace(
            b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        ).replace(
            b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
            b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        )
        for name, data in parts_of(whole).items()
        if name.endswith((".xml", ".rels"))
    }
    assert text_in(pages_of(tmp_path, with_parts(whole, strict))) == "Hello.\n"


def test_a_part_in_another_format_is_not_passed_over(tmp_path: Path, of_xml: Callable[[str], bytes]) -> None:
    whole = of_xml("<w:p><w:r><w:t>Before.</w:t></w:r></w:p><w:altChunk/>")
    assert "another format" in refusal(tmp_path, whole)


def test_deep_nesting_is_damage(tmp_path: Path, of_xml: Callable[[str], bytes]) -> None:
    deep = of_xml("<w:sdt><w:sdtContent>" * 50_000 + "</w:sdtContent></w:sdt>" * 50_000)
    assert "damaged" in refusal(tmp_path, deep)
