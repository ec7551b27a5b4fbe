"""Tavily, through its own async client. Its answers are bounded, and its key is in the requests' header alone."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentic.services import seconds_until
from agentic_web_search.results import Query, Result, Searcher, SearchFailed
from agentic_web_search.settings import Settings

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

MAX_BYTES = 4_000_000
_LONGEST_WAIT_S = 3600.0
_WAIT_S = 60.0


class _Found(BaseModel):
    model_config = ConfigDict(defer_build=True)

    url: str
    title: str | None = None
    content: str | None = None
    published_date: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(defer_build=True)

    results: list[_Found] = Field(max_length=100)
    # Its client takes an answer without results for one that found none, whatever else it says.
    detail: None = None
    error: None = None


class _TooLarge(Exception):
    """The answer passes MAX_BYTES."""


class Tavily(Searcher):
    """Searches with the operator's key. After a 429 it is left alone for as long as it asked."""

    title = "Tavily"

    def __init__(self, settings: Settings) -> None:
        self._key = settings.tavily_api_key
        self._url = settings.tavily_base_url
        self._timeout_s = settings.web_search_timeout
        self._client: Any = None
        self._http: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._not_before = 0.0

    async def search(self, query: Query) -> Sequence[Result]:
        """See :class:`Searcher`."""
        if time.monotonic() < self._not_before:
            raise SearchFailed("Tavily's limit of requests is reached")
        try:
            async with asyncio.timeout(self._timeout_s):
                client = await self._opened()
                answer = _Answer.model_validate(await self._ask(client, query))
        except TimeoutError:
            raise SearchFailed(f"Tavily did not answer within {self._timeout_s:g} s") from None
        except ValidationError:
            raise SearchFailed("Tavily gave an answer that cannot be read") from None
        return [Result(one.url, one.title or "", one.content or "", one.published_date or "") for one in answer.results]

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _ask(self, client: Any, query: Query) -> Any:
        """The decoded answer. What the library or the service says is not passed on: it may quote the request."""
        import httpx
        import tavily.errors

        try:
            return await client.search(
                query=query.text,
                max_results=query.most,
                topic=query.topic,
                time_range=query.recent,
                timeout=self._timeout_s,
            )
        except tavily.errors.UsageLimitExceededError:
            raise SearchFailed("Tavily's limit of requests is reached") from None
        except tavily.errors.InvalidAPIKeyError:
            raise SearchFailed("Tavily refuses the key (the operator must see to TAVILY_API_KEY)") from None
        except tavily.errors.ForbiddenError:
            raise SearchFailed("Tavily refuses: the key's plan or its limit does not allow this") from None
        except tavily.errors.BadRequestError:
            raise SearchFailed("Tavily does not accept this query") from None
        except (tavily.errors.TimeoutError, httpx.TimeoutException):
            raise SearchFailed(f"Tavily did not answer within {self._timeout_s:g} s") from None
        except httpx.HTTPStatusError as error:
            raise SearchFailed(f"Tavily answered with status {error.response.status_code}") from None
        except httpx.HTTPError:
            raise SearchFailed("Tavily cannot be reached") from None
        except _TooLarge:
            raise SearchFailed("Tavily gave an answer that is too large") from None
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            # Its client takes an answer apart before it has looked at it.
            logger.warning("[WebSearch] Tavily: answer not understood: %s", type(error).__name__)
            raise SearchFailed("Tavily gave an answer that cannot be read") from None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                # Importing the clients and reading certificates takes hundreds of milliseconds.
                self._client = await asyncio.to_thread(self._open)
        return self._client

    def _open(self) -> Any:
        httpx = importlib.import_module("httpx")
        tavily = importlib.import_module("tavily")
        assert self._key is not None, "only made where there is a key"
        key = self._key.get_secret_value()
        self._http = httpx.AsyncClient(
            base_url=self._url,
            # Uncompressed, so that the bytes that are counted are the bytes that are kept; see `_bound`.
            headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"},
            event_hooks={"response": [self._note_limit, _bound]},
        )
        return tavily.AsyncTavilyClient(api_key=key, api_base_url=self._url, client=self._http)

    async def _note_limit(self, response: httpx.Response) -> None:
        """Its client keeps no headers, and so not the time after which to ask again."""
        if response.status_code == 429:
            told = seconds_until(response.headers.get("Retry-After"))
            self._not_before = time.monotonic() + (_WAIT_S if told is None else min(told, _LONGEST_WAIT_S))


async def _bound(response: httpx.Response) -> None:
    """Count the answer's bytes as they come, and stop at MAX_BYTES. What comes compressed is not unpacked."""
    import httpx

    response.headers.pop("Content-Encoding", None)
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    whole: httpx.AsyncByteStream = stream

    class Bounded(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for piece in whole:
                size += len(piece)
                if size > MAX_BYTES:
                    raise _TooLarge
                yield piece

        async def aclose(self) -> None:
            await whole.aclose()

    response.stream = Bounded()
