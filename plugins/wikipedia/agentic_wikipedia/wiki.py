"""The Wikipedia of one language: finding an article, its summary, and what an ambiguous title may mean.

Action API: https://www.mediawiki.org/wiki/API:Query. Summaries: https://www.mediawiki.org/wiki/Specs/Summary/1.3.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agentic import Json, ToolError
from agentic.services import JsonService

_NO_TITLE = re.compile(r"[#<>\[\]{}|\x00-\x1f\x7f]")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_QUALIFIER = re.compile(r"\s*\([^)]*\)$")
_HITS = "5"
_CHOICES = 12
Answer = TypeVar("Answer", bound=BaseModel)


class _Row(BaseModel):
    """An object of an answer, in which null counts as absent, and texts are of one line without control characters."""

    model_config = ConfigDict(defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent_and_texts_are_plain(cls, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {
            name: _UNSEEN.sub(" ", value).strip() if isinstance(value, str) else value
            for name, value in row.items()
            if value is not None
        }


class _Page(_Row):
    """A page of the Action API. Kept are those that exist among the articles (namespace 0)."""

    title: str
    ns: int = 0
    missing: Any = None
    invalid: Any = None
    fullurl: str = ""
    extract: str = ""
    description: str = ""
    pageprops: Json = Field(default_factory=dict)

    @property
    def is_article(self) -> bool:
        return self.ns == 0 and self.missing in (None, False) and self.invalid in (None, False)


class _Hit(_Row):
    title: str


class _Query(_Row):
    pages: list[_Page] = Field(default_factory=list)
    search: list[_Hit] | None = None

    @field_validator("pages", mode="before")
    @classmethod
    def _pages_by_id_are_pages(cls, pages: Any) -> Any:
        # Wikis before MediaWiki 1.25 know the older format alone.
        return list(pages.values()) if isinstance(pages, dict) else pages


class _Fault(_Row):
    code: str = ""
    info: str = ""


class _Action(_Row):
    query: _Query = Field(default_factory=_Query)
    error: _Fault | None = None


class _Address(_Row):
    page: str = ""


class _Addresses(_Row):
    desktop: _Address = Field(default_factory=_Address)


class _Summary(_Row):
    type: str = "standard"
    title: str
    description: str = ""
    extract: str = ""
    lang: str = ""
    content_urls: _Addresses = Field(default_factory=_Addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a request led to. ``title`` is empty where nothing did; ``exact``: the request was a title or a redirect."""

    title: str
    exact: bool = False
    ambiguous: bool = False
    url: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """The beginning of an article. ``language`` is the code that the wiki gives; empty where it gives none."""

    title: str
    text: str
    url: str
    description: str = ""
    language: str = ""
    ambiguous: bool = False


class Wiki:
    """The Wikipedia at one address. All methods raise ToolError where it does not answer as it should."""

    def __init__(self, service: JsonService, origin: str) -> None:
        self._service = service
        self._origin = origin

    async def find(self, text: str) -> Found:
        """The article of that title, else the one that the wiki's own search puts first."""
        from agentic_wikipedia.requests import subject_of

        asked = {
            "list": "search",
            "srsearch": subject_of(text),
            "srlimit": _HITS,
            "srprop": "",
            "srenablerewrites": "1",
        }
        if not _NO_TITLE.search(text):
            asked |= {"titles": text, "redirects": "1", "prop": "info|pageprops", "inprop": "url"}
            asked |= {"ppprop": "disambiguation"}
        query = await self._query(asked)
        if query.search is None and not query.pages:
            raise self._other()
        hits = tuple(hit.title for hit in query.search or ())
        exact = next((page for page in query.pages if page.is_article), None)
        if exact is None:
            return Found(title=hits[0] if hits else "", others=hits[1:])
        others = tuple(title for title in hits if title != exact.title)
        ambiguous = "disambiguation" in exact.pageprops
        url = _address(exact.fullurl)
        return Found(title=exact.title, exact=True, ambiguous=ambiguous, url=url, others=others)

    async def summary(self, title: str) -> Article | None:
        """The page's summary: its first paragraph; None where the wiki has no summary of it."""
        path = quote(title.replace(" ", "_"), safe="")
        answer = await self._service.find(f"{self._origin}/api/rest_v1/page/summary/{path}")
        if answer is None:
            return None
        summary = self._checked(_Summary, answer)
        return Article(
            title=summary.title,
            text=summary.extract,
            url=_address(summary.content_urls.desktop.page),
            description=summary.description,
            language=summary.lang,
            ambiguous=summary.type == "disambiguation",
        )

    async def introduction(self, title: str) -> Article | None:
        """All text before the article's first heading; None where there is no such page."""
        asked = {"titles": title, "redirects": "1", "prop": "extracts|info|description|pageprops", "inprop": "url"}
        asked |= {"exintro": "1", "explaintext": "1", "ppprop": "disambiguation"}
        pages = (await self._query(asked)).pages
        page = next((page for page in pages if page.is_article), None)
        if page is None:
            return None
        ambiguous = "disambiguation" in page.pageprops
        url = _address(page.fullurl)
        return Article(title=page.title, text=page.extract, url=url, description=page.description, ambiguous=ambiguous)

    async def meanings(self, title: str) -> list[tuple[str, str]]:
        """What a disambiguation page lists: titles with short descriptions (may be empty), the likeliest first."""
        asked = {"generator": "links", "titles": title, "gplnamespace": "0", "gpllimit": "max"}
        pages = (await self._query(asked | {"prop": "description", "redirects": "1"})).pages
        listed = [(page.title, page.description) for page in pages if page.is_article and page.title != title]
        # Links are in the order of the alphabet, and some lead to what a description merely mentions.
        term = _QUALIFIER.sub("", title).casefold()
        named = [one for one in listed if term in one[0].casefold()]
        named.sort(key=lambda one: not one[0].casefold().startswith(term))
        return (named if len(named) > 1 else listed)[:_CHOICES]

    async def _query(self, asked: dict[str, str]) -> _Query:
        always = {"action": "query", "format": "json", "formatversion": "2"}
        answer = await self._service.find(f"{self._origin}/w/api.php", always | asked)
        if answer is None:
            raise ToolError(f"There is no Wikipedia at {self._origin}.")
        action = self._checked(_Action, answer)
        if action.error is not None:
            raise ToolError(f"Wikipedia refused the request: {action.error.code} ({action.error.info[:200]}).")
        return action.query

    def _checked(self, model: type[Answer], answer: Json) -> Answer:
        try:
            return model.model_validate(answer)
        except ValidationError as fault:
            raise self._other() from fault

    def _other(self) -> ToolError:
        return ToolError(f"What {self._origin} answered is not what Wikipedia answers.")


def _address(url: str) -> str:
    """The address, if it is one of the web: it is shown to people as a link."""
    return url if url.isprintable() and re.fullmatch(r"https?://[^\s<>\"]+", url) else ""
