"""Plain requests: what is read from them by rule, and what is left to the model."""

import time

import pytest

from agentic_web_search.examples import READ, SEARCH
from agentic_web_search.requests import address_in, query_in


@pytest.mark.parametrize(
    ("request_text", "query"),
    [
        ("Search the web for the newest release of Python", "the newest release of Python"),
        ("please search the internet for cheap flights to Rome.", "cheap flights to Rome"),
        ("Can you search the web about otters?", "otters"),
        ("serach the web for good hiking boots", "good hiking boots"),
        ("search on google for the opening hours of the Louvre", "the opening hours of the Louvre"),
        ("Search for cheap train tickets from Berlin to Prague online", "cheap train tickets from Berlin to Prague"),
        ("Find me a review of the Framework laptop on the internet", "a review of the Framework laptop"),
        ("  search   the web \t for   otters ", "otters"),
        ("look up the population of Ghent on the web", "the population of Ghent"),
        ("Could you please google who won the Tour de France", "who won the Tour de France"),
        ("google the opening hours of the Louvre", "the opening hours of the Louvre"),
        ("google: best pizza dough", "best pizza dough"),
        ("web search: mars mission", "mars mission"),
        ("Do a web search for 'mars mission', please", "'mars mission'"),
        ("Suche im Internet nach aktuellen Mietpreisen in Hamburg", "aktuellen Mietpreisen in Hamburg"),
        ("Busca en internet las noticias de hoy", "las noticias de hoy"),
        ("Cherche sur internet les horaires du Louvre", "les horaires du Louvre"),
        ("Cerca su internet gli orari dei musei", "gli orari dei musei"),
        ("Pesquise na internet o preço da gasolina", "o preço da gasolina"),
        ("Zoek op internet naar elektrische fietsen", "elektrische fietsen"),
    ],
)
def test_request_that_says_so_is_a_search(request_text: str, query: str) -> None:
    assert (query_in(request_text) or "").strip("'") == query.strip("'")


@pytest.mark.parametrize(
    "request_text",
    [
        "",
        "What is 17 * 23?",
        "Google announced a new phone",
        "google stock price",
        "Google it",
        "search the web",
        "search the web for it",
        "Search my documents for the contract",
        "search the table for the highest price",
        "search for the word otter in this text",
        "Write a crawler that searches the web for otters",
        "How do search engines search the web for pages?",
        "Don't search the web for this, just answer",
        "Search the web for the population of Ghent and calculate 3% of it",
        "Search the web for otters. Then write a poem about them.",
        "Search the web for otters\nand these:\n- beavers",
        "Search the web for https://example.org/page",
        "Search the web for " + "x" * 500,
        "The web search tool is broken",
    ],
)
def test_request_for_anything_else_or_more_is_left_to_the_model(request_text: str) -> None:
    assert query_in(request_text) is None


@pytest.mark.parametrize(
    ("request_text", "address"),
    [
        ("Read https://example.org/article and tell me what it says", "https://example.org/article"),
        ("Summarise https://example.com/blog/post.", "https://example.com/blog/post"),
        ("summarize this (https://example.com/a)", "https://example.com/a"),
        ("tl;dr <https://example.com/a>", "https://example.com/a"),
        ("tldr https://example.com", "https://example.com"),
        ("What does https://en.wikipedia.org/wiki/Otter_(animal) say?", "https://en.wikipedia.org/wiki/Otter_(animal)"),
        ("Open HTTP://EXAMPLE.org/x?a=1&b=2#c!", "HTTP://EXAMPLE.org/x?a=1&b=2#c"),
        ("Fasse https://example.org/artikel in drei Sätzen zusammen", "https://example.org/artikel"),
        ("Résume https://example.org/article en français", "https://example.org/article"),
        ("Lee https://example.com/articulo y dime de qué trata", "https://example.com/articulo"),
    ],
)
def test_request_to_read_one_address_is_one(request_text: str, address: str) -> None:
    assert address_in(request_text) == address


@pytest.mark.parametrize(
    "request_text",
    [
        "",
        "Read the file notes.txt",
        "Read example.org",
        "https://example.org/",
        "Compare https://a.example/ and https://b.example/, read both",
        "Write a Python script that reads https://example.org/",
        "How do I open https://example.org/ with curl?",
        "Translate https://example.org/ into German and read it out",
        "Do not open https://example.org/",
        "Read https:// please",
        "Read https://?x please",
        "Summarise this: " + "word " * 100 + "https://example.org/",
        "Read\n```\nhttps://example.org/\n```",
    ],
)
def test_request_with_another_wish_or_number_of_addresses_is_left_to_the_model(request_text: str) -> None:
    assert address_in(request_text) is None


@pytest.mark.parametrize(
    "text",
    [
        "look up" + " " * 380 + "x",
        "look up " + "a online " * 40,
        "search the web " + "for " * 90,
        "please " * 55,
        "google " + "the " * 90,
        "read " + "https://" * 45,
        "suche im internet " + "nach " * 60,
        "read https://a.example/" + ")" * 3000,
        "read https://a.example/" + "(.)" * 1000,
    ],
)
def test_no_request_makes_the_rules_go_back_and_forth(text: str) -> None:
    best = 1.0
    for _ in range(3):
        began = time.perf_counter()
        query_in(text)
        address_in(text)
        best = min(best, time.perf_counter() - began)
    assert best < 0.5, "a rule that backtracks takes seconds"


def test_no_example_of_one_tool_is_read_by_the_rules_of_the_other() -> None:
    assert [text for text in READ if query_in(text)] == []
    assert [text for text in SEARCH if address_in(text)] == []
