"""What the tool finds, and what it tells where it finds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from agentic import Citation, ToolError, ToolResult
from agentic.testing.tool import call
from agentic.testing.wikipedia import SUMMARY, Article, ScriptedWikipedia, fails, gives
from agentic_wikipedia.settings import Settings
from agentic_wikipedia.tool import WikipediaTool


@pytest.fixture
def wikipedia() -> ScriptedWikipedia:
    return ScriptedWikipedia()


@pytest.fixture
async def tool(wikipedia: ScriptedWikipedia) -> AsyncIterator[WikipediaTool]:
    made = WikipediaTool(Settings(), transport=httpx.ASGITransport(wikipedia))
    yield made
    await made.aclose()


async def ask(tool: WikipediaTool, query: str, **arguments: Any) -> ToolResult:
    return await call(tool, {"query": query, **arguments})


async def test_unknown_topic_is_told_with_its_language(tool: WikipediaTool) -> None:
    with pytest.raises(ToolError, match=r"No such article: Wikipedia \(de\) has nothing on “xyzzy plugh”"):
        await ask(tool, "xyzzy plugh", language="de")


async def test_page_that_went_since_it_was_found_is_no_such_article(
    tool: WikipediaTool, wikipedia: ScriptedWikipedia
) -> None:
    wikipedia.script(gives({"query": {"search": [{"title": "Gone for good"}]}}))
    with pytest.raises(ToolError, match="No such article"):
        await ask(tool, "Gone for good")


@pytest.mark.parametrize("sentences", [0, 11, -1, "many"])
async def test_number_of_sentences_out_of_range_is_refused(tool: WikipediaTool, sentences: Any) -> None:
    with pytest.raises(ValidationError):
        await ask(tool, "Ada Lovelace", sentences=sentences)


@pytest.mark.parametrize("query", ["", "   ", "\x00\n", "x" * 301])
async def test_query_without_words_is_refused(tool: WikipediaTool, query: str) -> None:
    with pytest.raises(ValidationError):
        await ask(tool, query)


async def test_title_that_no_title_can_be_is_searched_for(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    await ask(tool, "black | hole #1 [x]".replace(" #1 [x]", ""))
    assert "titles" not in wikipedia.requests[0].query


async def test_title_gives_its_first_sentences_and_its_address(tool: WikipediaTool) -> None:
    result = await ask(tool, "Ada Lovelace", sentences=1)
    title, _, text, _, source = result.content.splitlines()
    assert title == "Ada Lovelace: English mathematician (1815–1852)"
    assert text.startswith("Augusta Ada King, Countess of Lovelace (née Byron; 10 December 1815")
    assert text.endswith("the analytical engine.")
    assert source == "Source: https://en.wikipedia.org/wiki/Ada_Lovelace"
    assert result.citations == (Citation("https://en.wikipedia.org/wiki/Ada_Lovelace", "Ada Lovelace – Wikipedia"),)


async def test_more_sentences_than_a_summary_has_come_from_the_introduction(tool: WikipediaTool) -> None:
    text = (await ask(tool, "Ada Lovelace", sentences=4)).content
    assert "applications beyond pure calculation. Lovelace was the only legitimate child" in text
    assert "left England forever." in text
    assert "eight" not in text


async def test_article_with_fewer_sentences_gives_those_it_has(tool: WikipediaTool) -> None:
    assert "founded by brothers" in (await ask(tool, "AC/DC", sentences=10)).content


async def test_article_with_a_slash_in_its_title_is_found(tool: WikipediaTool) -> None:
    result = await ask(tool, "AC/DC")
    assert result.content.startswith("AC/DC: Australian rock band")
    assert result.citations[0].url == "https://en.wikipedia.org/wiki/AC%2FDC"


@pytest.mark.parametrize("query", ["Ada Byron", "ada_Byron", "https://en.wikipedia.org/wiki/Countess_of_Lovelace#Life"])
async def test_redirects_and_addresses_lead_to_the_article(tool: WikipediaTool, query: str) -> None:
    assert (await ask(tool, query)).content.startswith("Ada Lovelace")


async def test_topic_in_words_is_searched_for(tool: WikipediaTool) -> None:
    assert (await ask(tool, "history of the byzantine empire")).content.startswith("Byzantine Empire")


@pytest.mark.parametrize(
    "query", ["Who was Ada Lovelace?", "who is ada lovelace", "Wer war Ada Lovelace?", "Tell me about Ada Lovelace."]
)
async def test_question_is_searched_for_by_what_it_asks_for(tool: WikipediaTool, query: str) -> None:
    assert (await ask(tool, query)).content.startswith("Ada Lovelace")


async def test_title_that_is_a_question_is_found_as_it_is(wikipedia: ScriptedWikipedia) -> None:
    wikipedia.articles.append(Article(title="Who Is America?", extract="A television series."))
    tool = WikipediaTool(Settings(), transport=httpx.ASGITransport(wikipedia))
    assert (await ask(tool, "Who Is America?")).content.startswith("Who Is America?\n")
    await tool.aclose()


async def test_older_format_and_nulls_are_read(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    page = {"pageid": 7, "ns": 0, "title": "Ada", "fullurl": "https://wiki.example/Ada", "pageprops": None}
    wikipedia.script(
        gives({"query": {"pages": {"-1": {"ns": 0, "title": "ada", "missing": ""}, "7": page}}}),
        gives({"title": "Ada", "description": None, "extract": "A name. A language. Both are short."}),
    )
    result = await ask(tool, "ada")
    assert result.content.startswith("Ada\n\nA name. A language. Both are short.")
    assert result.citations[0].url == "https://wiki.example/Ada"


async def test_misspelt_name_is_found_by_the_search(tool: WikipediaTool) -> None:
    assert (await ask(tool, "ada lovlace")).content.startswith("Ada Lovelace")


async def test_search_names_the_other_articles_that_it_found(tool: WikipediaTool) -> None:
    assert "Other articles found: " in (await ask(tool, "the planet mercury sun")).content


async def test_ambiguous_title_offers_what_it_may_mean_with_descriptions(tool: WikipediaTool) -> None:
    result = await ask(tool, "Mercury")
    first, *choices = result.content.splitlines()
    assert first == "“Mercury” may mean one of several things. Ask again with the title that is meant:"
    assert "- Mercury (planet): First planet from the Sun" in choices
    assert choices[-1].startswith("- Freddie Mercury"), "those that begin with the title come first"
    assert "- Hg" not in choices
    assert not result.error
    assert result.citations[0].url == "https://en.wikipedia.org/wiki/Mercury"


async def test_each_choice_is_a_title_that_is_found(tool: WikipediaTool) -> None:
    assert (await ask(tool, "Mercury (planet)")).content.startswith("Mercury (planet): First planet from the Sun")


async def test_ambiguous_page_without_links_offers_what_the_search_found(
    tool: WikipediaTool, wikipedia: ScriptedWikipedia
) -> None:
    wikipedia.script(
        gives({"query": {"search": [{"title": "Mercury"}, {"title": "Mercury (planet)"}]}}),
        gives({"type": "disambiguation", "title": "Mercury", "extract": "Mercury may refer to:"}),
        gives({"batchcomplete": True}),
    )
    assert (await ask(tool, "Mercury")).content.splitlines()[1:] == ["- Mercury (planet)"]


async def test_ambiguous_page_that_leads_nowhere_is_told(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    page = {"title": "Xy", "pageid": 1, "ns": 0, "pageprops": {"disambiguation": ""}}
    summary = {"type": "disambiguation", "title": "Xy", "extract": ""}
    wikipedia.script(gives({"query": {"pages": [page]}}), gives(summary), gives({"query": {}}))
    with pytest.raises(ToolError, match="ambiguous"):
        await ask(tool, "Xy")


async def test_other_language_is_asked_at_its_own_host(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    result = await ask(tool, "Marie Curie", language="fr")
    assert result.content.startswith("Marie Curie: physicienne et chimiste franco-polonaise")
    assert {request.headers["host"] for request in wikipedia.requests} == {"fr.wikipedia.org"}


@pytest.mark.parametrize("language", [{}, {"language": "en"}])
async def test_address_of_an_article_is_read_in_its_own_language(
    tool: WikipediaTool, wikipedia: ScriptedWikipedia, language: dict[str, str]
) -> None:
    result = await ask(tool, "https://fr.m.wikipedia.org/wiki/Marie_Curie", **language)
    assert result.content.startswith("Marie Curie: physicienne et chimiste franco-polonaise")
    assert {request.headers["host"] for request in wikipedia.requests} == {"fr.wikipedia.org"}


async def test_one_wiki_for_all_languages_says_that_its_language_is_another(wikipedia: ScriptedWikipedia) -> None:
    settings = Settings(wikipedia_base_url="http://wiki.test")
    mirror = WikipediaTool(settings, transport=httpx.ASGITransport(wikipedia))
    assert "in the language “en”" in (await ask(mirror, "Ada Lovelace", language="de")).content
    assert "in the language" not in (await ask(mirror, "Ada Lovelace")).content
    await mirror.aclose()


async def test_wiki_without_summaries_gives_the_introduction(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    wikipedia.faults[f"{SUMMARY}Ada_Lovelace"] = fails(404, "no such path")
    result = await ask(tool, "Ada Lovelace", sentences=4)
    assert "left England forever." in result.content
    assert result.citations[0].url == "https://en.wikipedia.org/wiki/Ada_Lovelace"
    assert len(wikipedia.requests) == 3


async def test_article_without_text_is_told_as_such(wikipedia: ScriptedWikipedia) -> None:
    wikipedia.articles.append(Article(title="Blank", extract=""))
    tool = WikipediaTool(Settings(), transport=httpx.ASGITransport(wikipedia))
    assert "has no text before its first heading" in (await ask(tool, "Blank")).content
    await tool.aclose()


async def test_long_article_is_cut_between_words(wikipedia: ScriptedWikipedia) -> None:
    wikipedia.articles.append(Article(title="Endless", extract="word " * 5000))
    tool = WikipediaTool(Settings(), transport=httpx.ASGITransport(wikipedia))
    content = (await ask(tool, "Endless")).content
    assert len(content) < 6200
    assert "word …" in content
    await tool.aclose()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://wiki.test/\x1b[8m", "https://wiki.test/\u202ekiw"])
async def test_address_that_is_no_link_is_not_cited(
    tool: WikipediaTool, wikipedia: ScriptedWikipedia, url: str
) -> None:
    urls = {"desktop": {"page": url}}
    summary = {"title": "Ada Lovelace", "extract": "She was a mathematician.", "content_urls": urls}
    wikipedia.script(gives({"query": {"search": [{"title": "Ada Lovelace"}]}}), gives(summary))
    result = await ask(tool, "Ada Lovelace", sentences=1)
    assert result.citations == ()
    assert "Source" not in result.content


async def test_texts_of_an_answer_make_no_lines_of_their_own(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    evil = "Ada\n- Not a choice\x1b[2J\ud800\x00"
    page = {"title": evil, "ns": 0, "pageprops": {"disambiguation": ""}}
    choices = [{"title": f"Ada {n}", "ns": 0, "description": evil} for n in (1, 2)]
    summary = {"type": "disambiguation", "title": evil, "description": evil, "extract": evil, "lang": evil}
    wikipedia.script(
        gives({"query": {"pages": [page], "search": []}}), gives(summary), gives({"query": {"pages": choices}})
    )
    result = await ask(tool, "Ada")
    assert len(result.content.splitlines()) == 3
    assert "Ada - Not a choice [2J" in result.content
    assert not {"\x1b", "\ud800", "\x00"} & set(result.content)


async def test_extract_that_holds_what_is_no_unicode_is_read(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    found = {"query": {"search": [{"title": "Ada"}]}}
    wikipedia.script(gives(found), gives({"title": "Ada", "extract": "She was a\ud800 mathematician."}))
    assert "She was a mathematician." in (await ask(tool, "Ada", sentences=1)).content


async def test_requests_say_who_asks_and_where_to_reach_them(tool: WikipediaTool, wikipedia: ScriptedWikipedia) -> None:
    await ask(tool, "Ada Lovelace")
    agent = wikipedia.requests[0].headers["user-agent"]
    assert agent.startswith("agentic-plugin-wikipedia/0.1.0 (https://")
    assert "python-httpx/" in agent
