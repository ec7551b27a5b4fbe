"""Which plain requests ask for the weather at one place, and which addresses are taken."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from agentic import Json
from agentic_weather.examples import EXAMPLES
from agentic_weather.requests import arguments_in
from agentic_weather.settings import Settings
from agentic_weather.tool import Arguments

LEFT_ALONE = [
    "",
    "weather",
    "What is the weather?",
    "what is weather in general",
    "How's the weather here?",
    "weather in my city",
    "weather in the area",
    "weather in space",
    "weather in July",
    "weather in Oslo in July",
    "What was the weather in Oslo yesterday?",
    "weather in Oslo last week",
    "weather in Oslo and Bergen",
    "Weather in Oslo or Bergen tomorrow",
    "weather in Oslo compared with Bergen",
    "weather in Oslo for 30 days",
    "weather in Oslo for 0 days",
    "forecast for sales for 3 days",
    "forecast for Apple",
    "Forecast for our sales for 3 days",
    "what is the temperature in kelvin",
    "what is the temperature in the sun",
    "convert the temperature in Celsius to Fahrenheit",
    "code for the weather in Python",
    "Write a poem about the weather in Oslo",
    "weather in Oslo tomorrow and what is 2+2",
    "tomorrow's weather in Oslo today tomorrow",
    "weather in " + "x" * 300,
    "weather in 12345",
    "weather in town",
    "what is the weather in the city",
    "weather in Portland or Boston",
]
READ: list[tuple[str, Json]] = [
    ("weather in Oslo", {"location": "Oslo"}),
    ("Weather in oslo?", {"location": "oslo"}),
    ("What's the weather like in Cape Town today?", {"location": "Cape Town", "days": 1}),
    ("how is the weather in Paris, Texas", {"location": "Paris, Texas"}),
    ("What will the weather be like in Berlin tomorrow?", {"location": "Berlin", "days": 2}),
    ("what will the weather be tomorrow in St. John's?", {"location": "St. John's", "days": 2}),
    ("weather in Oslo the day after tomorrow", {"location": "Oslo", "days": 3}),
    ("Can you please tell me the weather in Rio de Janeiro this weekend?", {"location": "Rio de Janeiro", "days": 7}),
    ("Weather forecast for Lisbon for 3 days", {"location": "Lisbon", "days": 3}),
    ("forecast for Denver for the next five days", {"location": "Denver", "days": 5}),
    ("Forecast for Oslo for 3 days", {"location": "Oslo", "days": 3}),
    ("Give me the 7 day forecast for Madrid", {"location": "Madrid", "days": 7}),
    ("weather in Oslo in 3 days", {"location": "Oslo", "days": 4}),
    ("weather in Oslo next week", {"location": "Oslo", "days": 14}),
    ("weather in Oslo on Friday", {"location": "Oslo", "days": 7}),
    ("What's the temperature in New York in Fahrenheit?", {"location": "New York", "units": "imperial"}),
    ("current temperature in Reykjavik", {"location": "Reykjavik"}),
    ("weather in Portland, OR", {"location": "Portland, OR"}),
    ("Weather in Boston MA tomorrow", {"location": "Boston MA", "days": 2}),
    ("weather in Mexico City", {"location": "Mexico City"}),
    ("weather in the Hague", {"location": "Hague"}),
    ("Will it rain in London tomorrow?", {"location": "London", "days": 2}),
    ("is it raining in Seattle", {"location": "Seattle"}),
    ("do I need an umbrella in Oslo tomorrow?", {"location": "Oslo", "days": 2}),
    ("Do I need an umbrella tomorrow in Oslo?", {"location": "Oslo", "days": 2}),
    ("wie wird das Wetter in Berlin", {"location": "Berlin"}),
    ("Wie ist das Wetter morgen in München?", {"location": "München", "days": 2}),
    ("Wie wird morgen das Wetter in Bad Tölz?", {"location": "Bad Tölz", "days": 2}),
    ("Wetter in Köln am Wochenende", {"location": "Köln", "days": 7}),
    ("Regnet es heute in Köln?", {"location": "Köln", "days": 1}),
    ("Brauche ich morgen in Hamburg einen Regenschirm?", {"location": "Hamburg", "days": 2}),
    ("Quel temps fait-il à Lyon ?", {"location": "Lyon"}),
    ("météo à Marseille demain", {"location": "Marseille", "days": 2}),
    ("¿Qué tiempo hace en Sevilla?", {"location": "Sevilla"}),
    ("Che tempo fa a Milano domani?", {"location": "Milano", "days": 2}),
]


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_request_that_is_not_plain_is_left_to_the_model(text: str) -> None:
    assert arguments_in(text) is None


@pytest.mark.parametrize(("text", "arguments"), READ)
def test_plain_request_yields_its_arguments(text: str, arguments: Json) -> None:
    assert arguments_in(text) == arguments
    Arguments.model_validate(arguments)


def test_examples_are_many_and_all_different() -> None:
    assert len(set(EXAMPLES)) == len(EXAMPLES) >= 40


@pytest.mark.parametrize("field", ["weather_base_url", "geocoding_base_url"])
@pytest.mark.parametrize(
    "url",
    ["ftp://host", "host.example", "http://", "https://api.open-meteo.com/v1", "http://ann:s3cret@host", "http://h:x"],
)
def test_address_with_more_than_a_host_is_refused_with_an_example(field: str, url: str) -> None:
    values: dict[str, Any] = {field: url}
    with pytest.raises(ValidationError, match=f"{field.upper()} must be an address without a path, such as https://"):
        Settings(**values)


def test_addresses_of_other_servers_are_taken() -> None:
    settings = Settings(weather_base_url="http://127.0.0.1:8080/", geocoding_base_url=" ")
    assert settings.weather_base_url == "http://127.0.0.1:8080"
    assert settings.geocoding_base_url == "https://geocoding-api.open-meteo.com"
