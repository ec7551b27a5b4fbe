"""What of a PDF becomes text: numbered pages, headings from its table of contents, words that can be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentic import DocumentReader, Page
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
    import pypdf

    spoken = "e\ufb03cient \ufb02ow\x00 of x\u00b2\ud800\r\n"
    monkeypatch.setattr(pypdf.PageObject, "extract_text", lambda page: spoken)
    assert pages_of(PypdfReader(), pdf([["x"]]), tmp_path) == [Page("efficient flow of x²\ufffd\n", 1)]
