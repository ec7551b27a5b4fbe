"""Plain requests for the weather, by rule: ``weather in Oslo for 3 days`` asks for Oslo and three days.

Rules lean to silence: what names no place, several, or a time that no forecast reaches, is left to the model.
"""

from __future__ import annotations

import re

from agentic import Json
from agentic_weather.request_words import DAYS, NO_NAME, NO_PLACE, NUMBERS, RULES, WHEN

MAX_REQUEST = 160
MAX_DAYS = 16
_MARKS = (
    "weather forecast temperature rain snow umbrella wetter vorhersage regne schneit schirm météo meteo metéo méteo "
    "temps tiempo clima llove tempo"
).split()
"""Every request that is read has one of them; most have none, and to look for them takes next to no time."""
_POLITE = re.compile(
    r"^[\s¿¡]*(?:(?:hey|hi|hello|ok|please|bitte)[,\s]+)*(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?(?=\w))?",
    re.IGNORECASE,
)
_POLITE_END = re.compile(r"(?:[\s,]+(?:please|thanks|bitte|merci|por favor))*[\s?!.…]*$", re.IGNORECASE)
_UNITS = re.compile(
    r",?\s+in\s+(?:degrees\s+)?(?P<unit>fahrenheit|celsius|imperial|metric)(?:\s+units)?$", re.IGNORECASE
)
_ARTICLE = re.compile(r"^(?:the|der|die|das|den)\s+(?:city\s+of\s+)?", re.IGNORECASE)
_STATE = re.compile(r",?\s+[A-Z]{2}$")
_IN_DAYS = re.compile(r"in\s+\w+\s+days?", re.IGNORECASE)


def arguments_in(text: str) -> Json | None:
    """The tool's arguments for a request that asks for the weather at one place, else None."""
    request = " ".join(text.split()) if len(text) <= MAX_REQUEST else ""
    lower = request.lower()
    if not any(mark in lower for mark in _MARKS):
        return None
    request = _POLITE_END.sub("", _POLITE.sub("", request, count=1), count=1).replace("’", "'")
    units = _UNITS.search(request)
    request = request[: units.start()] if units else request
    for rule in RULES:
        match = rule.fullmatch(request)
        if match is not None:
            return _arguments(match, units["unit"].lower() if units else "")
    return None


def _arguments(match: re.Match[str], unit: str) -> Json | None:
    groups = match.groupdict()
    times = [time for name in ("before", "after") if (time := (groups.get(name) or "").strip())]
    place = _place(match["place"])
    if not place or len(times) > 1:
        return None
    if groups.get("bare") and not (times and place[0].isupper()):
        # A forecast alone may be one of sales; with a time and a proper name it is the weather's.
        return None
    found: Json = {"location": place}
    if times:
        days = _days(times[0])
        if days is None:
            return None
        found["days"] = days
    return {**found, "units": "imperial"} if unit in ("fahrenheit", "imperial") else found


def _place(text: str) -> str:
    """The place's name, or nothing where the words name none."""
    place = _ARTICLE.sub("", text.strip(" ,."))
    # OR, IN and ME are states too.
    name = _STATE.sub("", place)
    words = re.findall(r"[^\s,]+", name.lower())
    if (
        not 0 < len(words) <= 6
        or len(name) < 2
        or (len(words) == 1 and words[0] in NO_NAME)
        or any(word in NO_PLACE for word in words)
    ):
        return ""
    return "" if WHEN.search(f" {name} ") else place


def _days(time: str) -> int | None:
    """How many days from today on a time needs; None for more than a forecast has."""
    for pattern, days in DAYS:
        match = pattern.search(time)
        if match is None:
            continue
        if days:
            return days
        number = match["number"].lower()
        count = NUMBERS[number] if number in NUMBERS else int(number)
        count += 1 if _IN_DAYS.fullmatch(time) else 0
        return count if 1 <= count <= MAX_DAYS else None
    return None
