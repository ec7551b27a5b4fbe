"""DuckDuckGo through ``ddgs``, which is not async: it searches in a few threads of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agentic_web_search.results import Query, Result, Searcher, SearchFailed
from agentic_web_search.settings import Settings

logger = logging.getLogger(__name__)

Ask = Callable[[Query, float], Sequence[Mapping[str, Any]]]
"""Searches within some seconds, and gives ``ddgs``'s rows. Raises DDGSException."""

_THREADS = 4
_REGION = "wt-wt"
_BACKEND = "duckduckgo"


class DuckDuckGo(Searcher):
    """Searches without a key. ``ask`` takes the place of the library in tests."""

    title = "DuckDuckGo"

    def __init__(self, settings: Settings, ask: Ask | None = None) -> None:
        self._timeout_s = settings.web_search_timeout
        self._ask = ask or ask_ddgs
        self._threads: ThreadPoolExecutor | None = None

    async def search(self, query: Query) -> Sequence[Result]:
        """See :class:`Searcher`."""
        if self._threads is None:
            # Not the loop's own threads: one that hangs in a search would keep others from working.
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="duckduckgo")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                rows = await loop.run_in_executor(self._threads, self._rows, query)
        except TimeoutError:
            raise SearchFailed(f"DuckDuckGo did not answer within {self._timeout_s:g} s") from None
        return [_result(row) for row in rows]

    async def aclose(self) -> None:
        """End the threads; one that still searches ends with its search."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _rows(self, query: Query) -> Sequence[Mapping[str, Any]]:
        from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

        try:
            return self._ask(query, self._timeout_s)
        except RatelimitException:
            raise SearchFailed("DuckDuckGo's limit of requests is reached") from None
        except TimeoutException:
            raise SearchFailed(f"DuckDuckGo did not answer within {self._timeout_s:g} s") from None
        except DDGSException as error:
            if "No results found" in str(error):
                return []
            raise SearchFailed("DuckDuckGo cannot be reached, or refuses to search") from None
        except Exception as error:  # noqa: BLE001 - it takes web pages apart: whatever it raises, the search failed
            logger.warning("[WebSearch] DuckDuckGo: %s", type(error).__name__)
            raise SearchFailed("DuckDuckGo gave an answer that cannot be read") from None


def ask_ddgs(query: Query, timeout_s: float) -> Sequence[Mapping[str, Any]]:
    """Search with the library. Blocks. Raises DDGSException."""
    from ddgs import DDGS

    client = DDGS(timeout=max(1, int(timeout_s)))
    search = client.news if query.topic == "news" else client.text
    return search(
        query.text,
        region=_REGION,
        timelimit=query.recent[0] if query.recent else None,
        max_results=query.most,
        backend=_BACKEND,
    )


def _result(row: Mapping[str, Any]) -> Result:
    """News rows have ``url`` and ``date`` where others have ``href``."""
    url, title, text, date = (str(row.get(name) or "") for name in ("url", "title", "body", "date"))
    return Result(url or str(row.get("href") or ""), title, text, date)
