"""Faults of Open-Meteo and of the way there: each is told to the model, and the next call works."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agentic import ToolError
from agentic.testing.open_meteo import Answer, ScriptedOpenMeteo, fails, gives, hangs, huge, late, moved, packed, sends
from agentic.testing.tool import call
from agentic_weather.settings import Settings
from agentic_weather.tool import WeatherTool

OSLO = {"location": "Oslo"}


@pytest.fixture
def open_meteo() -> ScriptedOpenMeteo:
    return ScriptedOpenMeteo()


@asynccontextmanager
async def served(open_meteo: ScriptedOpenMeteo, timeout_s: float) -> AsyncIterator[WeatherTool]:
    async with open_meteo.serve() as url:
        made = WeatherTool(Settings(weather_base_url=url, geocoding_base_url=url, weather_timeout=timeout_s))
        yield made
        await made.aclose()


@pytest.fixture
async def tool(open_meteo: ScriptedOpenMeteo) -> AsyncIterator[WeatherTool]:
    async with served(open_meteo, 30) as made:
        yield made


@pytest.fixture
async def hasty(open_meteo: ScriptedOpenMeteo) -> AsyncIterator[WeatherTool]:
    async with served(open_meteo, 1) as made:
        yield made


@pytest.mark.parametrize("path", ["/v1/search", "/v1/forecast"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (fails(429, "Minutely API request limit exceeded.", retry_after_s=60), r"\(429\). Try again in 60 s"),
        (fails(429, "Minutely API request limit exceeded."), "Try again in a minute"),
        (fails(400, "Data corrupted"), r"refused the request \(400\): Data corrupted"),
        (Answer(status=403, lines=(b"<html>",)), r"refused the request \(403\): it gives no reason"),
        (fails(404, "Not Found"), r"refused the request \(404\): Not Found"),
        (fails(500, "oops"), r"fault of its own \(500\)"),
        (fails(503, "down"), r"fault of its own \(503\)"),
        (sends("<html>"), "cannot be read"),
        (sends(b""), "cannot be read"),
        (sends("[" * 100_000), "cannot be read"),
        (sends("[1]"), "cannot be read"),
        (gives({"results": 5, "daily": 5}), "is not what Open-Meteo's"),
        (gives({"results": [5]}), "is not what Open-Meteo's"),
        (gives({"results": [{"name": "Oslo", "latitude": 900, "longitude": 0}]}), "is not what Open-Meteo's"),
        (huge(3), "more than 512 KB"),
        (packed(b'{"x": "' + b"x" * 50_000_000 + b'"}'), "more than 512 KB"),
        (Answer(lines=(b"{}",), headers=(("Content-Encoding", "gzip"),)), "cannot be read"),
        (Answer(lines=(b"{}",), headers=(("Content-Encoding", "br"),)), "cannot be read"),
        (moved("http://127.0.0.1:9/v1/search"), "another address"),
        (moved("?again"), "in circles"),
    ],
)
async def test_every_fault_is_told_and_the_next_call_works(
    tool: WeatherTool, open_meteo: ScriptedOpenMeteo, path: str, fault: Answer, message: str
) -> None:
    open_meteo.faults[path] = fault
    with pytest.raises(ToolError, match=message):
        await call(tool, OSLO)
    open_meteo.faults.clear()
    assert (await call(tool, OSLO)).content.startswith("Weather in Oslo")


@pytest.mark.parametrize("silence", [hangs(), hangs(after=1), late(sends("{}"), 30)])
async def test_silence_is_given_up_after_the_timeout(
    hasty: WeatherTool, open_meteo: ScriptedOpenMeteo, silence: Answer
) -> None:
    open_meteo.script(silence)
    started = time.monotonic()
    with pytest.raises(ToolError, match="did not answer within 1 s"):
        await call(hasty, OSLO)
    assert time.monotonic() - started < 20


async def test_nobody_there_is_told_with_the_address() -> None:
    tool = WeatherTool(Settings(geocoding_base_url="http://127.0.0.1:9"))
    with pytest.raises(ToolError, match=r"could not be reached at http://127\.0\.0\.1:9"):
        await call(tool, OSLO)
    await tool.aclose()


async def test_cancelling_closes_the_connection(tool: WeatherTool, open_meteo: ScriptedOpenMeteo) -> None:
    open_meteo.script(hangs())
    running = asyncio.create_task(call(tool, OSLO))
    await asyncio.sleep(0.3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await open_meteo.disconnected()


async def test_tool_can_be_closed_twice_and_used_again(tool: WeatherTool) -> None:
    await call(tool, OSLO)
    await tool.aclose()
    await tool.aclose()
    assert (await call(tool, OSLO)).content


async def test_packed_answer_is_read(tool: WeatherTool, open_meteo: ScriptedOpenMeteo) -> None:
    open_meteo.script(packed(b"{}"))
    with pytest.raises(ToolError, match="No place called"):
        await call(tool, OSLO)


async def test_cookies_are_neither_kept_nor_sent(tool: WeatherTool, open_meteo: ScriptedOpenMeteo) -> None:
    open_meteo.script(Answer(lines=(b"{}",), headers=(("Set-Cookie", "GeoIP=NO:03:Oslo; Path=/"),)))
    with pytest.raises(ToolError):
        await call(tool, OSLO)
    await call(tool, OSLO)
    assert all("cookie" not in request.headers for request in open_meteo.requests)


async def test_log_holds_no_word_of_the_request(tool: WeatherTool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "agentic_weather")
    await call(tool, OSLO)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert own and all("Oslo" not in line and "59.9" not in line for line in own)
