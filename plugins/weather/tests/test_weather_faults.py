"""Faults of Open-Meteo: each is told to the model, and the next call works. Those of the way there are the kernel's."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agentic import ToolError
from agentic.testing.open_meteo import Answer, ScriptedOpenMeteo, fails, gives, hangs
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
        (fails(400, "Data corrupted"), r"refused the request \(400\): Data corrupted"),
        (fails(404, "Not Found"), r"refused the request \(404\): Not Found"),
        (gives({"results": 5, "daily": 5}), "is not what Open-Meteo's"),
        (gives({"results": [5]}), "is not what Open-Meteo's"),
        (gives({"error": True, "reason": "Daily API request limit exceeded."}), "is not what Open-Meteo's"),
        (gives({"results": [{"name": "Oslo", "latitude": 900, "longitude": 0}]}), "is not what Open-Meteo's"),
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


async def test_silence_is_given_up_after_the_timeout_that_is_set(
    hasty: WeatherTool, open_meteo: ScriptedOpenMeteo
) -> None:
    open_meteo.script(hangs())
    with pytest.raises(ToolError, match="Open-Meteo did not answer within 1 s"):
        await call(hasty, OSLO)


async def test_requests_say_who_asks(tool: WeatherTool, open_meteo: ScriptedOpenMeteo) -> None:
    await call(tool, OSLO)
    assert len(open_meteo.requests) == 2
    agents = {request.headers["user-agent"].partition("/")[0] for request in open_meteo.requests}
    assert agents == {"agentic-plugin-weather"}


async def test_tool_can_be_closed_twice_and_used_again(tool: WeatherTool) -> None:
    await call(tool, OSLO)
    await tool.aclose()
    await tool.aclose()
    assert (await call(tool, OSLO)).content


async def test_log_holds_no_word_of_the_request(tool: WeatherTool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "agentic")
    await call(tool, OSLO)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert own and all("Oslo" not in line and "59.9" not in line for line in own)
