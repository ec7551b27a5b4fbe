"""A scripted Open-Meteo: its geocoding (``/v1/search``) and its forecast (``/v1/forecast``), as they are documented.

Both live at one address here, which serves as WEATHER_BASE_URL and as GEOCODING_BASE_URL::

    open_meteo = ScriptedOpenMeteo()
    open_meteo.script(fails(429, "Minutely API request limit exceeded.", retry_after_s=60))
    async with open_meteo.serve() as url: ...

It is always 14:15 on Tuesday, 24 November 2026 there, whatever the time zone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta

from agentic.messages import Json
from agentic.testing.open_meteo_places import PLACES, ScriptedPlace
from agentic.testing.scripted_answers import Answer, fails, hangs, sends
from agentic.testing.scripted_server import RecordedRequest
from agentic.testing.scripted_service import ScriptedService, gives, huge, late, moved, packed

__all__ = ["PLACES", "Answer", "ScriptedOpenMeteo", "ScriptedPlace", "fails", "gives", "hangs", "huge", "late", "moved"]
__all__ += ["packed", "sends"]

TODAY = date(2026, 11, 24)
_CODES = (61, 3, 0, 71, 95, 45, 2, 80, 1, 63, 3, 85, 0, 51, 2, 3)
_CURRENT = {
    "temperature_2m": (4.2, "°C"),
    "relative_humidity_2m": (87, "%"),
    "apparent_temperature": (1.0, "°C"),
    "precipitation": (0.3, "mm"),
    "weather_code": (61, "wmo code"),
    "wind_speed_10m": (12.0, "km/h"),
    "wind_direction_10m": (225, "°"),
    "wind_gusts_10m": (30.0, "km/h"),
    "is_day": (1, ""),
}
_DAILY = {
    "weather_code": "wmo code",
    "temperature_2m_max": "°C",
    "temperature_2m_min": "°C",
    "precipitation_sum": "mm",
    "precipitation_probability_max": "%",
    "wind_speed_10m_max": "km/h",
    "wind_gusts_10m_max": "km/h",
    "sunrise": "iso8601",
    "sunset": "iso8601",
}


class ScriptedOpenMeteo(ScriptedService):
    """An ASGI app that keeps to Open-Meteo's two APIs, refusals included."""

    name = "open-meteo"

    def __init__(self, places: Iterable[ScriptedPlace] = PLACES) -> None:
        super().__init__()
        self.places = list(places)

    def right_answer(self, request: RecordedRequest) -> Answer:
        """The answer of a search for places or of a forecast; 404 elsewhere."""
        if request.path == "/v1/search":
            return self._search(request.query)
        if request.path == "/v1/forecast":
            return self._forecast(request.query)
        return fails(404, "Not Found")

    def refusal(self, answer: Answer) -> Json:
        """Open-Meteo's error body."""
        return {"error": True, "reason": answer.error}

    def _search(self, asked: dict[str, str]) -> Answer:
        count = int(asked.get("count", "10"))
        if not 1 <= count <= 100:
            return fails(400, "Parameter count must be between 1 and 100.")
        name = _folded(asked.get("name", ""))
        found = [place for place in self.places if _matches(place, name)]
        found.sort(key=lambda place: (name not in _names(place), -place.population))
        results = [place.as_json() for place in found[:count]]
        # A search that finds nothing has no key at all for it.
        return gives({**({"results": results} if results else {}), "generationtime_ms": 0.65})

    def _forecast(self, asked: dict[str, str]) -> Answer:
        latitude, longitude = float(asked["latitude"]), float(asked["longitude"])
        days = int(asked.get("forecast_days", "7"))
        if not -90 <= latitude <= 90:
            return fails(400, f"Latitude must be in range of -90 to 90°. Given: {latitude}.")
        if not 0 <= days <= 16:
            return fails(400, "Forecast days is invalid. Allowed range 0 to 16.")
        wanted = asked.get("current", "").split(","), asked.get("daily", "").split(",")
        for name in {*wanted[0]} - {*_CURRENT, ""} | {*wanted[1]} - {*_DAILY, ""}:
            return fails(
                400, f"Data corrupted at path ''. Cannot initialize Variable from invalid String value {name}."
            )
        if wanted[1] != [""] and "timezone" not in asked:
            return fails(400, "Timezone is required")
        zone = asked["timezone"]
        if zone == "auto":
            zone = min(
                self.places, key=lambda one: abs(one.latitude - latitude) + abs(one.longitude - longitude)
            ).timezone
        imperial = asked.get("temperature_unit") == "fahrenheit"
        current, current_units = _current(wanted[0], imperial)
        daily, daily_units = _daily(wanted[1], days, imperial)
        head: Json = {"latitude": latitude, "longitude": longitude, "generationtime_ms": 0.2, "elevation": 23.0}
        head |= {"utc_offset_seconds": 3600, "timezone": zone, "timezone_abbreviation": "GMT+1"}
        return gives(
            head | {"current_units": current_units, "current": current, "daily_units": daily_units, "daily": daily}
        )


def _current(names: list[str], imperial: bool) -> tuple[Json, Json]:
    values: Json = {"time": f"{TODAY}T14:15", "interval": 900}
    units: Json = {"time": "iso8601", "interval": "seconds"}
    for name in names:
        value, unit = _CURRENT[name]
        values[name], units[name] = _in_units(value, unit, imperial)
    return values, units


def _daily(names: list[str], days: int, imperial: bool) -> tuple[Json, Json]:
    values: Json = {"time": [str(TODAY + timedelta(day)) for day in range(days)]}
    units: Json = {"time": "iso8601"}
    for name in names:
        values[name] = [_in_units(_of_day(name, day), _DAILY[name], imperial)[0] for day in range(days)]
        units[name] = _in_units(0, _DAILY[name], imperial)[1]
    return values, units


def _of_day(name: str, day: int) -> float | str | None:
    """One value of one day; the last of sixteen days lacks a chance of rain, as far days do."""
    if name in ("sunrise", "sunset"):
        return f"{TODAY + timedelta(day)}T{'08:31' if name == 'sunrise' else '15:28'}"
    if name == "precipitation_probability_max":
        return None if day == 15 else (80, 10, 0)[day % 3]
    first = {"weather_code": 0, "temperature_2m_max": 5.5, "temperature_2m_min": -1.0, "precipitation_sum": 2.4}
    if name == "weather_code":
        return _CODES[day]
    if name == "precipitation_sum":
        return (2.4, 0.1, 0.0)[day % 3]
    return first.get(name, 20.0) + day


def _in_units(value: float | str | None, unit: str, imperial: bool) -> tuple[float | str | None, str]:
    if not imperial or unit not in ("°C", "km/h", "mm"):
        return value, unit
    name = {"°C": "°F", "km/h": "mp/h", "mm": "inch"}[unit]
    if not isinstance(value, (int, float)):
        return value, name
    return round({"°C": value * 1.8 + 32, "km/h": value / 1.609, "mm": value / 25.4}[unit], 2), name


def _matches(place: ScriptedPlace, name: str) -> bool:
    """Two letters match a name exactly, three and more its beginning."""
    if len(name) < 3:
        return len(name) == 2 and name in _names(place)
    return any(one.startswith(name) for one in _names(place))


def _names(place: ScriptedPlace) -> set[str]:
    return {_folded(name) for name in (place.name, *place.also)}


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(character for character in plain if not unicodedata.combining(character))
