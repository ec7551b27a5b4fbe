"""The tool as the kernel and the models see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentic import Citation, Json, Tool, ToolContext, ToolResult, Traits
from agentic.services import JsonService
from agentic_weather.examples import EXAMPLES
from agentic_weather.forecast import Units, forecast
from agentic_weather.places import Ambiguous, Places
from agentic_weather.report import report
from agentic_weather.settings import Settings

if TYPE_CHECKING:
    import httpx

ATTRIBUTION = Citation("https://open-meteo.com/", "Weather data by Open-Meteo.com")
"""As the licence of the data (CC BY 4.0, https://open-meteo.com/en/licence) wants it."""

_REQUESTS = 3
_MARGIN_S = 2


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    location: str = Field(
        min_length=1, max_length=200, description="the place, where needed with its region: Oslo | Paris, Texas"
    )
    days: int = Field(3, ge=1, le=16, description="how many days from today on, 1 to 16; tomorrow needs 2")
    units: Units = Field("metric", description="metric (°C, km/h, mm) or imperial (°F, mph, inches)")

    @field_validator("location")
    @classmethod
    def _location_has_words(cls, location: str) -> str:
        if not location.strip():
            raise ValueError("location must name a place, such as Oslo")
        return location.strip()


class WeatherTool(Tool):
    """Asks Open-Meteo. ``transport`` takes the place of the network in tests.

    Its results are numbers, words of our own and the short names of places, so that they count as trusted.
    """

    name = "weather"
    description = (
        "Current weather and daily forecast for a place: weather, temperature, rain, wind, sunrise, up to 16 days. "
        "Several places of one name are given as choices; call again with one of them."
    )
    args = Arguments

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = settings.weather_base_url
        self._service = JsonService(
            "Open-Meteo",
            distribution="agentic-plugin-weather",
            timeout_s=settings.weather_timeout,
            reason_field="reason",
            transport=transport,
        )
        self._places = Places(self._service, settings.geocoding_base_url)
        self.traits = Traits(timeout_s=settings.weather_timeout * _REQUESTS + _MARGIN_S, examples=EXAMPLES)

    def suggest(self, text: str) -> Json | None:
        """The place and the days that a plain request for the weather names, else None."""
        from agentic_weather.requests import arguments_in

        return arguments_in(text)

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult:
        """The weather now and a table of the days, or the places that an ambiguous name may mean.

        Raises ToolRetry for a place that is not found, ToolError where Open-Meteo does not answer.
        """
        found = await self._places.find(args.location)
        if isinstance(found, Ambiguous):
            return _choices(found)
        place = found.place
        weather = await forecast(
            self._service,
            self._base_url,
            latitude=place.latitude,
            longitude=place.longitude,
            days=args.days,
            units=args.units,
        )
        lines = [report(place.label(), weather, args.units), "", f"{ATTRIBUTION.title}: {ATTRIBUTION.url}"]
        if place.is_region:
            lines.append(f"This is the weather in the middle of {place.name} alone; a town there may have another.")
        if found.others:
            lines.append(f"Other places of this name: {'; '.join(found.others)}")
        return ToolResult("\n".join(lines), (ATTRIBUTION,))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._service.aclose()


def _choices(found: Ambiguous) -> ToolResult:
    head = f"Several places are called {found.name}. Ask again with the one that is meant:"
    return ToolResult("\n".join([head, *(f"- {label}" for label in found.labels)]))
