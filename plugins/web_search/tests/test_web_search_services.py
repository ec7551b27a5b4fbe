"""Searching: every way in which a service fails, who is asked then, and what the model is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from agentic import ToolError, ToolRetry
from agentic.testing.scripted_answers import Answer, cuts, fails, hangs, says, sends
from agentic.testing.tavily import Found, ScriptedTavily
from agentic.testing.tool import call
from agentic_web_search.duckduckgo import DuckDuckGo
from agentic_web_search.results import Query, Result, tidy
from agentic_web_search.search_tool import WebSearchTool, searchers
from agentic_web_search.settings import Settings
from agentic_web_search.tavily import MAX_BYTES, Tavily

KEY = "tvly-dev-kept-to-itself"
DUCK = {"title": "A duck", "href": "https://duck.example/", "body": "Ducks swim."}


class Ducks:
    """Stands in for ``ddgs``: gives its rows, or raises; ``asked`` keeps the queries."""

    def __init__(self, *rows: Mapping[str, Any], fault: Exception | None = None, wait_s: float = 0) -> None:
        self.rows = rows
        self.fault = fault
        self.wait_s = wait_s
        self.asked: list[Query] = []

    def __call__(self, query: Query, timeout_s: float) -> Sequence[Mapping[str, Any]]:
        self.asked.append(query)
        time.sleep(self.wait_s)
        if self.fault is not None:
            raise self.fault
        return self.rows


Make = Callable[..., WebSearchTool]


@pytest.fixture
async def tavily() -> ScriptedTavily:
    return ScriptedTavily(key=KEY)


@pytest.fixture
async def make(tavily: ScriptedTavily) -> AsyncIterator[Make]:
    """Makes the tool over the scripted Tavily, and over ducks where they are given."""
    made: list[WebSearchTool] = []

    async with tavily.serve() as address:

        def make(ducks: Ducks | None = None, **settings: Any) -> WebSearchTool:
            given = Settings(**{"tavily_api_key": KEY, "tavily_base_url": address, **settings})
            asked = [*([Tavily(given)] if given.tavily_api_key else []), *([DuckDuckGo(given, ducks)] if ducks else [])]
            made.append(WebSearchTool(given, asked))
            return made[-1]

        yield make
        for tool in made:
            await tool.aclose()


async def test_results_have_title_address_date_and_text_and_are_cited(make: Make, tavily: ScriptedTavily) -> None:
    tavily.results = (
        Found("https://a.example/1", "One", "First\n text.", published_date="Tue, 24 Nov 2026 02:48:17 GMT"),
    )
    result = await call(make(), {"query": " newest   thing ", "max_results": 3, "recent": "week", "topic": "news"})
    assert result.content == (
        "Found by Tavily:\n\n1. One\n   https://a.example/1\n   Tue, 24 Nov 2026 02:48:17 GMT\n   First text."
    )
    assert [(one.url, one.title) for one in result.citations] == [("https://a.example/1", "One")]
    assert tavily.requests[0].body == {"query": "newest thing", "max_results": 3, "topic": "news", "time_range": "week"}
    assert tavily.requests[0].headers["authorization"] == f"Bearer {KEY}"


FAULTS: list[tuple[Answer, str]] = [
    (
        fails(429, "Your request has been blocked due to excessive requests.", retry_after_s=7),
        "limit of requests is reached",
    ),
    (fails(432, "This request exceeds your plan's set usage limit."), "plan or its limit"),
    (fails(433, "This request exceeds the pay-as-you-go limit."), "plan or its limit"),
    (fails(403, f"Forbidden for {KEY}"), "plan or its limit"),
    (fails(401, f"Unauthorized: {KEY} is no API key."), "refuses the key"),
    (fails(400, "Query is too long."), "does not accept this query"),
    (fails(404, "Not Found"), "status 404"),
    (fails(500, "Internal Server Error"), "status 500"),
    (fails(502, "<html>Bad gateway"), "status 502"),
    (fails(302, "", headers={"Location": "http://169.254.169.254/"}), "status 302"),
    (says("slow", wait_s=5), "did not answer within 1 s"),
    (hangs(), "did not answer within 1 s"),
    (hangs(after=1), "did not answer within 1 s"),
    (cuts(), "cannot be reached"),
    (sends("<html>not JSON"), "cannot be read"),
    (sends("[]"), "cannot be read"),
    (sends("null"), "cannot be read"),
    (sends('{"results": {"a": 1}}'), "cannot be read"),
    (sends('{"results": [{"title": "no address"}]}'), "cannot be read"),
    (sends('{"results": [], "answer": "', *["x" * 100_000] * (MAX_BYTES // 100_000 + 1), '"}'), "too large"),
]


@pytest.mark.parametrize(("fault", "why"), FAULTS, ids=[why for _, why in FAULTS])
async def test_failing_tavily_is_told_and_duckduckgo_asked_instead(
    fault: Answer, why: str, make: Make, tavily: ScriptedTavily, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tavily.faults["/search"] = fault
    ducks = Ducks(DUCK)
    result = await call(make(ducks, web_search_timeout=1), {"query": "ducks"})
    note, _, found = result.content.partition("\n")
    assert note.startswith("Note: Tavily") and why in note and note.endswith("DuckDuckGo was asked instead.")
    assert found == "Found by DuckDuckGo:\n\n1. A duck\n   https://duck.example/\n   Ducks swim."
    assert [query.text for query in ducks.asked] == ["ducks"]
    assert KEY not in result.content and KEY not in caplog.text
    assert "ducks" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("agentic"))


async def test_without_a_second_service_the_fault_is_the_error_and_names_no_key(
    make: Make, tavily: ScriptedTavily
) -> None:
    tavily.faults["/search"] = fails(401, f"bad key {KEY}")
    with pytest.raises(ToolError, match="refuses the key") as failure:
        await call(make(), {"query": "ducks"})
    seen: list[BaseException | None] = [failure.value, failure.value.__cause__, failure.value.__context__]
    assert not [one for one in seen if KEY in repr(one)]


async def test_server_that_is_away_is_told(make: Make) -> None:
    with pytest.raises(ToolError, match="Tavily cannot be reached"):
        await call(make(tavily_base_url="http://127.0.0.1:1"), {"query": "ducks"})


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        ({"Retry-After": "300"}, 300),
        ({"Retry-After": "99999999999"}, 3600),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600),
        ({"Retry-After": "soon"}, 60),
        ({}, 60),
    ],
)
async def test_tavily_is_left_alone_for_as_long_as_it_asks_but_no_longer_than_an_hour(
    make: Make, tavily: ScriptedTavily, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], wait_s: float
) -> None:
    tool = make(Ducks(DUCK))
    tavily.faults["/search"] = fails(429, "Too many requests", headers=told)
    await call(tool, {"query": "one"})
    tavily.faults.clear()
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + wait_s - 50)
    assert "limit of requests" in (await call(tool, {"query": "two"})).content
    assert len(tavily.requests) == 1
    monkeypatch.setattr(time, "monotonic", lambda: now() + wait_s + 1)
    assert "Found by Tavily" in (await call(tool, {"query": "three"})).content


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (RatelimitException("202 https://html.duckduckgo.com/?q=secret"), "limit of requests"),
        (TimeoutException("timed out"), "did not answer"),
        (DDGSException("RequestError: https://html.duckduckgo.com/?q=secret"), "cannot be reached, or refuses"),
        (RuntimeError("xpath secret"), "cannot be read"),
    ],
)
async def test_both_failing_is_an_error_that_tells_both_causes(
    fault: Exception, why: str, make: Make, tavily: ScriptedTavily, caplog: pytest.LogCaptureFixture
) -> None:
    tavily.faults["/search"] = fails(500, "Internal Server Error")
    with pytest.raises(
        ToolError, match=r"The web cannot be searched now: Tavily answered with status 500; .*"
    ) as failure:
        await call(make(Ducks(fault=fault)), {"query": "ducks"})
    assert why in failure.value.message
    assert "secret" not in failure.value.message + caplog.text


async def test_duckduckgo_that_hangs_is_given_up_and_does_not_block_the_loop(make: Make) -> None:
    tool = make(Ducks(DUCK, wait_s=2), tavily_api_key=None, web_search_timeout=1)
    began = time.monotonic()
    searching = asyncio.create_task(call(tool, {"query": "ducks"}))
    await asyncio.sleep(0.05)
    assert time.monotonic() - began < 0.9
    with pytest.raises(ToolError, match="DuckDuckGo did not answer within 1 s"):
        await searching


@pytest.mark.parametrize("rows", [Ducks(), Ducks(fault=DDGSException("No results found."))])
async def test_nothing_found_is_no_failure(rows: Ducks, make: Make, tavily: ScriptedTavily) -> None:
    tavily.results = ()
    assert (await call(make(), {"query": "ducks"})).content == "Tavily found nothing. Try other words, or fewer."
    result = await call(make(rows, tavily_api_key=None), {"query": "ducks"})
    assert (result.content, result.error) == ("DuckDuckGo found nothing. Try other words, or fewer.", False)


async def test_news_of_duckduckgo_have_their_date(make: Make) -> None:
    row = {
        "title": "News",
        "url": "https://n.example/",
        "body": "Text.",
        "date": "2026-11-23T09:00:00+00:00",
        "image": None,
    }
    result = await call(make(Ducks(row), tavily_api_key=None), {"query": "ducks", "topic": "news"})
    assert result.content.endswith("1. News\n   https://n.example/\n   2026-11-23T09:00:00+00:00\n   Text.")


@pytest.mark.parametrize("query", ["", "  ", "?!", "…"])
async def test_query_without_words_is_to_be_asked_again(query: str, make: Make, tavily: ScriptedTavily) -> None:
    with pytest.raises(ToolRetry, match="no words"):
        await call(make(), {"query": query})
    assert tavily.requests == []


async def test_results_are_at_most_what_the_operator_allows(make: Make, tavily: ScriptedTavily) -> None:
    tavily.results = tuple(Found(f"https://a.example/{n}", f"Page {n}", "word " * 500) for n in range(10))
    result = await call(make(web_search_max_results=2, web_search_max_characters=100), {"query": "x", "max_results": 9})
    assert len(result.citations) == 2
    assert tavily.requests[0].body["max_results"] == 2
    assert max(len(line) for line in result.content.splitlines()) <= 103


def test_duplicates_are_one_result_with_the_longer_text_in_the_first_ones_place() -> None:
    found = [
        Result("https://www.a.example/p/?utm_source=x#part", "A", "short"),
        Result("https://b.example/p?id=1", "B", "b"),
        Result("http://a.example/p", "A again", "rather longer"),
        Result("https://b.example/p?id=2", "B2", "b"),
        Result("javascript:alert(1)", "bad", "x"),
        Result("https://[broken", "bad", "x"),
        Result("", "bad", "x"),
    ]
    kept = tidy(found, most=5, characters=100)
    assert [(one.url, one.text) for one in kept] == [
        ("http://a.example/p", "rather longer"),
        ("https://b.example/p?id=1", "b"),
        ("https://b.example/p?id=2", "b"),
    ]


async def test_doctor_tells_who_searches() -> None:
    keyless = Settings()
    assert await WebSearchTool(keyless, searchers(keyless)).check() == "DuckDuckGo; set TAVILY_API_KEY for Tavily"
    keyed = Settings(tavily_api_key=KEY)  # type: ignore[arg-type]
    assert await WebSearchTool(keyed, searchers(keyed)).check() == "Tavily, and DuckDuckGo where it fails"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tavily_api_key", f"{KEY}\n"),
        ("tavily_api_key", f"{KEY} {KEY}"),
        ("tavily_base_url", "api.tavily.com"),
        ("tavily_base_url", "https://user:pass@api.tavily.com"),
        ("web_search_timeout", 0),
        ("read_page_max_characters", 1),
    ],
)
def test_wrong_setting_is_refused_without_its_key(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name) as refusal:
        Settings(**{name: value})
    assert KEY not in str(refusal.value)
