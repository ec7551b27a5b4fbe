"""A web in memory, for tools that fetch what strangers name::

web = FakeHttp({"https://example.org/": page("<p>Hello</p>")})
context = FakeContext(space=FakeSpace(http=web))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agentic.errors import FetchError
from agentic.ports.http import Fetched, HttpClient

__all__ = ["Asked", "FakeHttp", "page"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of :meth:`FakeHttp.get`, with its limits."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 20
    max_bytes: int = 5_000_000


class FakeHttp(HttpClient):
    """Gives the pages it was given, by address, or raises the error in a page's place. ``asked`` keeps every call."""

    def __init__(self, pages: Mapping[str, Fetched | FetchError] | None = None) -> None:
        self.pages = dict(pages or {})
        self.asked: list[Asked] = []

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 20,
        max_bytes: int = 5_000_000,
    ) -> Fetched:
        """The page at ``url``. Raises FetchError where there is none, or where it is larger than ``max_bytes``."""
        self.asked.append(Asked(url, headers or {}, timeout_s, max_bytes))
        found = self.pages.get(url)
        if found is None:
            raise FetchError("There is no such host.")
        if isinstance(found, FetchError):
            raise found
        if len(found.data) > max_bytes:
            raise FetchError(f"The answer is larger than {max_bytes:,} bytes.")
        return found if found.url else replace(found, url=url)


def page(
    content: str | bytes, *, media_type: str = "text/html", charset: str = "utf-8", status: int = 200, url: str = ""
) -> Fetched:
    """A page; text is encoded as ``charset``. ``url`` empty: the address that is asked for."""
    data = content if isinstance(content, bytes) else content.encode(charset or "utf-8")
    return Fetched(url, status, media_type, charset, data)
