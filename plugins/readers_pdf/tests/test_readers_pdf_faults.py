"""Files that look like PDF and are broken, protected or hostile get a clear answer, whichever engine reads."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NullObject, NumberObject, TextStringObject

from agentic import DocumentReader, Page, ToolError
from agentic.testing.reader import text_in
from agentic_readers_pdf.pdfium import PdfiumReader
from agentic_readers_pdf.pure import PypdfReader

MakePdf = Callable[..., bytes]


@pytest.fixture(params=[PypdfReader, PdfiumReader])
def reader(request: pytest.FixtureRequest) -> DocumentReader:
    made: DocumentReader = request.param()
    return made


def pages_of(reader: DocumentReader, data: bytes, folder: Path) -> list[Page]:
    (folder / "document").write_bytes(data)
    return list(reader.read(folder / "document"))


def refusal(reader: DocumentReader, data: bytes, folder: Path) -> str:
    with pytest.raises(ToolError) as refused:
        pages_of(reader, data, folder)
    return refused.value.message


def written(writer: pypdf.PdfWriter) -> bytes:
    whole = io.BytesIO()
    writer.write(whole)
    return whole.getvalue()


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_password_is_asked_for_in_every_encryption(
    reader: DocumentReader, pdf: MakePdf, tmp_path: Path, algorithm: str
) -> None:
    for password, words in (("s3cret", "password"), ("", "")):
        writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["the text"]])))
        writer.encrypt(password, "owner", algorithm=algorithm)
        if words:
            assert words in refusal(reader, written(writer), tmp_path)
        else:
            assert text_in(pages_of(reader, written(writer), tmp_path)) == "the text\n"


def test_a_lock_of_another_kind_is_told_as_a_lock(pdf: MakePdf, tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["the text"]])))
    lock = DictionaryObject({NameObject("/Filter"): NameObject("/Adobe.PubSec"), NameObject("/V"): NumberObject(4)})
    held = writer._add_object(lock)
    number = held.idnum
    whole = written(writer).replace(b"trailer\n<<", b"trailer\n<<\n/Encrypt %d 0 R" % number)
    assert b"/Encrypt" in whole
    assert "password" in refusal(PdfiumReader(), whole, tmp_path)


def test_pictures_of_pages_are_told_with_a_way_out(
    reader: DocumentReader, scan: Callable[[int], bytes], tmp_path: Path
) -> None:
    assert "OCR" in refusal(reader, scan(3), tmp_path)


def test_one_page_of_text_among_pictures_is_enough(
    reader: DocumentReader, pdf: MakePdf, scan: Callable[[int], bytes], tmp_path: Path
) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(scan(2)))
    writer.append(io.BytesIO(pdf([["a caption"]])))
    assert [page.text for page in pages_of(reader, written(writer), tmp_path)] == ["", "", "a caption\n"]


def test_a_document_without_pages_is_told(tmp_path: Path) -> None:
    assert "no pages" in refusal(PypdfReader(), written(pypdf.PdfWriter()), tmp_path)


def test_damage_is_told_with_a_way_out(reader: DocumentReader, tmp_path: Path) -> None:
    assert "save it anew" in refusal(reader, b"%PDF-1.7\nnothing more", tmp_path)


def test_what_the_engines_make_of_a_lost_end(pdf: MakePdf, tmp_path: Path) -> None:
    whole = pdf([["first"], ["second"]])
    cut = whole[: whole.rindex(b"startxref")]
    assert text_in(pages_of(PdfiumReader(), cut, tmp_path)) == "first\nsecond\n"
    assert "damaged" in refusal(PypdfReader(), cut, tmp_path)


def test_a_damaged_page_is_named(pdf: MakePdf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(page: pypdf.PageObject) -> str:
        if page.page_number == 1:
            raise ZeroDivisionError
        return "text"

    monkeypatch.setattr(pypdf.PageObject, "extract_text", fails)
    assert "Page 2 of this PDF is damaged" in refusal(PypdfReader(), pdf([["one"], ["two"]]), tmp_path)


def test_a_page_that_the_fast_engine_cannot_load_is_named(pdf: MakePdf, tmp_path: Path) -> None:
    whole = pdf([["one"], ["two"]])
    broken = re.sub(rb"/Kids \[ (\d+ 0 R) \d+ 0 R \]", rb"/Kids [ \1 99 0 R ]", whole)
    assert broken != whole
    assert "Page 2 of this PDF is damaged" in refusal(PdfiumReader(), broken, tmp_path)


def test_a_stream_that_unpacks_without_end_is_not_unpacked(pdf: MakePdf, tmp_path: Path) -> None:
    bomb = zlib.compress(zlib.compress(b"0 0 m\n" * 13_000_000))
    assert len(bomb) < 10_000
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["text"]])))
    stream = pypdf.generic.StreamObject()
    stream._data = bomb
    stream[NameObject("/Filter")] = ArrayObject([NameObject("/FlateDecode")] * 2)
    writer.pages[0][NameObject("/Contents")] = writer._add_object(stream)
    assert "far more than a document holds" in refusal(PypdfReader(), written(writer), tmp_path)


def test_pages_that_hold_themselves_end(reader: DocumentReader, pdf: MakePdf, tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["text"]])))
    root = writer._pages.get_object() if hasattr(writer._pages, "get_object") else writer._pages
    root["/Kids"].append(writer.root_object.raw_get("/Pages"))
    try:
        assert "text" in text_in(pages_of(reader, written(writer), tmp_path))
    except ToolError as refused:
        assert "damaged" in refused.message


@pytest.mark.parametrize("target", ["a circle", "nowhere", "nonsense"])
def test_a_broken_table_of_contents_does_not_cost_the_text(
    reader: DocumentReader, pdf: MakePdf, tmp_path: Path, target: str
) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([["the text"]])))
    entry = DictionaryObject({NameObject("/Title"): TextStringObject("Part")})
    held = writer._add_object(entry)
    if target == "a circle":
        entry.update({NameObject("/Next"): held, NameObject("/First"): held})
    elif target == "nowhere":
        entry[NameObject("/Dest")] = ArrayObject([NullObject(), NameObject("/Fit")])
    else:
        entry[NameObject("/Dest")] = NumberObject(7)
    writer.root_object[NameObject("/Outlines")] = DictionaryObject(
        {NameObject("/First"): held, NameObject("/Last"): held}
    )
    assert text_in(pages_of(reader, written(writer), tmp_path)) == "the text\n"


@pytest.mark.parametrize("name", ["letter.txt", "letter.docx", "letter", "letter.pdf.exe"])
def test_a_wrong_name_makes_no_difference(reader: DocumentReader, pdf: MakePdf, name: str) -> None:
    assert reader.recognise(pdf([["text"]]), name) == "application/pdf"


def test_a_text_about_pdf_is_none(reader: DocumentReader) -> None:
    for text in (b"Every file begins with %PDF-1.7 and so on.", b"Look:\n%PDF-1.7\nThat is how it begins.", b"%PDF-x"):
        assert reader.recognise(text, "about.pdf") is None
