"""Of a web page all text is kept that a person would read, in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentic import DocumentReader, Page
from agentic.testing.reader import text_in
from agentic_readers_text.html_text import HtmlReader

Read = Callable[[DocumentReader, bytes], list[Page]]


def text_of(read: Read, body: str) -> str:
    return text_in(read(HtmlReader(), f"<!doctype html><html><body>{body}</body></html>".encode()))


def test_what_nobody_reads_is_dropped(read: Read) -> None:
    body = (
        "<script>var a</script><style>p{}</style><nav>menu</nav><div role=navigation>more menu</div>"
        "<template>t</template>"
        "<p hidden>secret</p><p style='display: none'>gone</p><svg><text>drawing</text></svg><!-- said aside -->"
        "<header>Letterhead</header>shown<aside>beside</aside><footer>below</footer>"
    )
    assert text_of(read, body) == "Letterhead\nshown\nbeside\nbelow\n"


def test_each_section_is_a_page_under_its_headings(read: Read) -> None:
    pages = read(
        HtmlReader(), b"<title>Site</title>intro<h1>One <i>two</i></h1>a<h2>Three</h2><h3>Four</h3><p>b<h2>Five</h2>c"
    )
    assert [(page.heading, page.text.strip()) for page in pages] == [
        ((), "Site\n\nintro"),
        (("One two",), "One two\n\na"),
        (("One two", "Three", "Four"), "Three\n\nFour\n\nb"),
        (("One two", "Five"), "Five\n\nc"),
    ]


def test_a_title_that_the_first_heading_repeats_is_written_once(read: Read) -> None:
    assert text_in(read(HtmlReader(), b"<title>Plan</title><h1>Plan</h1><p>text")) == "Plan\n\ntext\n"


def test_tables_of_data_have_a_line_a_row(read: Read) -> None:
    table = (
        "<table><caption>Stock</caption><thead><tr><th>Part</th><th>Note</th></tr></thead>"
        "<tr><td><p>Bolt</p><p>M8</p></td><td></td></tr><tr><td colspan=2>all<br>gone<ul><li>x</ul></td></tr>"
        "</table>after"
    )
    assert text_of(read, table) == "Stock\nPart | Note\nBolt M8 |\nall gone x\n\nafter\n"


def test_tables_that_place_things_are_read_cell_by_cell(read: Read) -> None:
    table = "<table><tr><td><h2>Menu</h2>soup</td><td><p>more</p><table><tr><td>a<td>b</table></td></tr></table>"
    assert text_of(read, table).split("\n\n") == ["Menu", "soup", "more", "a | b\n"]
    assert text_of(read, "<table role=presentation><tr><td>a<td>b</table>") == "a\nb\n"


def test_lists_keep_their_marks(read: Read) -> None:
    assert text_of(read, "<ul><li>a<ol><li>b<li><p>c</p></ol><li>d</ul>").replace("\n\n", "\n") == (
        "- a\n  1. b\n  2. c\n- d\n"
    )


def test_preformatted_text_keeps_its_lines(read: Read) -> None:
    assert (
        text_of(read, "x<pre>\ndef f():\n    <b>return</b> 1<br>#\n</pre>y") == "x\n\ndef f():\n    return 1\n#\n\ny\n"
    )


def test_programs_in_lists_and_tables_keep_their_lines(read: Read) -> None:
    assert text_of(read, "<ul><li><pre>a\nb</pre><li>c</ul>") == "- a\nb\n\n- c\n"
    assert text_of(read, "<table><tr><td><pre>1\n2</pre><td><pre>x = 1\ny</pre></table>") == "1\n2\n\nx = 1\ny\n"


def test_a_page_that_hides_until_its_scripts_run_is_read(read: Read) -> None:
    assert text_in(read(HtmlReader(), b"<!doctype html><body style='display:none'><p>text")) == "text\n"


def test_white_space_and_hidden_breaks_are_as_a_browser_shows_them(read: Read) -> None:
    body = "<p>a  b\n\tc&nbsp;d</p><p>Donau&shy;dampf&#8203;schiff</p>e<br>f <b>g</b> <i>h</i>"
    assert text_of(read, body) == "a b c d\n\nDonaudampfschiff\n\ne\nf g h\n"


def test_pictures_speak_by_their_description(read: Read) -> None:
    assert text_of(read, "<p>See <img src=x alt='the red chart'> here</p>") == "See the red chart here\n"


@pytest.mark.parametrize(
    "declared", ["", "<meta charset=iso-8859-1>", "<meta charset=nonsense>", "<meta charset=utf-8>"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_encodings_are_found_whatever_is_declared(read: Read, declared: str, encoding: str) -> None:
    page = f"<!doctype html>{declared}<p>Grüße für Jürgen und naïve Cafés</p>"
    assert text_in(read(HtmlReader(), page.encode(encoding))) == "Grüße für Jürgen und naïve Cafés\n"


def test_a_declared_encoding_counts_where_it_fits(read: Read) -> None:
    page = "<!doctype html><meta http-equiv='Content-Type' content='text/html; charset=windows-1251'><p>да</p>"
    assert text_in(read(HtmlReader(), page.encode("cp1251"))) == "да\n"


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("Shift_JIS", "cp932", "①㈱日本"),
        ("x-sjis", "cp932", "日本"),
        ("gb2312", "gbk", "朱镕基"),
        ("euc-kr", "cp949", "똠방각하"),
        ("windows-874", "tis-620", "ไทย"),
        ("latin1", "cp1252", "„größer“ – 5 €"),
        ("x-cp1255", "cp1255", "שלום"),
        ("csISOLatinCyrillic", "iso8859-5", "Привет"),
        ("iso-8859-8-i", "iso8859-8", "שלום"),
        ("iso-2022-jp", "iso2022-jp", "日本語の文章"),
    ],
)
def test_declared_encodings_are_what_browsers_take_them_for(
    read: Read, declared: str, encoding: str, text: str
) -> None:
    for head in (f"<meta charset='{declared}'>", f"<meta http-equiv=x content='text/html; charset={declared}'>"):
        page = f"<!doctype html>{head}<p>{text}</p>"
        assert text_in(read(HtmlReader(), page.encode(encoding))) == f"{text}\n"
    xhtml = f"<?xml version='1.0' encoding='{declared}'?><html><body><p>{text}</p></body></html>"
    assert text_in(read(HtmlReader(), xhtml.encode(encoding))) == f"{text}\n"


@pytest.mark.parametrize(
    "declared", ["utf-16", "UTF-32", "idna", "punycode", "undefined", "hex", "cp037", "UTF_8", "cp65001", "ascii"]
)
def test_a_declared_encoding_that_cannot_be_costs_nothing(read: Read, declared: str) -> None:
    page = f"<!doctype html><meta charset='{declared}'><p>Grüße für Jürgen und naïve Cafés</p>"
    assert text_in(read(HtmlReader(), page.encode("cp1252"))) == "Grüße für Jürgen und naïve Cafés\n"


@pytest.mark.parametrize(
    ("head", "name", "known"),
    [
        (b"<!DOCTYPE html><p>x", "page.txt", True),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->\n<html xmlns='x'>", "", True),
        (b"<p>Hello</p>", "page.html", True),
        (b"<p>Hello</p>", "page", True),
        (b"<p>Hello</p>", "page.txt", False),
        (b"a < b and b > c", "page.html", False),
        (b"Hello, plain text", "page.html", False),
        (b"<?xml version='1.0'?><feed/>", "feed.xml", False),
        (b"<p>Hello</p>\x00\x01\x02\x03", "page.html", False),
    ],
)
def test_content_decides_what_a_page_is(head: bytes, name: str, known: bool) -> None:
    assert HtmlReader().recognise(head, name) == ("text/html" if known else None)


def test_a_billion_laughs_are_not_laughed(read: Read) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    page = (
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY l0 "ha">{laughs}]><html><body><p>Joke: &l9;</p></body></html>'
    )
    assert len(text_in(read(HtmlReader(), page.encode()))) < len(page)


def test_no_file_of_the_server_is_drawn_in(read: Read) -> None:
    page = b'<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>Hi &x;</p></body></html>'
    assert "root:" not in text_in(read(HtmlReader(), page))


@pytest.mark.parametrize("element", ["div", "b", "ul><li", "table><tr><td", "h1"])
def test_deep_nesting_loses_nothing(read: Read, element: str) -> None:
    assert "the core" in text_of(read, f"<{element}>" * 500 + "the core")


def test_nesting_without_end_is_refused(refusal: Callable[[DocumentReader, bytes], str]) -> None:
    assert "deep" in refusal(HtmlReader(), b"<!doctype html><p>before" + b"<div>" * 100_000 + b"the core")


def test_many_elements_are_read_in_time(read: Read) -> None:
    text = text_of(read, "<p>a <b>b</b><table><tr><td>c</table>" * 5_000)
    assert text.count("a b\n") == 5_000
