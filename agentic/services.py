"""Services of the web that answer with JSON, at addresses that the operator trusts: those that settings name.

In the plugin, whose distribution requires ``agentic-server[services]``::

    service = JsonService("Open-Meteo", distribution="agentic-plugin-weather", timeout_s=10, reason_field="reason")
    found = await service.get("https://geocoding-api.open-meteo.com/v1/search", {"name": "Oslo"})

Addresses that a model or a page names are for ``ToolContext.http``, which goes to public ones alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from agentic.errors import ToolError
from agentic.messages import Json

if TYPE_CHECKING:
    import httpx

__all__ = ["JsonService", "seconds_until"]

logger = logging.getLogger(__name__)

_REDIRECTS = 3
_CONNECTIONS = 10
_REASON_CHARACTERS = 200
_SECONDS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_LONGEST_S = 365 * 86_400.0


def seconds_until(header: str | None) -> float | None:
    """A Retry-After header (RFC 9110, section 10.2.3) in seconds from now; None where it says no time.

    It is a number or an HTTP date; the past is 0, and what is more than a year a year.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        from email.utils import parsedate_to_datetime

        try:
            until = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        # One of the three forms names no zone, and means this one.
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), _LONGEST_S)


class _Answer(NamedTuple):
    status: int
    retry_after: str
    data: bytes


class JsonService:
    """One pool of connections to a service that answers GET with a JSON object, opened at its first use.

    ``name`` is what people call the service. ``distribution`` is the plugin's: requests name it, its version, and its
    page on PyPI. ``timeout_s`` holds for a whole request, ``max_bytes`` for a whole answer, unpacked. ``reason_field``:
    where the body of an error tells why, as far as it does. ``headers`` go with each request, such as a key.
    ``transport`` takes the place of the network in tests.

    A redirect is followed within the origin alone, and cookies are neither kept nor sent: one client serves all users.
    """

    def __init__(
        self,
        name: str,
        *,
        distribution: str,
        timeout_s: float,
        max_bytes: int = 512 * 1024,
        reason_field: str | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._distribution = distribution
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._reason_field = reason_field
        self._headers = dict(headers or {})
        self._transport = transport
        self._opened: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def get(self, url: str, params: Mapping[str, str] | None = None) -> Json:
        """The JSON object under an address, whose query is ``params``.

        Raises ToolError where there is none, with ``retry_after_s`` where the service says when to ask again.
        """
        return self._read(await self._ask(url, params))

    async def find(self, url: str, params: Mapping[str, str] | None = None) -> Json | None:
        """The JSON object under an address, or None where the service has nothing there (404). Raises as ``get``."""
        answer = await self._ask(url, params)
        return None if answer.status == 404 else self._read(answer)

    async def aclose(self) -> None:
        """Close all connections. The next request opens others."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _ask(self, url: str, params: Mapping[str, str] | None) -> _Answer:
        client = await self._client()
        # Only now: the first import is the client's, in its thread.
        import httpx

        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._followed(client, client.build_request("GET", url, params=params))
        except (TimeoutError, httpx.TimeoutException) as fault:
            raise ToolError(f"{self.name} did not answer within {self._timeout_s:g} s. Try again later.") from fault
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise ToolError(f"{self.name} could not be reached at {_place(url)}.") from fault
        except UnicodeError as fault:
            raise ToolError(f"{self.name} cannot be asked this: it holds what is no Unicode text.") from fault
        took = (time.perf_counter() - began) * 1000
        logger.info("[%s] Answer: status=%d bytes=%d ms=%.0f", self.name, answer.status, len(answer.data), took)
        return answer

    async def _client(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._opened is None:
                # Importing the client and reading certificates takes hundreds of milliseconds.
                self._opened = await asyncio.to_thread(self._open)
        return self._opened

    def _open(self) -> httpx.AsyncClient:
        from http.cookiejar import CookieJar, DefaultCookiePolicy
        from importlib.metadata import version

        try:
            import httpx
        except ModuleNotFoundError as fault:
            fix = "Run: pip install 'agentic-server[services]'"
            raise ToolError(f"{self.name} cannot be asked: {fault}. {fix}") from fault
        # Name and version, where to reach its makers, and the library: what Wikimedia and others want to be told.
        own = f"{self._distribution}/{version(self._distribution)}"
        agent = f"{own} (https://pypi.org/project/{self._distribution}/) python-httpx/{httpx.__version__}"
        headers = httpx.Headers({"User-Agent": agent, "Accept": "application/json"})
        headers.update(self._headers)
        # What is unpacked below, and nothing else.
        headers["Accept-Encoding"] = "gzip"
        return httpx.AsyncClient(
            headers=headers,
            timeout=self._timeout_s,
            transport=self._transport,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def _followed(self, client: httpx.AsyncClient, request: httpx.Request) -> _Answer:
        """The answer at the end of redirects within one origin. Raises ToolError for one that leads elsewhere."""
        for _ in range(_REDIRECTS + 1):
            response = await client.send(request, stream=True)
            try:
                onward = response.next_request
                if onward is None:
                    data = await self._whole(response)
                    return _Answer(response.status_code, response.headers.get("retry-after", ""), data)
            finally:
                await response.aclose()
            if _origin(onward.url) != _origin(request.url):
                raise ToolError(f"{self.name} redirects to another address, which is not followed.")
            request = onward
        raise ToolError(f"{self.name} redirects in circles.")

    async def _whole(self, response: httpx.Response) -> bytes:
        """The body, unpacked here: httpx would unpack a small piece into any number of bytes."""
        import zlib

        packed = bytearray()
        async for piece in response.aiter_raw():
            packed += piece
            if len(packed) > self._max_bytes:
                raise self._too_large()
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding == "identity":
            return bytes(packed)
        unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            data = unpacking.decompress(packed, self._max_bytes + 1) if encoding == "gzip" else b""
        except zlib.error:
            return b""
        if len(data) > self._max_bytes:
            raise self._too_large()
        return data

    def _too_large(self) -> ToolError:
        return ToolError(f"{self.name} answered with more than {self._max_bytes // 1024} KB, which is not read.")

    def _read(self, answer: _Answer) -> Json:
        """The object of an answer. Raises ToolError for another status than 200, and for what is no object."""
        wait_s = seconds_until(answer.retry_after)
        told = None if wait_s is None else f"in {math.ceil(wait_s)} s"
        if answer.status == 429:
            fix = f"Try again {told or 'in a minute'}."
            raise ToolError(f"{self.name} has had too many requests (429). {fix}", retry_after_s=wait_s)
        if answer.status >= 500:
            fix = f"Try again {told or 'later'}."
            raise ToolError(f"{self.name} has a fault of its own ({answer.status}). {fix}", retry_after_s=wait_s)
        value = _decoded(answer.data)
        if answer.status != 200:
            raise ToolError(f"{self.name} refused the request ({answer.status}){self._reason(value)}")
        if value is None:
            raise ToolError(f"{self.name} answered with something that cannot be read.")
        return value

    def _reason(self, value: Json | None) -> str:
        """The end of the sentence about a refusal."""
        if self._reason_field is None:
            return "."
        said = " ".join(str((value or {}).get(self._reason_field) or "").split())
        return f": {said[:_REASON_CHARACTERS] or 'it gives no reason'}"


def _decoded(data: bytes) -> Json | None:
    """The JSON object, or None for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _origin(url: httpx.URL) -> tuple[str, bytes]:
    """Scheme, and host with port, of an address."""
    return url.scheme, url.netloc


def _place(url: str) -> str:
    """The origin of an address, for people: what else is in it may be secret."""
    import httpx

    try:
        scheme, host = _origin(httpx.URL(url))
    except (httpx.InvalidURL, UnicodeError):
        host = b""
    return f"{scheme}://{host.decode()}" if host else "the address that is set for it, which is no address of the web"
