"""A forecast as text: what it is like now, and a table of the days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from agentic_weather.forecast import Current, Daily, Forecast, Units
from agentic_weather.wmo import words

_COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
_RELATIVE = {0: "today", 1: "tomorrow"}


@dataclass(frozen=True, slots=True)
class _Signs:
    temperature: str
    speed: str
    rain: str


_SIGNS: dict[Units, _Signs] = {"metric": _Signs("°C", "km/h", "mm"), "imperial": _Signs("°F", "mph", "in")}


def report(place: str, forecast: Forecast, units: Units) -> str:
    """The weather at a place as people and models read it."""
    signs, now, daily = _SIGNS[units], forecast.current, forecast.daily
    lines = [
        f"Weather in {place}",
        f"Local time: {now.time:%a %d %b %Y %H:%M} ({forecast.timezone})",
        f"Now: {_now(now, signs)}",
    ]
    sun = _sun(daily)
    lines += [sun] if sun else []
    if daily.time:
        lines += ["", *_table(daily, now.time.date(), signs)]
    return "\n".join(lines)


def _now(now: Current, signs: _Signs) -> str:
    parts = [words(now.weather_code)]
    if now.temperature_2m is not None:
        felt = now.apparent_temperature
        feels = "" if felt is None else f" (feels like {felt:.0f} {signs.temperature})"
        parts.append(f"{now.temperature_2m:.1f} {signs.temperature}{feels}")
    if now.relative_humidity_2m is not None:
        parts.append(f"humidity {now.relative_humidity_2m:.0f} %")
    if now.wind_speed_10m is not None:
        parts.append(_wind(now.wind_speed_10m, now, signs))
    if now.precipitation:
        parts.append(f"precipitation {now.precipitation:g} {signs.rain}")
    return ", ".join(parts)


def _wind(speed: float, now: Current, signs: _Signs) -> str:
    direction, gusts = now.wind_direction_10m, now.wind_gusts_10m
    origin = "" if direction is None else f" from {_COMPASS[round(direction / 45) % 8]}"
    return f"wind {speed:.0f} {signs.speed}{origin}" + ("" if gusts is None else f", gusts {gusts:.0f} {signs.speed}")


def _sun(daily: Daily) -> str:
    """When the sun rises and sets today; nothing in polar night and on a polar day, when it does neither."""
    rise, fall = (next(iter(times), None) for times in (daily.sunrise, daily.sunset))
    return f"Sun today: {rise:%H:%M} to {fall:%H:%M}" if rise and fall and rise.time() != fall.time() else ""


def _table(daily: Daily, today: date, signs: _Signs) -> list[str]:
    head = (
        "day",
        "weather",
        f"low {signs.temperature}",
        f"high {signs.temperature}",
        f"precipitation {signs.rain}",
        "chance of it %",
        f"wind up to {signs.speed}",
    )
    rows = [
        (
            _day(day, today),
            words(daily.weather_code[row]),
            _number(daily.temperature_2m_min[row]),
            _number(daily.temperature_2m_max[row]),
            _number(daily.precipitation_sum[row], digits=1 if signs.rain == "mm" else 2),
            _number(daily.precipitation_probability_max[row]),
            _number(daily.wind_speed_10m_max[row]),
        )
        for row, day in enumerate(daily.time)
    ]
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def _day(day: date, today: date) -> str:
    """``tomorrow, Wed 25 Nov``."""
    named = _RELATIVE.get((day - today).days)
    plain = f"{datetime(day.year, day.month, day.day):%a %d %b}"
    return f"{named}, {plain}" if named else plain


def _number(value: float | None, digits: int = 0) -> str:
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text
