"""Which plain requests ask for an article by name, which languages there are, and which addresses are taken."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agentic import Json
from agentic_wikipedia.examples import EXAMPLES
from agentic_wikipedia.language import code_of
from agentic_wikipedia.requests import arguments_in
from agentic_wikipedia.settings import Settings
from agentic_wikipedia.tool import Arguments

LEFT_ALONE = [
    "",
    "wikipedia",
    "Wikipedia?",
    "What is Wikipedia?",
    "How does Wikipedia make money?",
    "wikipedia:",
    "who was Ada Lovelace",
    "look it up on wikipedia",
    "Look this up on Wikipedia",
    "find more on wikipedia",
    "Look up Ada Lovelace on Wikipedia and summarise her life",
    "Look up Oslo on Wikipedia and then tell me the weather",
    "wikipedia: Ada Lovelace. What is 2+2?",
    "Wikipedia article on Klingon wikipedia",
    "Search the Klingon Wikipedia for Kahless",
    "write a wikipedia article on me",
    "delete the wikipedia article on jazz",
    "look up black holes on google",
    "wikipedia: a\nb",
    "Wikipedia article on jazz in 0 sentences",
    "look up " + "x" * 300 + " on wikipedia",
]
READ: list[tuple[str, Json]] = [
    ("wikipedia: Alan Turing", {"query": "Alan Turing"}),
    ("Wikipedia - black holes", {"query": "black holes"}),
    ("look up black holes on wikipedia", {"query": "black holes"}),
    ("Can you please look up the Byzantine Empire on Wikipedia?", {"query": "the Byzantine Empire"}),
    ("please search for “Ada Lovelace” in Wikipedia, please.", {"query": "Ada Lovelace"}),
    ("search wikipedia for jazz", {"query": "jazz"}),
    ("Search the German Wikipedia for Johannes Kepler", {"query": "Johannes Kepler", "language": "de"}),
    ("look up Marie Curie on the french wikipedia", {"query": "Marie Curie", "language": "fr"}),
    ("search simple english wikipedia for gravity", {"query": "gravity", "language": "simple"}),
    ("wikipedia article on black holes", {"query": "black holes"}),
    ("show me the Wikipedia page of AC/DC", {"query": "AC/DC"}),
    ("Summarise the wikipedia entry on jazz in 5 sentences", {"query": "jazz", "sentences": 5}),
    ("wikipedia: jazz, in two sentences.", {"query": "jazz", "sentences": 2}),
    ("wikipedia: jazz in 40 sentences", {"query": "jazz", "sentences": 10}),
    ("What does Wikipedia say about photosynthesis?", {"query": "photosynthesis"}),
    ("Suche Immanuel Kant auf Wikipedia", {"query": "Immanuel Kant", "language": "de"}),
    ("Was steht in der Wikipedia über die Hanse?", {"query": "die Hanse", "language": "de"}),
    ("Que dit Wikipédia sur la tour Eiffel ?", {"query": "la tour Eiffel", "language": "fr"}),
    ("Busca la Alhambra en Wikipedia", {"query": "la Alhambra", "language": "es"}),
    ("Cerca Dante su Wikipedia", {"query": "Dante", "language": "it"}),
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


@pytest.mark.parametrize(
    "language",
    ["en.evil.example/x", "evil.example#", "en@evil", "e", "en/..", "", "www", "//evil", "a" * 20, "en:80", "ë"],
)
def test_language_that_could_name_another_host_is_refused(language: str) -> None:
    with pytest.raises(ValidationError, match="code of a Wikipedia"):
        Arguments(query="Ada", language=language)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("en", "en"),
        ("DE", "de"),
        ("de-DE", "de"),
        ("zh-Hans", "zh"),
        ("zh_Hant_TW", "zh"),
        ("sr-Latn", "sr"),
        ("pt_BR", "pt"),
        ("German", "de"),
        ("simple", "simple"),
        ("zh-yue", "zh-yue"),
        ("be-tarask", "be-tarask"),
        ("nds-nl", "nds-nl"),
        ("zh-min-nan", "zh-min-nan"),
    ],
)
def test_languages_are_taken_as_codes_and_by_name(written: str, code: str) -> None:
    assert code_of(written) == code


@pytest.mark.parametrize(
    "url",
    [
        "ftp://wiki",
        "wiki.example",
        "http://",
        "https://en.wikipedia.org/w/api.php",
        "http://ann:s3cret@wiki",
        "http://wiki:port",
        "http://wiki?x=1",
        "http://wiki#x",
        "http://{language}.wiki",
        "http://wiki\\@evil",
    ],
)
def test_address_with_more_than_a_host_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValidationError, match="WIKIPEDIA_BASE_URL must be an address without a path, such as"):
        Settings(wikipedia_base_url=url)


def test_addresses_of_mirrors_are_taken() -> None:
    assert Settings(wikipedia_base_url="http://127.0.0.1:8080/").wikipedia_base_url == "http://127.0.0.1:8080"
    assert Settings(wikipedia_base_url=" ").wikipedia_base_url == "https://{lang}.wikipedia.org"
    assert Settings(wikipedia_base_url="https://{lang}.wiki.example").wikipedia_base_url
