"""The tool as the kernel and the models see it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agentic import Citation, Json, Tool, ToolContext, ToolError, ToolResult, Traits
from agentic.services import JsonService
from agentic_wikipedia import language, text
from agentic_wikipedia.examples import EXAMPLES
from agentic_wikipedia.settings import Settings
from agentic_wikipedia.wiki import Article, Found, Wiki

if TYPE_CHECKING:
    import httpx

_REQUESTS = 4
_MARGIN_S = 2


class Arguments(BaseModel):
    """What the model fills in."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(
        min_length=1, max_length=300, description="title or topic of the article, such as Ada Lovelace; no question"
    )
    sentences: int = Field(3, ge=1, le=10, description="how many sentences of the article, 1 to 10")
    language: str = Field(
        language.DEFAULT,
        description="code of the Wikipedia's language, such as en, de, fr, es, simple",
        json_schema_extra={"pattern": language.CODE},
    )

    @model_validator(mode="before")
    @classmethod
    def _language_is_that_of_an_address(cls, asked: Any) -> Any:
        from agentic_wikipedia.requests import language_of

        query = asked.get("query") if isinstance(asked, dict) else None
        code = language_of(query) if isinstance(query, str) else ""
        return {**asked, "language": code} if code else asked

    @field_validator("query")
    @classmethod
    def _query_has_words(cls, query: str) -> str:
        from agentic_wikipedia.requests import topic_of

        query = topic_of(query)
        if not query:
            raise ValueError("query must name a topic, such as Ada Lovelace")
        return query

    @field_validator("language")
    @classmethod
    def _language_is_a_code(cls, code: str) -> str:
        return language.code_of(code)


class WikipediaTool(Tool):
    """Reads articles of Wikipedia. ``transport`` takes the place of the network in tests."""

    name = "wikipedia"
    description = (
        "Look up a topic, person, place or event in Wikipedia: gives the article's first sentences and its address. "
        "An ambiguous title gives the possible articles; call again with one of them."
    )
    args = Arguments

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base_url = settings.wikipedia_base_url
        self._service = JsonService(
            "Wikipedia",
            distribution="agentic-plugin-wikipedia",
            timeout_s=settings.wikipedia_timeout,
            transport=transport,
        )
        timeout_s = settings.wikipedia_timeout * _REQUESTS + _MARGIN_S
        self.traits = Traits(untrusted=True, timeout_s=timeout_s, examples=EXAMPLES)

    def suggest(self, text: str) -> Json | None:
        """The article that a plain request asks for by the word Wikipedia, else None."""
        from agentic_wikipedia.requests import arguments_in

        return arguments_in(text)

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult:
        """The article's first sentences and its address, or the articles that an ambiguous title may mean.

        Raises ToolError where there is no such article, and where Wikipedia does not answer.
        """
        wiki = Wiki(self._service, self._base_url.replace("{lang}", args.language))
        found = await wiki.find(args.query)
        if not found.title:
            raise ToolError(
                f"No such article: Wikipedia ({args.language}) has nothing on “{args.query}”. "
                "Try other words, or another language."
            )
        summary = await wiki.summary(found.title)
        article = summary or await wiki.introduction(found.title)
        if article is None:
            raise ToolError(f"No such article: Wikipedia ({args.language}) shows nothing under “{found.title}”.")
        article = article if article.url else replace(article, url=found.url)
        if found.ambiguous or article.ambiguous:
            return await _choices(wiki, article, found)
        parts = await asyncio.to_thread(text.sentences, article.text, args.language)
        if summary is not None and len(parts) < args.sentences:
            # A summary is the first paragraph alone.
            longer = await wiki.introduction(article.title)
            more = await asyncio.to_thread(text.sentences, longer.text, args.language) if longer else []
            parts = max(parts, more, key=len)
        return _result(article, text.joined(parts[: args.sentences]), found, args.language)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._service.aclose()


def _result(article: Article, shown: str, found: Found, asked_language: str) -> ToolResult:
    lines = [f"{article.title}: {article.description}" if article.description else article.title, ""]
    lines += [shown or "The article has no text before its first heading.", ""]
    if article.url:
        lines.append(f"Source: {article.url}")
    if article.language and article.language != asked_language:
        lines.append(f"This Wikipedia is in the language “{article.language}”, whatever is asked for.")
    if not found.exact and found.others:
        lines.append(f"Other articles found: {'; '.join(found.others)}")
    return ToolResult("\n".join(lines).strip(), _citations(article))


async def _choices(wiki: Wiki, article: Article, found: Found) -> ToolResult:
    """What the title may mean: what its page lists or, where that is nothing, what else was found."""
    listed = await wiki.meanings(article.title) or [(title, "") for title in found.others if title != article.title]
    if not listed:
        raise ToolError(f"“{article.title}” is ambiguous, and its page lists no articles. Ask for something narrower.")
    lines = [f"“{article.title}” may mean one of several things. Ask again with the title that is meant:"]
    lines += [f"- {title}: {description}" if description else f"- {title}" for title, description in listed]
    return ToolResult("\n".join(lines), _citations(article))


def _citations(article: Article) -> tuple[Citation, ...]:
    return (Citation(article.url, f"{article.title} – Wikipedia"),) if article.url else ()
