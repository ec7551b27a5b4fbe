"""What of a PDF becomes text: numbered pages, headings from its table of contents, words that can be found."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pypdf
import pytest
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject, TextStringObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from agentic import DocumentReader, Page, ToolError
from agentic.testing.reader import text_in
from agentic_readers_pdf import agentic_document_readers
from agentic_readers_pdf.outline import Entry, Outline
from agentic_readers_pdf.pdfium import PdfiumReader
from agentic_readers_pdf.pure import PypdfReader
from agentic_readers_pdf.settings import Settings

MakePdf = Callable[..., bytes]
PARTS = ["Welcome", "to the guide.", "Second part", "It begins in the middle."]
MARKS = [(0, "Guide", 1), (1, "Second part", 1), (1, "Third part", 3)]


@pytest.fixture(scope="module")
def thousand(pdf: MakePdf) -> bytes:
    return pdf([[f"page {number}"] for number in range(1, 1001)])


@pytest.fixture(params=[PypdfReader, PdfiumReader])
def reader(request: pytest.FixtureRequest) -> DocumentReader:
    made: DocumentReader = request.param()
    return made


def pages_of(reader: DocumentReader, data: bytes, folder: Path) -> list[Page]:
    (folder / "document").write_bytes(data)
    return list(reader.read(folder / "document"))


def test_the_setting_chooses_the_engine() -> None:
    assert isinstance(agentic_document_readers(Settings()), PdfiumReader)
    assert isinstance(agentic_document_readers(Settings(readers_pdf_engine="pypdf")), PypdfReader)


def test_pages_keep_their_numbers_past_empty_ones(reader: DocumentReader, pdf: MakePdf, tmp_path: Path) -> None:
    pages = pages_of(reader, pdf([["one"], [], ["three"]]), tmp_path)
    assert pages == [Page("one\n", 1), Page("", 2), Page("three\n", 3)]


def test_the_table_of_contents_gives_headings(reader: DocumentReader, pdf: MakePdf, tmp_path: Path) -> None:
    pages = pages_of(reader, pdf([PARTS, ["goes on"], ["Third part", "ends"]], outline=MARKS), tmp_path)
    assert pages == [
        Page("Welcome\nto the guide.\n", 1, ("Guide",)),
        Page("Second part\nIt begins in the middle.\n", 1, ("Guide", "Second part")),
        Page("goes on\n", 2, ("Guide", "Second part")),
        Page("Third part\nends\n", 3, ("Guide", "Third part")),
    ]


def test_a_thousand_pages_are_read_one_after_another(reader: DocumentReader, thousand: bytes, tmp_path: Path) -> None:
    (tmp_path / "document").write_bytes(thousand)
    reading = reader.read(tmp_path / "document")
    assert next(reading) == Page("page 1\n", 1)
    assert [page.text for page in reading] == [f"page {number}\n" for number in range(2, 1001)]


def test_a_title_that_is_not_on_the_page_counts_from_the_next() -> None:
    outline = Outline([Entry(0, "One", 1), Entry(1, "Picture", 1), Entry(1, "Two", 2)])
    assert list(outline.cut(1, "One\ntext\n")) == [Page("One\ntext\n", 1, ("One",))]
    assert list(outline.cut(2, "rest\nTwo\n")) == [
        Page("rest\n", 2, ("One", "Picture")),
        Page("Two\n", 2, ("One", "Two")),
    ]


def test_a_title_is_found_behind_its_number_and_in_other_letters() -> None:
    outline = Outline([Entry(0, "Scope (draft)", 1), Entry(0, "Terms  of use", 1)])
    parts = list(outline.cut(1, "intro\n1.2 SCOPE (draft)\ntext\nA. Terms of use\nmore about terms of use\n"))
    assert [part.text for part in parts] == [
        "intro\n",
        "1.2 SCOPE (draft)\ntext\n",
        "A. Terms of use\nmore about terms of use\n",
    ]


def test_headings_are_bounded() -> None:
    outline = Outline([Entry(0, "x" * 10_000, 1), Entry(1, " \n", 1)])
    assert [len(title) for title in next(iter(outline.cut(1, "text"))).heading] == [200]


def test_ligatures_become_letters_that_can_be_searched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pdf: MakePdf
) -> None:
    spoken = "e\ufb03cient \ufb02ow\x00 of x\u00b2\ud800\r\n"
    monkeypatch.setattr(pypdf.PageObject, "extract_text", lambda page: spoken)
    assert pages_of(PypdfReader(), pdf([["x"]]), tmp_path) == [Page("efficient flow of x²\ufffd\n", 1)]


def noted(data: bytes, kind: str, text: str, flags: int = 4) -> bytes:
    """The document with a field (``/Widget``) or a note (``/FreeText``) on its first page."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    page = writer.pages[0]
    box = ArrayObject(map(NumberObject, (50, 400, 450, 430)))
    looks = DecodedStreamObject()
    looks.set_data(f"BT /F1 12 Tf 5 10 Td ({text}) Tj ET".encode())
    looks.update({NameObject("/Type"): NameObject("/XObject"), NameObject("/Subtype"): NameObject("/Form")})
    looks.update({NameObject("/BBox"): ArrayObject(map(NumberObject, (0, 0, 400, 30)))})
    looks[NameObject("/Resources")] = page["/Resources"]
    drawn = DictionaryObject({NameObject("/N"): writer._add_object(looks)})
    note = DictionaryObject({NameObject("/Type"): NameObject("/Annot"), NameObject("/Subtype"): NameObject(kind)})
    note.update({NameObject("/Rect"): box, NameObject("/F"): NumberObject(flags), NameObject("/AP"): drawn})
    note[NameObject("/V" if kind == "/Widget" else "/Contents")] = TextStringObject(text)
    page[NameObject("/Annots")] = ArrayObject([writer._add_object(note)])
    whole = io.BytesIO()
    writer.write(whole)
    return whole.getvalue()


@pytest.mark.parametrize("kind", ["/Widget", "/FreeText"])
def test_what_is_filled_into_a_form_is_read_with_its_page(
    reader: DocumentReader, pdf: MakePdf, tmp_path: Path, kind: str
) -> None:
    pages = pages_of(reader, noted(pdf([["Surname:"], ["end"]]), kind, "Lovelace"), tmp_path)
    assert pages == [Page("Surname:\nLovelace\n", 1), Page("end\n", 2)]


def test_a_form_whose_fields_alone_hold_text_is_no_picture(
    reader: DocumentReader, pdf: MakePdf, tmp_path: Path
) -> None:
    assert [page.text.strip() for page in pages_of(reader, noted(pdf([[]]), "/Widget", "Lovelace"), tmp_path)] == [
        "Lovelace"
    ]


def test_a_field_that_no_viewer_shows_is_not_read(reader: DocumentReader, pdf: MakePdf, tmp_path: Path) -> None:
    assert pages_of(reader, noted(pdf([["Surname:"]]), "/Widget", "secret", flags=2), tmp_path) == [
        Page("Surname:\n", 1)
    ]


def test_marks_within_words_do_not_hide_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pdf: MakePdf) -> None:
    monkeypatch.setattr(pypdf.PageObject, "extract_text", lambda page: "exam\xadple of zero\u200bwidth\u2060 marks")
    assert pages_of(PypdfReader(), pdf([["x"]]), tmp_path) == [Page("example of zerowidth marks\n", 1)]


def _from_top_to_bottom(title: str, lines: Sequence[str]) -> bytes:
    """A page of Japanese whose font no file holds, under a title from left to right."""
    whole = io.BytesIO()
    canvas = Canvas(whole, invariant=1)
    font = UnicodeCIDFont("HeiseiMin-W3", isVertical=True)
    pdfmetrics.registerFont(font)
    canvas.drawString(50, 780, title)
    canvas.setFont(font.fontName, 20)
    for number, line in enumerate(lines):
        canvas.drawString(500 - 30 * number, 700, line)
    canvas.showPage()
    canvas.drawString(50, 780, "The next page")
    canvas.save()
    return whole.getvalue()


def test_lines_from_top_to_bottom_are_read_though_the_file_holds_no_font(
    reader: DocumentReader, tmp_path: Path
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(_from_top_to_bottom("Minutes", ["日本語の文章", "今日はいい天気"]))
    first, second = reader.read(path)
    assert {"Minutes", "日本語の文章", "今日はいい天気"} <= set(first.text.split())
    assert second.text == "The next page\n"


def test_pages_that_are_whole_are_read_by_one_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pdf: MakePdf, scan: Callable[[int], bytes]
) -> None:
    monkeypatch.setattr(PypdfReader, "opened", None)
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([["A short page."], [], [f"Line {n} of a long page." for n in range(50)]]))
    assert text_in(list(PdfiumReader().read(path))).startswith("A short page.")
    path.write_bytes(scan(2))
    with pytest.raises(ToolError, match="pictures"):
        list(PdfiumReader().read(path))
