"""The weather tool owes what every tool owes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from agentic import Json
from agentic.testing.open_meteo import ScriptedOpenMeteo
from agentic.testing.tool import ToolConformance
from agentic_weather.settings import Settings
from agentic_weather.tool import WeatherTool


class TestWeather(ToolConformance):
    @pytest.fixture
    async def tool(self) -> AsyncIterator[WeatherTool]:
        made = WeatherTool(Settings(), transport=httpx.ASGITransport(ScriptedOpenMeteo()))
        yield made
        await made.aclose()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [
            {"location": "Oslo"},
            {"location": "Paris, Texas", "days": 1, "units": "imperial"},
            {"location": "Springfield"},
            {"location": "48.1, 11.6", "days": 16},
        ]
