"""A scripted Tavily: the search API with its documented answers, and every fault that a test asks for.

Example::

    tavily = ScriptedTavily()
    async with tavily.serve() as address:
        settings = Settings(tavily_api_key=tavily.key, tavily_base_url=address)
        ...
    tavily.faults["/search"] = fails(429, "Your request has been blocked …", retry_after_s=7)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic.messages import Json
from agentic.testing.scripted_answers import Answer
from agentic.testing.scripted_exchange import Receive, Scope, ScriptedExchange, Send, encoded, extra_headers
from agentic.testing.scripted_server import ScriptedServer

__all__ = ["Found", "ScriptedTavily"]


@dataclass(frozen=True, slots=True)
class Found:
    """A result; ``published_date`` is in answers about news alone, as in the real ones."""

    url: str
    title: str
    content: str
    score: float = 0.9
    published_date: str = ""


RESULTS = (
    Found("https://www.python.org/downloads/", "Download Python", "The latest version of Python is 3.15.0."),
    Found("https://docs.python.org/3/whatsnew/3.15.html", "What's New In Python 3.15", "This article explains it."),
)


class ScriptedTavily(ScriptedServer):
    """Answers ``POST /search`` with ``results``, those that ``max_results`` leaves.

    ``faults["/search"]`` holds an answer to be given instead: ``fails``, ``hangs``, ``cuts``, ``sends`` or a slow
    ``says`` of :mod:`agentic.testing.scripted_answers`. A key other than ``key`` is refused as Tavily refuses it.
    """

    name = "tavily"
    chat_path = "/search"

    def __init__(self, results: Sequence[Found] = RESULTS, *, key: str = "tvly-dev-scripted") -> None:
        super().__init__()
        self.results = tuple(results)
        self.key = key

    def echo(self, body: Json) -> Answer:
        """A plain answer: what is in it, :class:`Exchange` puts together."""
        return Answer()

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> ScriptedExchange:
        """What answers one request."""
        return Exchange(self, scope, receive, send)

    def found(self, body: Mapping[str, Any]) -> Json:
        """The documented answer to a search."""
        news = body.get("topic") == "news"
        kept = self.results[: int(body.get("max_results") or 5)]
        return {
            "query": body["query"],
            "follow_up_questions": None,
            "answer": None,
            "images": [],
            "results": [_result(one, news=news) for one in kept],
            "response_time": 0.67,
            "request_id": "123e4567-e89b-12d3-a456-426614174111",
        }


class Exchange(ScriptedExchange):
    """Answers one request as Tavily does."""

    stream_type = b"application/json"
    # A search is never streamed, but sent in parts it can be cut and can hang.
    streams_unasked = True

    def __init__(self, server: ScriptedTavily, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(server, scope, receive, send)
        self._tavily = server

    async def respond(self, body: Any) -> None:
        """Search, or refuse as Tavily does."""
        headers = dict(self.scope["headers"])
        if (self.scope["method"], self.scope["path"]) != ("POST", "/search"):
            await self.whole(b'{"detail":"Not Found"}', 404)
        elif headers.get(b"authorization", b"").decode("latin-1") != f"Bearer {self._tavily.key}":
            await self.refuse(Answer(status=401, error="Unauthorized: missing or invalid API key."))
        elif not isinstance(body, dict) or not body.get("query"):
            await self.refuse(Answer(status=400, error="Query is missing."))
        else:
            await self.play(self._tavily.next_answer(body), body)

    async def refuse(self, answer: Answer) -> None:
        """Answer with an error status and Tavily's error body."""
        body = encoded({"detail": {"error": answer.error}})
        await self.whole(body, answer.status, b"application/json", extra_headers(answer))

    def streamed(self, answer: Answer, body: Json) -> Iterable[bytes]:
        """The answer in two parts, of which a cut one lacks the second."""
        if answer.lines is not None:
            return answer.lines
        whole = encoded(self.joined(answer, body))
        if answer.ending in ("cut", "hang"):
            return [whole[:20]] if answer.pieces else []
        return [whole[:20], whole[20:]]

    def joined(self, answer: Answer, body: Json) -> Json:
        """The answer as one object."""
        return self._tavily.found(body)


def _result(found: Found, *, news: bool) -> Json:
    result: Json = {
        "url": found.url,
        "title": found.title,
        "content": found.content,
        "score": found.score,
        "raw_content": None,
    }
    return {**result, "published_date": found.published_date} if news and found.published_date else result
