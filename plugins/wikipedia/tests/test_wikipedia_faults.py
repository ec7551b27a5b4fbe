"""Faults of Wikipedia and of the way there: each is told to the model, and the next call works."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agentic import ToolError
from agentic.testing.scripted_answers import Answer
from agentic.testing.tool import call
from agentic.testing.wikipedia import ScriptedWikipedia, fails, gives, hangs, huge, late, moved, packed, sends
from agentic_wikipedia.settings import Settings
from agentic_wikipedia.tool import WikipediaTool

ADA = {"query": "Ada Lovelace"}
SOON = (("Retry-After", format_datetime(datetime.now(UTC) + timedelta(seconds=3600), usegmt=True)),)


@pytest.fixture
def wikipedia() -> ScriptedWikipedia:
    return ScriptedWikipedia()


@asynccontextmanager
async def served(wikipedia: ScriptedWikipedia, timeout_s: float) -> AsyncIterator[WikipediaTool]:
    async with wikipedia.serve() as url:
        made = WikipediaTool(Settings(wikipedia_base_url=url, wikipedia_timeout=timeout_s))
        yield made
        await made.aclose()


@pytest.fixture
async def tool(wikipedia: ScriptedWikipedia) -> AsyncIterator[WikipediaTool]:
    async with served(wikipedia, 30) as made:
        yield made


@pytest.fixture
async def hasty(wikipedia: ScriptedWikipedia) -> AsyncIterator[WikipediaTool]:
    async with served(wikipedia, 1) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (fails(429, "slow down", retry_after_s=7), r"too many requests \(429\). Try again in 7 s"),
        (fails(429, "slow down"), "Try again in a minute"),
        (Answer(status=429, headers=SOON), r"Try again in 3[0-6]\d\d s"),
        (fails(429, "slow down", headers={"Retry-After": "soon"}), "Try again in a minute"),
        (fails(500, "oops"), r"fault of its own \(500\)"),
        (fails(503, "down"), r"fault of its own \(503\)"),
        (fails(403, "no"), r"refused the request \(403\)"),
        (fails(404, "nothing"), "There is no Wikipedia at http://127"),
        (sends("<html>"), "cannot be read"),
        (sends(b""), "cannot be read"),
        (sends(b"\xff\xfe"), "cannot be read"),
        (sends("[" * 100_000), "cannot be read"),
        (sends("[1]"), "cannot be read"),
        (gives({"query": []}), "not what Wikipedia answers"),
        (gives({"query": {"pages": [{"ns": 0}]}}), "not what Wikipedia answers"),
        (gives({"error": {"code": "maxlag", "info": "Waiting for a database"}}), "maxlag"),
        (huge(3), "more than 512 KB"),
        (packed(b'{"x": "' + b"x" * 50_000_000 + b'"}'), "more than 512 KB"),
        (Answer(lines=(b"{}",), headers=(("Content-Encoding", "gzip"),)), "cannot be read"),
        (Answer(lines=(b"{}",), headers=(("Content-Encoding", "br"),)), "cannot be read"),
        (moved("http://127.0.0.1:9/w/api.php"), "another address"),
        (moved("https://elsewhere.example/w/api.php", 301), "another address"),
        (moved("/w/api.php?again"), "in circles"),
        (moved("gopher://x\x80/"), "could not be reached|another address"),
    ],
)
async def test_every_fault_is_told_and_the_next_call_works(
    tool: WikipediaTool, wikipedia: ScriptedWikipedia, fault: Answer, message: str
) -> None:
    wikipedia.faults["/w/api.php"] = fault
    with pytest.raises(ToolError, match=message):
        await call(tool, ADA)
    wikipedia.faults.clear()
    assert (await call(tool, ADA)).content.startswith("Ada Lovelace")


async def test_time_to_wait_is_handed_on(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.script(fails(429, "slow down", retry_after_s=7))
    with pytest.raises(ToolError) as caught:
        await call(tool, ADA)
    assert caught.value.retry_after_s == 7


async def test_fault_of_the_summary_is_told_too(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.faults["/api/rest_v1/page/summary/Ada_Lovelace"] = gives({"extract": 5})
    with pytest.raises(ToolError, match="not what Wikipedia answers"):
        await call(tool, ADA)


@pytest.mark.parametrize("silence", [hangs(), hangs(after=1), late(sends("{}"), 30)])
async def test_silence_is_given_up_after_the_timeout(
    hasty: WikipediaTool, wikipedia: ScriptedWikipedia, silence: Answer
) -> None:
    wikipedia.script(silence)
    started = time.monotonic()
    with pytest.raises(ToolError, match="did not answer within 1 s"):
        await call(hasty, ADA)
    assert time.monotonic() - started < 20


async def test_answer_that_trickles_without_end_is_given_up_after_the_timeout(
    hasty: WikipediaTool, wikipedia: ScriptedWikipedia
) -> None:
    wikipedia.script(Answer(lines=(b" ",) * 100, delay_s=0.1))
    with pytest.raises(ToolError, match="did not answer within 1 s"):
        await call(hasty, ADA)


async def test_nobody_there_is_told_with_the_address() -> None:
    tool = WikipediaTool(Settings(wikipedia_base_url="http://127.0.0.1:9"))
    with pytest.raises(ToolError, match=r"could not be reached at http://127\.0\.0\.1:9"):
        await call(tool, ADA)
    await tool.aclose()


async def test_cancelling_closes_the_connection(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.script(hangs())
    running = asyncio.create_task(call(tool, ADA))
    await asyncio.sleep(0.3)
    assert wikipedia.requests
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await wikipedia.disconnected()


async def test_tool_can_be_closed_twice_and_used_again(tool: WikipediaTool) -> None:
    await tool.aclose()
    await call(tool, ADA)
    await tool.aclose()
    await tool.aclose()
    assert (await call(tool, ADA)).content


async def test_calls_side_by_side_share_one_client(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    results = await asyncio.gather(*(call(tool, ADA) for _ in range(20)))
    assert {result.content[:12] for result in results} == {"Ada Lovelace"}


async def test_packed_answer_is_read(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.script(packed(b"{}"))
    with pytest.raises(ToolError, match="No such article"):
        await call(tool, ADA)


async def test_cookies_are_neither_kept_nor_sent(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.script(Answer(lines=(b"{}",), headers=(("Set-Cookie", "GeoIP=NO:03:Oslo; Path=/"),)))
    with pytest.raises(ToolError):
        await call(tool, ADA)
    await call(tool, ADA)
    assert all("cookie" not in request.headers for request in wikipedia.requests)


async def test_log_holds_no_word_of_the_query_or_of_the_article(
    tool: WikipediaTool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "agentic_wikipedia")
    await call(tool, ADA)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert own and all("Ada" not in line and "mathematician" not in line for line in own)


def test_plugin_loads_without_its_libraries() -> None:
    code = (
        "import sys, agentic_wikipedia as plugin\n"
        "plugin.agentic_tools(plugin.agentic_settings()()).suggest('wikipedia: Ada')\n"
        "print({'httpx', 'sentencex'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.strip() == "set()"
