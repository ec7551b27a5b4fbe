"""The tool ``web_search``: asks the first service, and the next one where that fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentic import Citation, Json, Tool, ToolContext, ToolError, ToolResult, ToolRetry, Traits
from agentic_web_search.duckduckgo import DuckDuckGo
from agentic_web_search.examples import SEARCH
from agentic_web_search.results import Query, Recency, Searcher, SearchFailed, Topic, tidy, written
from agentic_web_search.settings import LONGEST_QUERY, Settings
from agentic_web_search.tavily import Tavily

logger = logging.getLogger(__name__)

_MARGIN_S = 5


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description="what to search for, in a few words", max_length=LONGEST_QUERY)
    max_results: int = Field(5, description="how many results at most", ge=1, le=20)
    recent: Recency | None = Field(None, description="only pages of the last day, week, month or year")
    topic: Topic = Field("general", description="news for reports of the press with their dates, else general")


class WebSearchTool(Tool):
    """Searches with the first of ``searchers`` that does not fail; at least one is needed."""

    name = "web_search"
    description = (
        "Search the web for current events, recent facts, prices, releases, people, and whatever else may have changed "
        "or is not known. Gives titles, addresses, dates and extracts of pages; read_page reads one of them whole."
    )
    args = Arguments

    def __init__(self, settings: Settings, searchers: Sequence[Searcher]) -> None:
        self._searchers = searchers
        self._most = settings.web_search_max_results
        self._characters = settings.web_search_max_characters
        seconds = settings.web_search_timeout * len(searchers) + _MARGIN_S
        self.traits = Traits(untrusted=True, timeout_s=seconds, examples=SEARCH)

    def suggest(self, text: str) -> Json | None:
        """What a request wants searched that says so ("search the web for …"), else None."""
        from agentic_web_search.requests import query_in

        query = query_in(text)
        return None if query is None else {"query": query}

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult:
        """The results, with who found them, and who failed before. Raises ToolRetry or ToolError."""
        words = " ".join(args.query.split())
        if not any(sign.isalnum() for sign in words):
            raise ToolRetry("The query has no words. Say what to search for.")
        query = Query(text=words, most=min(args.max_results, self._most), recent=args.recent, topic=args.topic)
        faults: list[str] = []
        for searcher in self._searchers:
            try:
                found = await searcher.search(query)
            except SearchFailed as error:
                logger.warning("[WebSearch] %s: %s", searcher.title, error.message)
                faults.append(error.message)
                continue
            results = tidy(found, most=query.most, characters=self._characters)
            content = f"{_note(faults, searcher)}{_head(searcher, bool(results))}{written(results)}"
            return ToolResult(content, tuple(Citation(result.url, result.title) for result in results))
        raise ToolError(f"The web cannot be searched now: {'; '.join(faults)}.")

    async def check(self) -> str:
        """Who searches; asking them would cost a request."""
        titles = [searcher.title for searcher in self._searchers]
        if len(titles) == 1:
            return f"{titles[0]}; set TAVILY_API_KEY for Tavily"
        return f"{titles[0]}, and {', '.join(titles[1:])} where it fails"

    async def aclose(self) -> None:
        """Close the services' connections."""
        for searcher in self._searchers:
            await searcher.aclose()


def searchers(settings: Settings) -> Sequence[Searcher]:
    """Tavily where there is a key, then DuckDuckGo."""
    last = DuckDuckGo(settings)
    return (Tavily(settings), last) if settings.tavily_api_key is not None else (last,)


def _note(faults: Sequence[str], searcher: Searcher) -> str:
    return f"Note: {'; '.join(faults)}. {searcher.title} was asked instead.\n" if faults else ""


def _head(searcher: Searcher, found: bool) -> str:
    if found:
        return f"Found by {searcher.title}:\n\n"
    return f"{searcher.title} found nothing. Try other words, or fewer."
