"""What of a document of Word becomes text, and in which order."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE

from agentic import Page
from agentic.testing.reader import text_in
from agentic_readers_docx.reader import DocxReader

Read = Callable[[bytes], list[Page]]
OfXml = Callable[[str], bytes]
Saved = Callable[[Document], bytes]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(data: bytes) -> list[Page]:
        (tmp_path / "document").write_bytes(data)
        return list(DocxReader().read(tmp_path / "document"))

    return read


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def cell(inner: str) -> str:
    return f"<w:tc>{inner}</w:tc>"


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def test_each_section_is_a_page_under_its_headings(read: Read, saved: Saved) -> None:
    document = docx.Document()
    for level, title, text in ((0, "Book", "Preface"), (1, "One", "a"), (2, "Inner", "b"), (1, "Two", "c")):
        document.add_heading(title, level)
        document.add_paragraph(text)
    assert [(page.heading, page.text) for page in read(saved(document))] == [
        (("Book",), "Book\n\nPreface\n"),
        (("Book", "One"), "One\n\na\n"),
        (("Book", "One", "Inner"), "Inner\n\nb\n"),
        (("Book", "Two"), "Two\n\nc\n"),
    ]


def test_a_heading_without_text_stays_with_the_next(read: Read, saved: Saved) -> None:
    document = docx.Document()
    document.add_heading("Part", 1)
    document.add_heading("Chapter", 2)
    document.add_paragraph("Text.")
    assert read(saved(document)) == [Page("Part\n\nChapter\n\nText.\n", 0, ("Part", "Chapter"))]


def test_a_style_that_builds_on_a_heading_is_one(read: Read, saved: Saved) -> None:
    document = docx.Document()
    style = document.styles.add_style("Clause", WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = document.styles["Heading 2"]
    document.add_paragraph("Liability", style="Clause")
    document.add_paragraph("None.")
    assert read(saved(document))[0].heading == ("Liability",)


def test_an_outline_level_makes_a_heading_of_any_paragraph(read: Read, of_xml: OfXml) -> None:
    pages = read(
        of_xml(p("Scope", '<w:outlineLvl w:val="0"/>') + p("All of it.") + p("No", '<w:outlineLvl w:val="9"/>'))
    )
    assert [page.heading for page in pages] == [("Scope",)]


def test_tables_stand_where_they_belong(read: Read, of_xml: OfXml) -> None:
    rows = (cell(p("a")) + cell(p("b1") + p("b2")), cell(p("")) + cell(p("d")))
    assert text_in(read(of_xml(p("before") + table(*rows) + p("after")))) == "before\n\na | b1 b2\n | d\n\nafter\n"


def test_merged_cells_are_written_once(read: Read, of_xml: OfXml) -> None:
    wide = '<w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>' + p("wide") + "</w:tc>"
    high = '<w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr>' + p("high") + "</w:tc>"
    below = "<w:tc><w:tcPr><w:vMerge/></w:tcPr>" + p("") + "</w:tc>"
    found = text_in(read(of_xml(table(wide, high + cell(p("x")), below + cell(p("y"))))))
    assert found == "wide\nhigh | x\n | y\n"


@pytest.mark.parametrize(
    "inner",
    [table(cell(p("left")) + cell(p("right"))), p("Skills", '<w:outlineLvl w:val="0"/>') + p("left | right")],
    ids=["another table", "a heading"],
)
def test_a_table_that_places_things_is_read_cell_by_cell(read: Read, of_xml: OfXml, inner: str) -> None:
    found = text_in(read(of_xml(table(cell(inner) + cell(p("beside"))))))
    assert "left | right\n\nbeside\n" in found


def test_changes_count_as_accepted(read: Read, of_xml: OfXml) -> None:
    inserted = "<w:ins w:id='1'><w:r><w:t>new</w:t></w:r></w:ins>"
    deleted = "<w:del w:id='2'><w:r><w:delText>old</w:delText></w:r></w:del>"
    gone = "<w:tr><w:trPr><w:del w:id='3'/></w:trPr>" + cell(p("gone")) + "</w:tr>"
    kept = "<w:tr>" + cell(p("kept")) + cell(p("too")) + "</w:tr>"
    found = text_in(read(of_xml(f"<w:p>{deleted}{inserted}</w:p><w:tbl>{gone}{kept}</w:tbl>")))
    assert found == "new\n\nkept | too\n"


def test_hidden_text_is_left_out(read: Read, of_xml: OfXml) -> None:
    run = "<w:r><w:rPr><w:vanish{}/></w:rPr><w:t>{} </w:t></w:r>"
    marks = [("", "hidden"), (' w:val="1"', "hidden"), (' w:val="0"', "shown"), (' w:val="false"', "shown too")]
    text = text_in(read(of_xml(f"<w:p>{''.join(run.format(*one) for one in marks)}</w:p>")))
    assert text.split() == ["shown", "shown", "too"]


def test_content_controls_links_and_fields_are_read(read: Read, of_xml: OfXml) -> None:
    control = f"<w:sdt><w:sdtPr/><w:sdtContent>{p('in a control')}</w:sdtContent></w:sdt>"
    link = "<w:p><w:r><w:t>see </w:t></w:r><w:hyperlink><w:r><w:t>the site</w:t></w:r></w:hyperlink></w:p>"
    field = "<w:p><w:r><w:instrText>PAGEREF x</w:instrText></w:r><w:r><w:t>page 7</w:t></w:r></w:p>"
    assert text_in(read(of_xml(control + link + field))) == "in a control\n\nsee the site\n\npage 7\n"


def test_tabs_breaks_and_hyphens_stay(read: Read, of_xml: OfXml) -> None:
    run = (
        "<w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>e</w:t><w:noBreakHyphen/><w:t>mai</w:t><w:softHyphen/><w:t>l</w:t>"
    )
    assert text_in(read(of_xml(f"<w:p><w:r>{run}</w:r></w:p>"))) == "a\tb\ne-mail\n"


def test_a_text_box_is_read_once(read: Read, of_xml: OfXml) -> None:
    box = f"<w:txbxContent>{p('in the box')}</w:txbxContent>"
    both = (
        f"<mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent>"
    )
    found = text_in(read(of_xml(f"<w:p><w:r><w:t>text</w:t></w:r><w:r>{both}</w:r></w:p>")))
    assert found == "text\n\nin the box\n"


def test_the_table_of_contents_is_left_out(read: Read, saved: Saved) -> None:
    document = docx.Document()
    document.styles.add_style("toc 1", WD_STYLE_TYPE.PARAGRAPH)
    document.add_paragraph("Scope .......... 3", style="toc 1")
    document.add_paragraph("Text.")
    assert text_in(read(saved(document))) == "Text.\n"


def test_headers_and_footers_are_left_out(read: Read, saved: Saved) -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "CONFIDENTIAL"
    document.sections[0].footer.paragraphs[0].text = "page 1 of 1"
    document.add_paragraph("Text.")
    assert text_in(read(saved(document))) == "Text.\n"


def test_notes_follow_their_paragraph(
    read: Read, saved: Saved, with_parts: Callable[[bytes, Mapping[str, bytes]], bytes]
) -> None:
    name = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    whole = saved(docx.Document())
    relations = _part(whole, "word/_rels/document.xml.rels").replace(
        b"</Relationships>", f'<Relationship Id="rId99" Type="{kind}" Target="footnotes.xml"/></Relationships>'.encode()
    )
    note = f'<w:footnote w:id="2">{p("A source.")}</w:footnote>'
    claim = "<w:p><w:r><w:t>A claim.</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r></w:p>"
    parts = {
        "word/_rels/document.xml.rels": relations,
        "word/footnotes.xml": f"<w:footnotes {name}>{note}</w:footnotes>".encode(),
        "word/document.xml": f"<w:document {name}><w:body>{claim}{p('More.')}</w:body></w:document>".encode(),
    }
    data = with_parts(whole, parts)
    assert text_in(read(data)) == "A claim.\nNote: A source.\n\nMore.\n"


def _part(package: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return archive.read(name)


def test_a_long_section_becomes_several_pages_under_one_heading(read: Read, of_xml: OfXml) -> None:
    heading = p("All", '<w:outlineLvl w:val="0"/>')
    pages = read(of_xml(heading + "".join(p(f"{number} " + "word " * 40) for number in range(1000))))
    assert len(pages) > 2
    assert {page.heading for page in pages} == {("All",)}
    assert max(len(page.text) for page in pages) <= 60_000
