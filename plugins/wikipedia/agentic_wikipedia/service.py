"""Requests to a service of the web: bounded in time and size, kept to its own address, faults told in plain words."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import TYPE_CHECKING

from agentic import Json, ToolError

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

MAX_BYTES = 512 * 1024
_REDIRECTS = 3
_CONNECTIONS = 10
_GZIP = 16 + zlib.MAX_WBITS
_DISTRIBUTION = "agentic-plugin-wikipedia"
_PROJECT = f"https://pypi.org/project/{_DISTRIBUTION}/"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after: str
    data: bytes


class Service:
    """One pool of connections, opened at its first use. ``transport`` takes the place of the network in tests."""

    def __init__(self, name: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.name = name
        self._timeout_s = timeout_s
        self._transport = transport
        self._opened: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def get(self, url: str, params: Mapping[str, str] | None = None) -> Json | None:
        """The JSON object under an address, or None where there is none (404). Raises ToolError otherwise."""
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
            raise ToolError(f"{self.name} could not be reached at {_origin(url)}.") from fault
        took = (time.perf_counter() - began) * 1000
        logger.info("[%s] Answer: status=%d bytes=%d ms=%.0f", self.name, answer.status, len(answer.data), took)
        return self._read(answer)

    async def aclose(self) -> None:
        """Close all connections."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _client(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._opened is None:
                # Importing the client and reading certificates takes hundreds of milliseconds.
                self._opened = await asyncio.to_thread(_client, self._timeout_s, self._transport)
        return self._opened

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
            if _origin(str(onward.url)) != _origin(str(request.url)):
                raise ToolError(f"{self.name} redirects to another address, which is not followed.")
            request = onward
        raise ToolError(f"{self.name} redirects in circles.")

    async def _whole(self, response: httpx.Response) -> bytes:
        """The body, decoded here: httpx would unpack a small piece into any number of bytes."""
        packed = bytearray()
        async for piece in response.aiter_raw():
            packed += piece
            if len(packed) > MAX_BYTES:
                raise self._too_large()
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding == "identity":
            return bytes(packed)
        unpacking = zlib.decompressobj(_GZIP)
        try:
            data = unpacking.decompress(packed, MAX_BYTES + 1) if encoding == "gzip" else b""
        except zlib.error:
            return b""
        if len(data) > MAX_BYTES:
            raise self._too_large()
        return data

    def _too_large(self) -> ToolError:
        return ToolError(f"{self.name} answered with more than {MAX_BYTES // 1024} KB, which is not read.")

    def _read(self, answer: _Answer) -> Json | None:
        if answer.status == 404:
            return None
        if answer.status == 429:
            wait_s = _seconds(answer.retry_after)
            when = "in a minute" if wait_s is None else f"in {wait_s:.0f} s"
            raise ToolError(f"{self.name} has had too many requests (429). Try again {when}.", retry_after_s=wait_s)
        if answer.status >= 500:
            raise ToolError(f"{self.name} has a fault of its own ({answer.status}). Try again later.")
        if answer.status != 200:
            raise ToolError(f"{self.name} refused the request ({answer.status}).")
        try:
            value = json.loads(answer.data)
        except (ValueError, RecursionError) as fault:
            raise ToolError(f"{self.name} answered with something that cannot be read.") from fault
        if not isinstance(value, dict):
            raise ToolError(f"{self.name} answered with something that cannot be read.")
        return value


def _client(timeout_s: float, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    import httpx

    # Wikimedia's policy for user agents: name and version, where to reach its makers, and the library.
    agent = f"{_DISTRIBUTION}/{version(_DISTRIBUTION)} ({_PROJECT}) python-httpx/{httpx.__version__}"
    headers = {"User-Agent": agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
    return httpx.AsyncClient(
        headers=headers,
        timeout=timeout_s,
        transport=transport,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=_CONNECTIONS),
        # One client serves all users: a cookie would tie their requests together.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


def _origin(url: str) -> str:
    """Scheme, host and port of an address."""
    import httpx

    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}"


def _seconds(header: str) -> float | None:
    """A Retry-After header, in seconds from now: a number or a date; None for anything else."""
    if header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        left = parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, float(round(left.total_seconds())))
