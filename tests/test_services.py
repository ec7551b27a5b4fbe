"""What a plugin's service is held to: its time, its size, its own origin; every fault is told, and the next call works.

What plugins make of the answers is theirs to test.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from typing import Any

import pytest

from agentic import Json, ToolError
from agentic.services import JsonService
from agentic.testing.scripted_answers import Answer, cuts, fails, hangs, sends
from agentic.testing.scripted_server import RecordedRequest
from agentic.testing.scripted_service import ScriptedService, gives, huge, late, moved, packed

LATER = (("Retry-After", format_datetime(datetime.now(UTC) + timedelta(days=30), usegmt=True)),)
BOMB = b'{"x": "' + b"x" * 50_000_000 + b'"}'


class Library(ScriptedService):
    """Tells of a book what it was asked for."""

    name = "library"

    def right_answer(self, request: RecordedRequest) -> Answer:
        return gives({"path": request.path, "asked": request.query})

    def refusal(self, answer: Answer) -> Json:
        return {"why": answer.error}


class Opened:
    """The service under test, and the address that it is asked at."""

    def __init__(self, url: str, service: JsonService) -> None:
        self.url = url
        self.service = service

    async def get(self, path: str = "/books", **params: str) -> Json:
        return await self.service.get(self.url + path, params)


@pytest.fixture
def library() -> Library:
    return Library()


@asynccontextmanager
async def opened(library: Library, **options: Any) -> AsyncIterator[Opened]:
    options = {"distribution": "agentic-server", "timeout_s": 30, "reason_field": "why", **options}
    async with library.serve() as url:
        service = JsonService("The library", **options)
        yield Opened(url, service)
        await service.aclose()


@pytest.fixture
async def books(library: Library) -> AsyncIterator[Opened]:
    async with opened(library) as made:
        yield made


async def asked(library: Library) -> None:
    """Return when the first request has come."""
    for _ in range(1000):
        if library.requests:
            return
        await asyncio.sleep(0.02)
    pytest.fail("nothing was asked")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (fails(429, "slow down", retry_after_s=7), r"has had too many requests \(429\)\. Try again in 7 s\."),
        (fails(429, "slow down", retry_after_s=6.2), r"Try again in 7 s\."),
        (fails(429, "slow down"), "Try again in a minute"),
        (Answer(status=429, headers=LATER), r"Try again in 259\d{4} s"),
        (fails(429, "slow down", headers={"Retry-After": "soon"}), "Try again in a minute"),
        (fails(500, "oops"), r"has a fault of its own \(500\)\. Try again later\."),
        (fails(503, "down", retry_after_s=7), r"fault of its own \(503\)\. Try again in 7 s\."),
        (fails(400, "Data\n corrupted"), r"refused the request \(400\): Data corrupted$"),
        (fails(400, "w" * 1000), rf"\(400\): {'w' * 200}$"),
        (fails(403, ""), r"refused the request \(403\): it gives no reason"),
        (fails(404, "no such book"), r"refused the request \(404\): no such book"),
        (Answer(status=403, lines=(b"<html>",)), r"\(403\): it gives no reason"),
        (Answer(status=403, lines=(b'["why"]',)), r"\(403\): it gives no reason"),
        (fails(203, "from a cache"), r"refused the request \(203\): from a cache"),
        (fails(302, "moved, but not where to"), r"refused the request \(302\): moved"),
        (sends("<html>"), "answered with something that cannot be read"),
        (sends(b""), "cannot be read"),
        (sends(b"\xff\xfe"), "cannot be read"),
        (sends("[" * 100_000), "cannot be read"),
        (sends("[1]"), "cannot be read"),
        (sends("null"), "cannot be read"),
        (huge(3), "answered with more than 512 KB, which is not read"),
        (packed(BOMB), "more than 512 KB"),
        (Answer(lines=(b"{}",), headers=(("Content-Encoding", "gzip"),)), "cannot be read"),
        (Answer(lines=(packed(b"{}").lines or ())[:1], headers=(("Content-Encoding", "br"),)), "cannot be read"),
        (cuts(), "could not be reached at http://127"),
        (moved("http://127.0.0.1:9/books"), "redirects to another address, which is not followed"),
        (moved("https://elsewhere.example/books", 301), "another address"),
        (moved("//elsewhere.example/books", 308), "another address"),
        (moved("file:///etc/passwd"), "another address"),
        (moved("/books?again"), "redirects in circles"),
        (moved("gopher://x\x80/"), "could not be reached|another address"),
    ],
)
async def test_every_fault_is_told_and_the_next_call_works(
    books: Opened, library: Library, fault: Answer, message: str
) -> None:
    library.faults["/books"] = fault
    with pytest.raises(ToolError, match=f"^The library .*{message}"):
        await books.get()
    library.faults.clear()
    assert (await books.get())["path"] == "/books"


async def test_packed_answer_takes_no_more_room_than_is_allowed(books: Opened, library: Library) -> None:
    await books.get()
    library.script(packed(BOMB))
    tracemalloc.start()
    try:
        with pytest.raises(ToolError, match="more than 512 KB"):
            await books.get()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(BOMB) / 5


@pytest.mark.parametrize("left", [moved("https://elsewhere.example/"), huge(3)])
async def test_answers_that_are_left_leave_no_connection_taken(library: Library, left: Answer) -> None:
    async with opened(library, timeout_s=10) as books:
        for _ in range(12):
            library.script(left)
            with pytest.raises(ToolError, match=r"is not (followed|read)"):
                await books.get()
        assert await books.get()


@pytest.mark.parametrize("status", [429, 503])
async def test_time_to_wait_is_handed_on(books: Opened, library: Library, status: int) -> None:
    library.script(fails(status, "slow down", retry_after_s=7), fails(status, "slow down"))
    for expected in (7, None):
        with pytest.raises(ToolError) as caught:
            await books.get()
        assert caught.value.retry_after_s == expected


async def test_what_is_not_there_is_none_where_that_is_looked_for(books: Opened, library: Library) -> None:
    library.faults["/books"] = fails(404, "no such book")
    assert await books.service.find(f"{books.url}/books") is None
    library.faults["/books"] = fails(410, "lost")
    with pytest.raises(ToolError, match=r"\(410\): lost"):
        await books.service.find(f"{books.url}/books")
    library.faults.clear()
    assert await books.service.find(f"{books.url}/books", {"by": "Ada"}) == {"path": "/books", "asked": {"by": "Ada"}}


async def test_without_a_field_for_reasons_none_is_looked_for(library: Library) -> None:
    library.script(fails(400, "Data corrupted"))
    async with opened(library, reason_field=None) as books:
        with pytest.raises(ToolError, match=r"^The library refused the request \(400\)\.$"):
            await books.get()


async def test_query_is_sent_whatever_it_holds(books: Opened) -> None:
    query = {"by": "Zoë & Max=1", "in": "東京", "empty": ""}
    assert (await books.get(**query))["asked"] == query


async def test_query_that_is_no_text_is_told(books: Opened, library: Library) -> None:
    with pytest.raises(ToolError, match="cannot be asked this"):
        await books.get(by="\ud800")
    assert library.requests == []


@pytest.mark.parametrize(
    "silence", [hangs(), hangs(after=1), late(sends("{}"), 30), Answer(lines=(b" ",) * 300, delay_s=0.1)]
)
async def test_silence_and_answers_without_end_are_given_up_after_the_timeout(
    library: Library, silence: Answer
) -> None:
    library.script(silence)
    async with opened(library, timeout_s=0.5) as books:
        with pytest.raises(ToolError, match=r"The library did not answer within 0\.5 s\. Try again later\."):
            async with asyncio.timeout(20):
                await books.get()


async def test_silence_after_a_redirect_is_given_up_too(library: Library) -> None:
    library.script(moved("/more"), hangs())
    async with opened(library, timeout_s=0.5) as books:
        with pytest.raises(ToolError, match=r"did not answer within 0\.5 s"):
            await books.get()
    assert [request.path for request in library.requests] == ["/books", "/more"]


@pytest.mark.parametrize(
    "base", ["", "nowhere", "http://", "http://[::1", "ftp://files.example", "http://\ud800.example"]
)
async def test_address_that_is_none_is_told(base: str) -> None:
    service = JsonService("The library", distribution="agentic-server", timeout_s=30)
    with pytest.raises(ToolError, match=r"could not be reached|cannot be asked this"):
        await service.get(f"{base}/books")
    await service.aclose()


async def test_nobody_there_is_told_with_the_origin_and_no_more_of_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    service = JsonService("The library", distribution="agentic-server", timeout_s=30)
    with pytest.raises(ToolError, match=rf"could not be reached at http://127\.0\.0\.1:{port}\.$"):
        await service.get(f"http://reader:secret@127.0.0.1:{port}/books", {"by": "Ada"})
    await service.aclose()


async def test_redirects_within_the_origin_are_followed(books: Opened, library: Library) -> None:
    library.script(moved("/shelf"), moved(f"{books.url}/shelf/3?row=2", 308))
    assert await books.get() == {"path": "/shelf/3", "asked": {"row": "2"}}
    assert [request.path for request in library.requests] == ["/books", "/shelf", "/shelf/3"]


async def test_size_is_the_plugins_to_choose(library: Library) -> None:
    small, large = gives({"x": "x" * 1000}), gives({"x": "x" * 1100})
    async with opened(library, max_bytes=1024) as books:
        library.script(small, large, packed((large.lines or ())[0]), packed((small.lines or ())[0]))
        assert await books.get() == {"x": "x" * 1000}
        for _ in range(2):
            with pytest.raises(ToolError, match="more than 1 KB"):
                await books.get()
        assert await books.get() == {"x": "x" * 1000}


async def test_requests_say_who_asks_where_to_reach_them_and_what_they_take(library: Library) -> None:
    async with opened(library, headers={"X-Api-Key": "of these tests"}) as books:
        library.script(moved("/shelf"))
        await books.get()
    for request in library.requests:
        agent, own = request.headers["user-agent"], f"agentic-server/{version('agentic-server')}"
        assert agent.startswith(f"{own} (https://pypi.org/project/agentic-server/) python-httpx/")
        assert (request.headers["accept"], request.headers["accept-encoding"]) == ("application/json", "gzip")
        assert request.headers["x-api-key"] == "of these tests"


async def test_what_can_be_unpacked_is_not_the_plugins_to_choose(library: Library) -> None:
    async with opened(library, headers={"accept-encoding": "br", "accept": "application/hal+json"}) as books:
        await books.get()
    assert library.requests[0].headers["accept-encoding"] == "gzip"
    assert library.requests[0].headers["accept"] == "application/hal+json"


async def test_packed_answer_is_read(books: Opened, library: Library) -> None:
    library.script(packed(b'{"title": "Notes"}'))
    assert await books.get() == {"title": "Notes"}


async def test_cookies_are_neither_kept_nor_sent(books: Opened, library: Library) -> None:
    library.script(Answer(lines=(b"{}",), headers=(("Set-Cookie", "reader=7; Path=/"),)))
    await books.get()
    await books.get()
    assert len(library.requests) == 2
    assert all("cookie" not in request.headers for request in library.requests)


async def test_cancelling_closes_the_connection(books: Opened, library: Library) -> None:
    library.script(hangs())
    running = asyncio.create_task(books.get())
    await asked(library)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await library.disconnected(timeout=10)


async def test_service_can_be_closed_twice_unused_too_and_used_again(books: Opened) -> None:
    await books.service.aclose()
    await books.get()
    await books.service.aclose()
    await books.service.aclose()
    assert await books.get()


async def test_calls_side_by_side_share_one_client(books: Opened, library: Library) -> None:
    answers = await asyncio.gather(*(books.get(number=str(number)) for number in range(30)))
    assert [one["asked"]["number"] for one in answers] == [str(number) for number in range(30)]


async def test_log_holds_figures_and_no_word_of_question_and_answer(
    books: Opened, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agentic")
    library.script(gives({"title": "Notes"}), fails(400, "no such Ada"))
    await books.get(by="Ada")
    with pytest.raises(ToolError):
        await books.get(by="Ada")
    own = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert [line.split(" ms=")[0] for line in own] == [
        "[The library] Answer: status=200 bytes=18",
        "[The library] Answer: status=400 bytes=22",
    ]


async def test_without_the_extra_the_fix_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    service = JsonService("The library", distribution="agentic-server", timeout_s=30)
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(
        ToolError, match=r"The library cannot be asked: .*httpx.* pip install 'agentic-server\[services\]'"
    ):
        await service.get("http://127.0.0.1:9/books")
