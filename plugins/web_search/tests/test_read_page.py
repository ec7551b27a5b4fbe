"""Reading pages: kinds, encodings, limits, and pages that want to do harm."""

from __future__ import annotations

import asyncio
import io
import os
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from agentic import AddressRefused, Fetched, FetchError, ToolError, ToolResult, ToolRetry
from agentic.testing.http import FakeHttp, page
from agentic.testing.tool import FakeContext, FakeSpace, call
from agentic_web_search.extraction import decoded
from agentic_web_search.kinds import kind_of
from agentic_web_search.read_tool import ReadPageTool
from agentic_web_search.settings import Settings

URL = "https://example.org/page"
PARAGRAPH = "Otters live along rivers and coasts, and sleep in dens that they dig into the banks. "


def article(body: str, head: str = "") -> str:
    return (
        f"<!doctype html><html><head><title>About otters</title>{head}</head><body><nav><a href='/'>Home</a> Menu</nav>"
        f"<article><h1>About otters</h1>{body}</article><footer>All rights reserved</footer></body></html>"
    )


async def read(found: Fetched | FetchError, url: str = URL, start: int = 0, **settings: Any) -> ToolResult:
    web = FakeHttp({URL: found})
    context = FakeContext(space=FakeSpace(http=web))
    return await call(ReadPageTool(Settings(**settings)), {"url": url, "start": start}, context)


def a_pdf(text: str) -> bytes:
    """One page with the text in Helvetica."""
    drawn = zlib.compress(f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode())
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> "
        b">> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (A paper on otters) /CreationDate (D:20250102000000Z) >>",
    ]
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 7\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


async def test_main_text_is_read_with_title_and_date_and_cited() -> None:
    head = '<meta property="article:published_time" content="2026-03-04T10:00:00Z">'
    table = "<table><tr><th>kind</th><th>kg</th></tr><tr><td>sea otter</td><td>30</td></tr></table>"
    result = await read(page(article(f"<p>{PARAGRAPH * 3}</p><ul><li>fish</li><li>crabs</li></ul>{table}", head)))
    assert result.content.startswith(f"About otters\n{URL}\nPublished: 2026-03-04\n\n# About otters\n")
    for part in (PARAGRAPH.strip(), "- fish", "| sea otter | 30 |"):
        assert part in result.content
    assert "Menu" not in result.content and "All rights reserved" not in result.content
    assert [(one.url, one.title) for one in result.citations] == [(URL, "About otters")]


async def test_where_the_page_came_from_after_redirects_is_cited() -> None:
    moved = "https://example.org/moved"
    result = await read(page(article(f"<p>{PARAGRAPH * 3}</p>"), url=moved))
    assert moved in result.content
    assert result.citations[0].url == moved


@pytest.mark.parametrize(
    "written", ["<p>Otters swim</p>", "Otters swim", "<!doctype html><title>x</title><p>Otters swim"]
)
async def test_page_without_its_frame_is_read(written: str) -> None:
    assert (await read(page(written))).content.endswith("Otters swim")


@pytest.mark.parametrize("written", ["example.org/page", "<https://example.org/page>", " 'https://example.org/page' "])
async def test_address_is_taken_as_models_write_it(written: str) -> None:
    assert "a note" in (await read(page("a note", media_type="text/plain"), written)).content


@pytest.mark.parametrize("written", ["", "  ", "<>", "the otter page"])
async def test_what_is_no_address_is_to_be_asked_again(written: str) -> None:
    with pytest.raises(ToolRetry, match="no address"):
        await read(page("x"), written)


async def test_refused_address_reaches_the_model_as_the_kernel_puts_it() -> None:
    with pytest.raises(AddressRefused, match="only public"):
        await read(AddressRefused("10.0.0.1 is not fetched: only public web addresses are fetched."))


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (404, "The page answers with status 404 Not Found."),
        (403, "The page answers with status 403 Forbidden. It wants a login, or turns programs away."),
        (503, "The page answers with status 503 Service Unavailable."),
        (799, "The page answers with status 799."),
        (304, "The page is empty."),
    ],
)
async def test_page_that_is_not_there_is_told(status: int, told: str) -> None:
    with pytest.raises(ToolError) as failure:
        await read(page("<p>sorry</p>", status=status))
    assert failure.value.message == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (page(""), "The page is empty"),
        (page(" \n "), "The page is empty"),
        (page("<html><body><div id=app></div><script>render()</script></body></html>"), "has no text"),
        (page(b"\x89PNG\r\n", media_type="image/png"), "no page with text, but image/png"),
        (page(b"PK\x03\x04\0\0", media_type=""), "data of an unknown kind"),
        (page(b"\0\0\0\x18ftyp", media_type="application/octet-stream"), "but application/octet-stream"),
        (page(b"%PDF-1.7 broken", media_type="application/pdf"), "cannot be read; it may be broken"),
        (page("<div>" * 200_000 + "x"), "has no text"),
    ],
)
async def test_what_has_no_text_is_refused_with_the_reason(found: Fetched, told: str) -> None:
    with pytest.raises(ToolError, match=told):
        await read(found)


async def test_text_of_a_pdf_is_read_with_title_and_date() -> None:
    result = await read(page(a_pdf("Otters hold hands"), media_type="application/octet-stream"))
    assert result.content == f"A paper on otters\n{URL}\nPublished: 2025-01-02\n\nOtters hold hands"
    assert result.citations[0].title == "A paper on otters"


@pytest.mark.parametrize(
    ("media_type", "text"),
    [
        ("text/plain", "a < b\n\n  kept"),
        ("application/json", '{"otters": 2}'),
        ("text/markdown", "# Otters"),
        ("text/csv", "a,b\n1,2"),
    ],
)
async def test_text_files_are_given_as_they_are(media_type: str, text: str) -> None:
    assert (await read(page(text, media_type=media_type))).content == f"{URL}\n\n{text}"


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("Größe 5 €".encode("cp1252"), "iso-8859-1"),
        ("Größe 5 €".encode("cp1252"), "windows-1252"),
        ("Größe 5 €".encode(), "utf-8"),
        ("Größe 5 €".encode(), ""),
        ("Größe 5 €".encode(), "no-such-charset"),
        (b"\xef\xbb\xbf" + "Größe 5 €".encode(), "iso-8859-1"),
        ("Größe 5 €".encode("utf-16"), ""),
        ('<meta charset="windows-1252">Größe 5 €'.encode("cp1252"), ""),
    ],
)
def test_encoding_is_what_mark_header_page_or_bytes_say(data: bytes, charset: str) -> None:
    assert decoded(data, "text/html", charset).removeprefix('<meta charset="windows-1252">') == "Größe 5 €"


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("shift_jis", "カワウソは川の近くに住んでいます。手をつないで眠ることで知られています。"),
        ("gb18030", "水獭生活在河流和海岸附近,它们睡觉时会牵着手,以免漂走。"),
        ("koi8-r", "Выдры живут у рек и на побережье и спят, держась за лапы, чтобы их не унесло."),
        ("euc-kr", "수달은 강과 해안 근처에 살며 손을 잡고 잠을 잔다고 알려져 있습니다."),
    ],
)
def test_encoding_that_nobody_names_is_guessed_from_the_bytes(codec: str, text: str) -> None:
    assert decoded((text * 20).encode(codec), "text/html", "") == text * 20


@pytest.mark.parametrize("charset", ["zip", "base64", "rot13", "idna", "unicode_escape", "\0", "x" * 1000])
def test_charset_that_is_none_harms_nobody(charset: str) -> None:
    assert "otters" in decoded(b"otters", "text/html", charset) or decoded(b"otters", "text/html", charset) == ""


async def test_long_page_comes_in_parts_that_make_the_whole() -> None:
    text = "".join(f"Line {n} of the page.\n" for n in range(100)).strip()
    parts, start = [], 0
    while True:
        content = (await read(page(text, media_type="text/plain"), start=start, read_page_max_characters=500)).content
        body = content.removeprefix(f"{URL}\n\n")
        part, more, _ = body.partition("\n\n[The page goes on: ")
        parts.append(part)
        if not more:
            break
        start += 500
        assert f"start={start}." in body
    assert "".join(parts) == text
    with pytest.raises(ToolError, match="has only"):
        await read(page(text, media_type="text/plain"), start=100_000)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (page("<!-- x --><!DOCTYPE html><p>x", media_type=""), "html"),
        (page("  <HTML><p>x", media_type="text/plain"), "html"),
        (page("just words", media_type=""), "text"),
        (page("just words".encode("utf-16"), media_type="text/plain"), "text"),
        (page("<svg/>", media_type="image/svg+xml"), "text"),
        (page("{}", media_type="application/ld+json"), "text"),
        (page(b"%PDF-1.4", media_type="text/html"), "pdf"),
        (page("x", media_type="video/mp4"), None),
        (page("x", media_type="application/zip"), None),
    ],
)
def test_kind_is_what_header_and_first_bytes_say(found: Fetched, kind: str | None) -> None:
    assert kind_of(found) == kind


async def test_address_type_and_size_are_the_limits_of_the_fetch() -> None:
    web = FakeHttp({URL: page("a note", media_type="text/plain")})
    tool = ReadPageTool(Settings(read_page_timeout=7, read_page_max_mb=0.5))
    await call(tool, {"url": URL}, FakeContext(space=FakeSpace(http=web)))
    (asked,) = web.asked
    assert (asked.url, asked.timeout_s, asked.max_bytes) == (URL, 7, 500_000)
    assert asked.headers["Accept"].startswith("text/html")


async def test_extraction_that_takes_too_long_is_ended_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_web_search import extractor

    async def asleep(*_: Any, **more: Any) -> asyncio.subprocess.Process:
        return await start("sleep", "60", **more)

    start = asyncio.create_subprocess_exec
    monkeypatch.setattr(extractor.asyncio, "create_subprocess_exec", asleep)
    reading = extractor.Extractor(512).read(page("x"), "text", start=0, most=10, seconds=0.3)
    began = time.monotonic()
    with pytest.raises(ToolError, match="could not be taken apart within"):
        await reading
    assert time.monotonic() - began < 3
    assert "sleep" not in _children()


async def test_extraction_that_is_cancelled_leaves_no_process() -> None:
    reading = asyncio.create_task(read(page(article(f"<p>{PARAGRAPH}</p>"))))
    async with asyncio.timeout(10):
        await _started()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert "extraction" not in _children()


async def test_page_that_eats_memory_is_refused_and_the_next_one_is_read() -> None:
    bomb = page("<p>" + "<b>x</b>" * 1_200_000)
    with pytest.raises(ToolError, match=r"memory|too large"):
        await read(bomb, read_page_memory_mb=256, read_page_timeout=20)
    assert "a note" in (await read(page("a note", media_type="text/plain"))).content


async def test_process_has_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_web_search.extractor import _environment

    monkeypatch.setenv("TAVILY_API_KEY", "tvly-secret")
    monkeypatch.setenv("SECRET_KEY", "secret")
    assert set(_environment()) <= {
        "SYSTEMROOT",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "PYTHONPATH",
        "PYTHONIOENCODING",
    }


async def _started() -> None:
    while "extraction" not in _children():  # noqa: ASYNC110 - only the system knows
        await asyncio.sleep(0.01)


def _children() -> str:
    """The command lines of this process's children."""
    found = []
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return "\n".join(found)
