"""Current weather and the days to come at a point. Forecast API: https://open-meteo.com/en/docs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentic import ToolError
from agentic.services import JsonService

Units = Literal["metric", "imperial"]

_CURRENT = (
    "temperature_2m,apparent_temperature,relative_humidity_2m,precipitation,weather_code,"
    "wind_speed_10m,wind_direction_10m,wind_gusts_10m"
)
_DAILY = (
    "weather_code,temperature_2m_min,temperature_2m_max,precipitation_sum,precipitation_probability_max,"
    "wind_speed_10m_max,sunrise,sunset"
)
_IMPERIAL = {"temperature_unit": "fahrenheit", "wind_speed_unit": "mph", "precipitation_unit": "inch"}
_Values = list[float | None]


class Current(BaseModel):
    """The weather now; what the models do not know is None. ``time`` is the place's own."""

    model_config = ConfigDict(allow_inf_nan=False, defer_build=True)

    time: datetime
    temperature_2m: float | None = None
    apparent_temperature: float | None = None
    relative_humidity_2m: float | None = None
    precipitation: float | None = None
    weather_code: float | None = None
    wind_speed_10m: float | None = None
    wind_direction_10m: float | None = None
    wind_gusts_10m: float | None = None


class Daily(BaseModel):
    """The days, a list a value, all of one length."""

    model_config = ConfigDict(allow_inf_nan=False, defer_build=True)

    time: list[date] = Field(max_length=16)
    weather_code: _Values
    temperature_2m_min: _Values
    temperature_2m_max: _Values
    precipitation_sum: _Values
    precipitation_probability_max: _Values
    wind_speed_10m_max: _Values
    sunrise: list[datetime | None]
    sunset: list[datetime | None]

    @model_validator(mode="after")
    def _lists_are_of_one_length(self) -> Daily:
        if {len(getattr(self, name)) for name in type(self).model_fields} != {len(self.time)}:
            raise ValueError("the lists are not of one length")
        return self


class Forecast(BaseModel):
    """What Open-Meteo answers. ``timezone`` is the IANA name of the place's."""

    model_config = ConfigDict(defer_build=True)

    timezone: str = Field(max_length=60, pattern=r"^[A-Za-z0-9_/+-]+$")
    current: Current
    daily: Daily


async def forecast(
    service: JsonService, base_url: str, *, latitude: float, longitude: float, days: int, units: Units
) -> Forecast:
    """The weather at a point, now and for some days from today on. Raises ToolError where there is none."""
    asked = {
        "latitude": f"{latitude:.5f}",
        "longitude": f"{longitude:.5f}",
        "current": _CURRENT,
        "daily": _DAILY,
        "timezone": "auto",
        "forecast_days": str(days),
    }
    answer = await service.get(f"{base_url}/v1/forecast", asked | (_IMPERIAL if units == "imperial" else {}))
    try:
        return Forecast.model_validate(answer)
    except ValidationError as fault:
        raise ToolError(f"What {base_url} answered is not what Open-Meteo's forecast answers.") from fault
