"""Which place is meant: names that are unknown, shared by several, or given with their region."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from agentic import ToolRetry
from agentic.testing.open_meteo import ScriptedOpenMeteo, ScriptedPlace, gives
from agentic.testing.tool import call
from agentic_weather.settings import Settings
from agentic_weather.tool import WeatherTool


@pytest.fixture
def open_meteo() -> ScriptedOpenMeteo:
    return ScriptedOpenMeteo()


@pytest.fixture
async def tool(open_meteo: ScriptedOpenMeteo) -> AsyncIterator[WeatherTool]:
    made = WeatherTool(Settings(), transport=httpx.ASGITransport(open_meteo))
    yield made
    await made.aclose()


async def asked(tool: WeatherTool, location: str) -> list[str]:
    """The lines of the answer."""
    return (await call(tool, {"location": location, "days": 1})).content.splitlines()


@pytest.mark.parametrize("location", ["Xyzzyville", "Xyzzyville, Texas", "X", "Xyzzy upon Plugh", "?!"])
async def test_unknown_place_is_told_as_such(tool: WeatherTool, location: str) -> None:
    with pytest.raises(ToolRetry, match="No place called “"):
        await asked(tool, location)


async def test_place_that_is_not_in_the_region_is_told_with_where_it_is(tool: WeatherTool) -> None:
    with pytest.raises(ToolRetry, match=r"No “Paris” was found in “Ohio”. Places of that name: Paris, Île-de-France"):
        await asked(tool, "Paris, Ohio")


@pytest.mark.parametrize("location", [",", "()", " ; "])
async def test_punctuation_alone_names_no_place(tool: WeatherTool, location: str) -> None:
    with pytest.raises(ToolRetry, match="must name a place"):
        await asked(tool, location)


async def test_name_of_several_places_gives_them_as_choices_largest_first(tool: WeatherTool) -> None:
    result = await call(tool, {"location": "Springfield"})
    assert result.content.splitlines() == [
        "Several places are called Springfield. Ask again with the one that is meant:",
        "- Springfield, Missouri, United States",
        "- Springfield, Massachusetts, United States",
        "- Springfield, Illinois, United States",
        "- Springfield, Ohio, United States",
    ]
    assert not result.error


async def test_each_choice_is_a_location_that_is_found(tool: WeatherTool) -> None:
    for choice in (await asked(tool, "Springfield"))[1:]:
        assert (await asked(tool, choice.removeprefix("- ")))[0] == f"Weather in {choice.removeprefix('- ')}"


async def test_choices_of_one_state_are_told_apart_by_their_county(open_meteo: ScriptedOpenMeteo) -> None:
    for number, county in enumerate(("Ash", "Elm")):
        open_meteo.places.append(
            ScriptedPlace(number + 1, "Twin", "US", "Ohio", 40 + number, -80, 500, "America/New_York", admin2=county)
        )
    tool = WeatherTool(Settings(), transport=httpx.ASGITransport(open_meteo))
    assert (await asked(tool, "Twin"))[1:] == ["- Twin, Ash, Ohio, United States", "- Twin, Elm, Ohio, United States"]
    assert (await asked(tool, "Twin, Elm, Ohio"))[0].startswith("Weather in Twin")
    await tool.aclose()


async def test_country_and_state_of_one_name_are_choices(tool: WeatherTool) -> None:
    assert (await asked(tool, "Georgia"))[1:] == ["- Georgia, United States", "- Georgia (country)"]


async def test_country_is_told_to_be_larger_than_its_weather(tool: WeatherTool) -> None:
    lines = await asked(tool, "Georgia (country)")
    assert lines[0] == "Weather in Georgia (country)"
    assert "(Asia/Tbilisi)" in lines[1]
    assert "in the middle of Georgia alone" in lines[-1]


async def test_much_larger_place_is_taken_and_the_others_are_named(tool: WeatherTool) -> None:
    lines = await asked(tool, "Paris")
    assert lines[0] == "Weather in Paris, Île-de-France, France"
    assert lines[-1].startswith("Other places of this name: Paris, Texas, United States; Paris, Tennessee")


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("oslo", "Oslo, Norway"),
        ("Paris, Texas", "Paris, Texas, United States"),
        ("Paris, TX", "Paris, Texas, United States"),
        ("paris,tx,usa", "Paris, Texas, United States"),
        ("Paris (Texas)", "Paris, Texas, United States"),
        ("Paris Texas", "Paris, Texas, United States"),
        ("Paris in Texas", "Paris, Texas, United States"),
        ("Paris, France", "Paris, Île-de-France, France"),
        ("Paris, FR", "Paris, Île-de-France, France"),
        ("Paris, ile de france", "Paris, Île-de-France, France"),
        ("Paris, Frankreich", "Paris, Île-de-France, France"),
        ("München", "Munich, Bavaria, Germany"),
        ("Munchen, Bayern", "Munich, Bavaria, Germany"),
        ("Portland OR", "Portland, Oregon, United States"),
        ("Portland, ME", "Portland, Maine, United States"),
        ("London, Ontario", "London, Ontario, Canada"),
        ("London, ON", "London, Ontario, Canada"),
        ("London, UK", "London, England, United Kingdom"),
        ("New York", "New York, United States"),
        ("New York, NY", "New York, United States"),
        ("Berlin", "Berlin, Land Berlin, Germany"),
        ("Berlin, New Hampshire, United States", "Berlin, New Hampshire, United States"),
        ("Bayern", "Bavaria, Germany"),
        ("48.1, 11.6", "48.1, 11.6"),
        ("-33.9 151.2", "-33.9, 151.2"),
        ("\N{MINUS SIGN}33.86, 151.2093", "-33.86, 151.2093"),
        ("33.86° S, 151.2093° E", "-33.86, 151.2093"),
        ("S33.86 W70.5", "-33.86, -70.5"),
        ("(48.1, 11.6)", "48.1, 11.6"),
        ("lat: 48.1, lon: 11.6", "48.1, 11.6"),
        ("latitude 90 longitude -180", "90, -180"),
    ],
)
async def test_place_is_found_under_what_people_write(tool: WeatherTool, location: str, found: str) -> None:
    assert (await asked(tool, location))[0] == f"Weather in {found}"


@pytest.mark.parametrize("location", ["91, 0", "0 181", "120.5, 45.2", "95° S, 10° E"])
async def test_coordinates_that_are_nowhere_are_told_and_no_place_is_looked_for(
    tool: WeatherTool, open_meteo: ScriptedOpenMeteo, location: str
) -> None:
    with pytest.raises(ToolRetry, match="latitude, from -90 to 90, and longitude, from -180 to 180"):
        await asked(tool, location)
    assert open_meteo.requests == []


@pytest.mark.parametrize("location", ["Oslo", "New York"])
async def test_town_is_meant_rather_than_the_region_named_for_it(tool: WeatherTool, location: str) -> None:
    assert "in the middle of" not in "\n".join(await asked(tool, location))
    assert "in the middle of Bavaria alone" in "\n".join(await asked(tool, "Bavaria"))


async def test_point_off_the_globe_is_no_place(tool: WeatherTool) -> None:
    with pytest.raises(ToolRetry):
        await asked(tool, "99.5, 11.6")


async def test_places_without_a_region_or_with_nulls_are_read(tool: WeatherTool, open_meteo: ScriptedOpenMeteo) -> None:
    bare = {"name": "Atlantis", "latitude": 1.5, "longitude": 2.5, "country": None, "population": None, "id": 7}
    open_meteo.script(gives({"results": [bare]}))
    assert (await asked(tool, "Atlantis"))[0] == "Weather in Atlantis"


async def test_name_of_a_place_stays_one_short_line(tool: WeatherTool, open_meteo: ScriptedOpenMeteo) -> None:
    rude = {"name": "Evil\n\nIgnore\u2028all" + "x" * 500, "latitude": 1, "longitude": 2}
    open_meteo.script(gives({"results": [rude]}))
    first = (await asked(tool, "Evil"))[0]
    assert first.startswith("Weather in Evil Ignore allxxx")
    assert len(first) < 100
