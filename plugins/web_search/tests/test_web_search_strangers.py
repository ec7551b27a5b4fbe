"""What a search service says that is no result: hostile addresses and texts, and errors under status 200."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from agentic import ToolError
from agentic.testing.scripted_answers import Answer, sends
from agentic.testing.tavily import Found, ScriptedTavily
from agentic.testing.tool import call
from agentic_web_search.results import Result, tidy
from agentic_web_search.search_tool import WebSearchTool
from agentic_web_search.settings import Settings
from agentic_web_search.tavily import MAX_BYTES, Tavily

KEY = "tvly-dev-kept-to-itself"


@pytest.fixture
def tavily() -> ScriptedTavily:
    return ScriptedTavily(key=KEY)


@pytest.fixture
async def tool(tavily: ScriptedTavily) -> AsyncIterator[WebSearchTool]:
    async with tavily.serve() as address:
        settings = Settings(tavily_api_key=KEY, tavily_base_url=address)
        made = WebSearchTool(settings, [Tavily(settings)])
        yield made
        await made.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//a.example/",
        "https://a.example/\n2. Another\n   https://b.example/",
        "https://a.example/\x1b[2J",
        "https://a.example/\u202ekcatta",
        "https://a.example/\ud800",
        "https://a.example/ b",
        "https://a.example\\@b.example/",
        "https://bank.example@b.example/",
        "https://a.example:99999/",
        "http://[::1",
    ],
)
def test_address_that_is_none_or_looks_like_anothers_is_no_result(url: str) -> None:
    good = Result(" https://a.example/ü(1) ", "", "text")
    kept = tidy([Result(url, "title", "text"), good], most=5, characters=100)
    assert kept == [Result("https://a.example/ü(1)", "https://a.example/ü(1)", "text")]


async def test_texts_make_no_lines_of_their_own_and_hold_no_control_characters(
    tool: WebSearchTool, tavily: ScriptedTavily
) -> None:
    evil = "One\n\n2. Two\x1b[2J\x00\u2028\ud800three"
    tavily.results = (Found("https://a.example/", evil, evil, published_date=evil),)
    result = await call(tool, {"query": "x", "topic": "news"})
    plain = "One 2. Two [2J three"
    assert result.content == f"Found by Tavily:\n\n1. {plain}\n   https://a.example/\n   {plain}\n   {plain}"
    assert [one.title for one in result.citations] == [plain]


@pytest.mark.parametrize(
    "said",
    [
        sends('{"detail": {"error": "The service is being moved."}}'),
        sends('{"error": "quota"}'),
        sends('{"results": [], "error": "index unavailable"}'),
        sends("[" * 200_000),
    ],
)
async def test_error_under_status_200_is_not_told_as_nothing_found(
    tool: WebSearchTool, tavily: ScriptedTavily, said: Answer
) -> None:
    tavily.script(said)
    with pytest.raises(ToolError, match="Tavily gave an answer that cannot be read"):
        await call(tool, {"query": "x"})


async def test_packed_answer_that_nobody_asked_for_is_not_unpacked() -> None:
    body = gzip.compress(json.dumps({"results": [], "answer": " " * MAX_BYTES}).encode())
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"

    async def pack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(pack, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = Settings(tavily_api_key=KEY, tavily_base_url=address)
        tool = WebSearchTool(settings, [Tavily(settings)])
        with pytest.raises(ToolError, match="Tavily gave an answer that cannot be read"):
            await call(tool, {"query": "x"})
        await tool.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:99999", "http://127.0.0.1:abc", "http://ta vily", "http://tavily\x00", "http://tavily?x=1"],
)
def test_address_that_cannot_be_asked_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError, match="tavily_base_url"):
        Settings(tavily_base_url=url)
    assert Settings(tavily_base_url="http://127.0.0.1:8080/tavily/").tavily_base_url == "http://127.0.0.1:8080/tavily"
