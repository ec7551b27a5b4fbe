"""A scripted Wikipedia: the Action API and the page summaries of the REST API, as MediaWiki documents them.

In process (``httpx.ASGITransport(wikipedia)``), where the host's first part is the language, or on a real port::

    wikipedia = ScriptedWikipedia()
    wikipedia.script(fails(429, "too many requests", retry_after_s=7))
    async with wikipedia.serve() as url: ...     # WIKIPEDIA_BASE_URL=url

It answers 403 to a client that does not say who it is, as Wikimedia's policy for user agents has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from agentic.messages import Json
from agentic.testing.scripted_answers import Answer, fails, hangs, sends
from agentic.testing.scripted_server import RecordedRequest
from agentic.testing.scripted_service import ScriptedService, gives, huge, late, moved, packed
from agentic.testing.wikipedia_articles import ARTICLES, Article

__all__ = ["ARTICLES", "Answer", "Article", "ScriptedWikipedia", "fails", "gives", "hangs", "huge", "late", "moved"]
__all__ += ["packed", "sends"]

SUMMARY = "/api/rest_v1/page/summary/"
_INVALID = re.compile(r"[#<>\[\]{}|\x00-\x1f]")
_WORD = re.compile(r"\w+")
_NAMELESS = re.compile(r"|python-httpx.*|python-requests.*|aiohttp.*|Python/.*", re.IGNORECASE)
_ENTITIES = "https://www.mediawiki.org/wiki/HyperSwitch/errors"


@dataclass(frozen=True, slots=True)
class _Wiki:
    """The articles of one language, by their titles."""

    language: str
    origin: str
    articles: dict[str, Article]

    def find(self, title: str) -> tuple[Article | None, str]:
        """The article under a title or a redirect, and the redirect's own title where it was one."""
        title = title.replace("_", " ").strip()
        title = title[:1].upper() + title[1:]
        if title in self.articles:
            return self.articles[title], ""
        for article in self.articles.values():
            if title in article.redirects:
                return article, title
        return None, ""

    def address(self, article: Article) -> str:
        """Where people read it."""
        return f"{self.origin}/wiki/{_path(article.title)}"


class ScriptedWikipedia(ScriptedService):
    """An ASGI app that keeps to MediaWiki's APIs. ``rewrites``: what the search takes misspelt words for."""

    name = "wikipedia"

    def __init__(self, articles: Iterable[Article] = ARTICLES, *, rewrites: dict[str, str] | None = None) -> None:
        super().__init__()
        self.articles = list(articles)
        self.rewrites = {"ada lovlace": "ada lovelace"} if rewrites is None else rewrites

    def right_answer(self, request: RecordedRequest) -> Answer:
        """The answer of ``/w/api.php`` or of a page summary; 404 elsewhere."""
        if _NAMELESS.fullmatch(request.headers.get("user-agent", "")):
            return fails(403, "Please set a user-agent and respect our robot policy")
        wiki = self._wiki(request.headers.get("host", ""))
        if request.path == "/w/api.php":
            return gives(self._action(wiki, request.query))
        if request.path.startswith(SUMMARY):
            return self._summary(wiki, request.path.removeprefix(SUMMARY))
        return fails(404, "no such path")

    def refusal(self, answer: Answer) -> Json:
        """The REST API's error body."""
        kind = "not_found" if answer.status == 404 else "unknown_error"
        return {"type": f"{_ENTITIES}/{kind}", "title": answer.error, "method": "get", "detail": answer.error}

    def _wiki(self, host: str) -> _Wiki:
        first = host.partition(".")[0]
        languages = {article.language for article in self.articles}
        language = first if first in languages else "en"
        origin = f"https://{language}.wikipedia.org"
        return _Wiki(language, origin, {one.title: one for one in self.articles if one.language == language})

    def _summary(self, wiki: _Wiki, title: str) -> Answer:
        article, redirect = wiki.find(title)
        if article is None:
            return fails(404, "Page or revision not found.")
        if redirect:
            return moved(_path(article.title))
        page = wiki.address(article)
        return gives(
            {
                "type": "disambiguation" if article.links else "standard",
                "title": article.title,
                "displaytitle": f'<span class="mw-page-title-main">{article.title}</span>',
                "namespace": {"id": 0, "text": ""},
                "titles": {"canonical": article.title.replace(" ", "_"), "normalized": article.title},
                "pageid": _id(article),
                "lang": wiki.language,
                "dir": "ltr",
                "timestamp": "2026-11-02T09:30:00Z",
                **({"description": article.description} if article.description else {}),
                "content_urls": {"desktop": {"page": page}, "mobile": {"page": page.replace("//", "//m.", 1)}},
                "extract": article.extract,
                "extract_html": f"<p>{article.extract}</p>",
            }
        )

    def _action(self, wiki: _Wiki, asked: dict[str, str]) -> Json:
        if asked.get("action") != "query" or (asked.get("format"), asked.get("formatversion")) != ("json", "2"):
            info = f'Unrecognized value for parameter "action": {asked.get("action")}.'
            return {"error": {"code": "badvalue", "info": info}, "servedby": "mw1"}
        query: Json = {}
        if asked.get("generator") == "links":
            query["pages"] = _linked(wiki, asked["titles"])
        elif "titles" in asked:
            query.update(_pages(wiki, asked))
        if asked.get("list") == "search":
            query.update(self._search(wiki, asked))
        return {"batchcomplete": True, "query": query}

    def _search(self, wiki: _Wiki, asked: dict[str, str]) -> Json:
        text = asked["srsearch"].lower()
        rewritten = self.rewrites.get(text)
        wanted = set(_WORD.findall(rewritten or text))
        scored = [(_score(article, wanted), article) for article in wiki.articles.values()]
        best = sorted((one for one in scored if one[0]), key=lambda one: -one[0])
        hits = [_hit(article) for _, article in best][: int(asked.get("srlimit", "10"))]
        info: Json = {"totalhits": len(best)}
        if rewritten:
            info |= {"rewrittenquery": rewritten, "rewrittenquerysnippet": f"<em>{rewritten}</em>"}
        return {"searchinfo": info, "search": hits}


def _pages(wiki: _Wiki, asked: dict[str, str]) -> Json:
    """What ``titles`` asks of one page: its existence, address, kind and text."""
    title = asked["titles"].removeprefix("\x1f")
    if not title or _INVALID.search(title) or len(title.encode()) > 255:
        reason = "The requested page title contains invalid characters."
        return {"pages": [{"title": title, "invalidreason": reason, "invalid": True}]}
    article, redirect = wiki.find(title)
    if article is None:
        return {"pages": [{"ns": 0, "title": title, "missing": True}]}
    page: Json = {"pageid": _id(article), "ns": 0, "title": article.title}
    props = asked.get("prop", "").split("|")
    if "info" in props:
        page |= {"pagelanguage": wiki.language, "fullurl": wiki.address(article), "length": 4321}
    if "pageprops" in props and article.links:
        page["pageprops"] = {"disambiguation": ""}
    if "extracts" in props:
        page["extract"] = article.intro or article.extract
    moved_from = {"redirects": [{"from": redirect, "to": article.title}]} if redirect else {}
    return {**moved_from, "pages": [page]}


def _linked(wiki: _Wiki, title: str) -> list[Json]:
    """The pages that a page links to, with their short descriptions, in no helpful order."""
    article, _ = wiki.find(title.removeprefix("\x1f"))
    pages: list[Json] = []
    for linked, description in article.links if article is not None else ():
        page: Json = {"pageid": len(linked), "ns": 0, "title": linked}
        pages.append({**page, "description": description} if description else page)
    return pages


def _hit(article: Article) -> Json:
    snippet = f'<span class="searchmatch">{article.title}</span> {article.extract[:80]}'
    return {"ns": 0, "title": article.title, "pageid": _id(article), "size": 4321, "snippet": snippet}


def _score(article: Article, wanted: set[str]) -> int:
    """Words in the title weigh most; all words must be somewhere."""
    title = set(_WORD.findall(" ".join((article.title, *article.redirects)).lower()))
    text = set(_WORD.findall(article.extract.lower()))
    return len(wanted & title) * 5 + len(wanted & text) if wanted and wanted <= title | text else 0


def _id(article: Article) -> int:
    return 1000 + sum(article.title.encode())


def _path(title: str) -> str:
    return quote(title.replace(" ", "_"), safe="(),:'")
