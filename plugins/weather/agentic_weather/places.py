"""Places by name: ``Oslo``, ``Paris, Texas``, ``Portland OR``, ``48.1, 11.6``; which is meant of several.

Geocoding API: https://open-meteo.com/en/docs/geocoding-api. It searches for names alone: regions are matched here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agentic import ToolError, ToolRetry
from agentic.services import JsonService
from agentic_weather.regions import country_code, folded, spelled

_DEGREES = r"(?:{name}[:=]?\s*)?([{side}]?)\s*([-+]?\d{{1,3}}(?:\.\d+)?)\s*°?\s*([{side}]?)"
_COORDINATES = re.compile(
    rf"[(\[]?\s*{_DEGREES.format(name='lat(?:itude)?', side='NS')}\s*[,;\s]\s*"
    rf"{_DEGREES.format(name='(?:lon|lng|long|longitude)', side='EW')}\s*[)\]]?",
    re.IGNORECASE | re.ASCII,
)
_LINKING = re.compile(r"^(?:in|im|near|en|dans)\s+|\s+(?:in|im|near|en|dans)$", re.IGNORECASE)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST_NAME = 80
_POLE, _DATE_LINE = 90, 180
_NEAR_DEGREES = 0.3
_CLEARLY_LARGER = 3
_LARGE_PART = 20
_CHOICES = 8
_COUNTRY, _A_COUNTRY = "PCL", "country"
_REGIONS = ("ADM", "PCL", "TERR", "RGN")


class Place(BaseModel):
    """A place of the gazetteer. ``population`` is 0 where unknown; ``feature_code`` is GeoNames' kind of place."""

    model_config = ConfigDict(defer_build=True)

    name: str
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    id: int = 0
    feature_code: str = ""
    population: int = 0
    country: str = ""
    country_code: str = ""
    country_id: int = 0
    admin1: str = ""
    admin2: str = ""
    admin3: str = ""
    admin4: str = ""
    admin1_id: int = 0
    admin2_id: int = 0
    admin3_id: int = 0

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, row: Any) -> Any:
        return {name: value for name, value in row.items() if value is not None} if isinstance(row, dict) else row

    @field_validator("name", "country", "admin1", "admin2", "admin3", "admin4")
    @classmethod
    def _is_one_short_line(cls, name: str) -> str:
        return " ".join(_UNSEEN.sub(" ", name).split())[:_LONGEST_NAME]

    @property
    def within(self) -> set[int]:
        """The ids of the regions that it lies in."""
        return {self.country_id, self.admin1_id, self.admin2_id, self.admin3_id} - {0}

    @property
    def is_region(self) -> bool:
        """Whether it is a country, a state or a county: larger than one weather."""
        return self.feature_code.startswith(_REGIONS)

    def label(self, *, full: bool = False) -> str:
        """``Paris, Texas, United States``; ``full`` names the county as well. Read by :meth:`Places.find`."""
        if self.feature_code.startswith(_COUNTRY):
            return f"{self.name} ({_A_COUNTRY})"
        parts = [self.name, self.admin2 if full else "", self.admin1, self.country]
        return ", ".join(dict.fromkeys(part for part in parts if part))


class _Found(BaseModel):
    model_config = ConfigDict(defer_build=True)

    results: list[Place] | None = None
    error: Literal[False] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The place that is meant, and labels of others that bear its name."""

    place: Place
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several places of one name, none of which is much larger than the rest: the labels by which they are found."""

    name: str
    labels: tuple[str, ...]


class Places:
    """The gazetteer at one address. Raises ToolError where it does not answer as it should."""

    def __init__(self, service: JsonService, base_url: str) -> None:
        self._service = service
        self._base_url = base_url

    async def find(self, location: str) -> Chosen | Ambiguous:
        """The place that is meant. Raises ToolRetry where there is none of that name, or none in that region."""
        point = _point(location)
        if point is not None:
            return Chosen(point)
        parts = [part for one in re.split(r"[,;()]", _UNSEEN.sub(" ", location)) if (part := one.strip())]
        if not parts:
            raise ToolRetry("location must name a place, such as Oslo or Paris, Texas.")
        named = await self._search(parts[0], 100 if parts[1:] else 20)
        found = await self._inside(named, parts[1:])
        if not named and len(parts) == 1:
            found = await self._unpunctuated(parts[0])
        if found:
            return choose(found, alone=len(parts) == 1)
        if named:
            labels = "; ".join(_labels(_largest(named)))
            raise ToolRetry(f"No “{parts[0]}” was found in “{', '.join(parts[1:])}”. Places of that name: {labels}.")
        raise ToolRetry(
            f"No place called “{parts[0]}” was found. Check the spelling, or name a larger place nearby, "
            "such as Paris, Texas."
        )

    async def _unpunctuated(self, text: str) -> list[Place]:
        """``Paris Texas`` or ``Newport in North Wales``: the last one or two words taken for the region."""
        words = text.split()
        for count in range(1, min(3, len(words))):
            name, region = (_LINKING.sub("", " ".join(part)) for part in (words[:-count], words[-count:]))
            found = await self._inside(await self._search(name, 100), [region]) if name and region else []
            if found:
                return found
        return []

    async def _inside(self, places: list[Place], regions: Sequence[str]) -> list[Place]:
        """Those that lie in all of the regions."""
        for region in regions:
            if not places:
                return []
            known = [place for place in places if _is_in(place, region)]
            places = known or await self._by_gazetteer(places, region)
        return places

    async def _by_gazetteer(self, places: list[Place], region: str) -> list[Place]:
        """Those in a region that bears another name in another language: ``Bayern`` is found, and is Bavaria's id."""
        ids = {one.id for one in await self._search(region, 10) if one.is_region}
        return [place for place in places if place.within & ids]

    async def _search(self, name: str, count: int) -> list[Place]:
        asked = {"name": name, "count": str(count), "language": "en", "format": "json"}
        answer = await self._service.get(f"{self._base_url}/v1/search", asked)
        try:
            return _Found.model_validate(answer).results or []
        except ValidationError as fault:
            raise ToolError(f"What {self._base_url} answered is not what Open-Meteo's geocoding answers.") from fault


def choose(found: Sequence[Place], *, alone: bool) -> Chosen | Ambiguous:
    """The place that people mean by a name, or all of that name; ``alone``: the name was given without a region."""
    first = _town_of(found[0], found)
    same = [first, *(other for other in found[1:] if _is_rival(other, first))]
    same = _largest(_apart(same))
    if len(same) > 1 and same[0].population <= _CLEARLY_LARGER * same[1].population:
        return Ambiguous(first.name, _labels(same))
    return Chosen(same[0], _labels(same[1:4]) if alone else ())


def _town_of(first: Place, found: Sequence[Place]) -> Place:
    """The town that a region is named for, where it is a large part of it: New York, not the state; else the region."""
    if not first.is_region:
        return first
    name = folded(first.name)
    towns = [one for one in found if not one.is_region and first.id in one.within and folded(one.name) == name]
    largest = next(iter(_largest(towns)), first)
    return largest if largest.population * _LARGE_PART >= first.population else first


def _is_rival(other: Place, first: Place) -> bool:
    """Whether another place bears the same name, and is not the region of the first, nor in it."""
    same_name = folded(other.name) == folded(first.name)
    return same_name and other.id not in first.within and first.id not in other.within


def _apart(places: Sequence[Place]) -> list[Place]:
    """The places without those so near to an earlier one that the weather is the same."""
    kept: list[Place] = []
    for place in places:
        if not any(
            abs(place.latitude - one.latitude) < _NEAR_DEGREES and abs(place.longitude - one.longitude) < _NEAR_DEGREES
            for one in kept
        ):
            kept.append(place)
    return kept


def _largest(places: Sequence[Place]) -> list[Place]:
    return sorted(places, key=lambda place: -place.population)


def _labels(places: Sequence[Place]) -> tuple[str, ...]:
    """Labels that tell the places apart; those that none can tell apart are one."""
    short = [place.label() for place in places[:_CHOICES]]
    clear = len(set(short)) == len(short)
    return tuple(dict.fromkeys(short if clear else [place.label(full=True) for place in places[:_CHOICES]]))


def _is_in(place: Place, region: str) -> bool:
    name = folded(region)
    regions = {folded(one) for one in (place.country, place.admin1, place.admin2, place.admin3, place.admin4) if one}
    code = place.country_code.lower()
    state = spelled(region, code)
    if name == _A_COUNTRY and place.feature_code.startswith(_COUNTRY):
        return True
    return name in regions or name == code or country_code(name) == code != "" or state in regions - {""}


def _point(location: str) -> Place | None:
    """The point of ``48.1, 11.6`` or ``48.1° N, 11.6° E``; None where that is no pair of coordinates.

    Raises ToolRetry for a pair that is nowhere on Earth.
    """
    match = _COORDINATES.fullmatch(location.replace("\N{MINUS SIGN}", "-").strip())
    if match is None:
        return None
    latitude, longitude = float(match[2]), float(match[5])
    latitude = -abs(latitude) if "S" in (match[1] + match[3]).upper() else latitude
    longitude = -abs(longitude) if "W" in (match[4] + match[6]).upper() else longitude
    if abs(latitude) > _POLE or abs(longitude) > _DATE_LINE:
        raise ToolRetry(
            "Coordinates are latitude, from -90 to 90, and longitude, from -180 to 180, such as 48.1, 11.6."
        )
    return Place(name=f"{latitude:.9g}, {longitude:.9g}", latitude=latitude, longitude=longitude)
