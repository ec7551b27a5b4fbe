"""The connection to one server: requests, streamed answers, and every fault turned into an error of ours.

aiohttp is used as it is: a client over it costs more time for each token than all else here. Its errors are never
chained to ours, since some of them hold the request's headers, and thus the key.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentic import Json, ModelError, ModelTimeout, ModelUnavailable
from agentic_openai_upstream.patience import patience
from agentic_openai_upstream.refusals import Cut, Origin
from agentic_openai_upstream.settings import Upstream, place
from agentic_openai_upstream.sse import EventReader

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_CONNECT_S = 10.0
# uvicorn, under many of these servers, closes idle connections after 5 s: one closed while it is used again is lost.
_KEEP_ALIVE_S = 4.0
_END_S = 0.25
_LONGEST_REFUSAL = 65_536
_BLANK = b"\xef\xbb\xbf \t\r\n"


class Connection:
    """One pool of connections to one server, opened at its first use."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.origin = Origin(name, upstream)
        self._upstream = upstream
        self._name = name
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None
        self._opening = asyncio.Lock()

    async def fetch(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        timeout_s: float | None = None,
        retry_s: float | None = None,
    ) -> Json:
        """The JSON object that the server answers with.

        ``timeout_s``: of silence, where less than the server's own; ``retry_s``: in the place of the server's own.
        Raises ModelNotFound, ModelUnavailable, ModelTimeout or ModelError.
        """
        silence_s = min(timeout_s or self._upstream.timeout_s, self._upstream.timeout_s)
        response = await self._open(
            method, path, body, silence_s, self._upstream.retry_s if retry_s is None else retry_s
        )
        try:
            with self._faults(silence_s), self._cuts():
                data = await response.read()
        finally:
            response.close()
        return self._object(data)

    async def events(self, path: str, body: Json) -> AsyncGenerator[Json | None, None]:
        """The objects that the server streams, and None for its ``[DONE]``, which is the last.

        Closing the iterator closes the connection. Raises as :meth:`fetch` does, and ModelError for an error event.
        """
        silence_s = self._upstream.timeout_s
        response = await self._open("POST", path, body, silence_s, self._upstream.retry_s)
        try:
            with self._faults(silence_s), self._cuts():
                head = await _head(response)
                # Not by its content type, which some get wrong: no event begins like these.
                if head.lstrip(_BLANK)[:1] in (b"{", b"[", b"<"):
                    # A server that knows no streams gives the answer whole.
                    yield self._object(head + await response.read())
                    return
                reader, data = EventReader(), head
                while data:
                    for event in reader.feed(data):
                        if event.data == b"[DONE]":
                            await _read_to_end(response)
                            yield None
                            return
                        yield self._object(event.data, is_error=event.kind == b"error")
                    data = await response.content.readany()
        finally:
            response.close()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _open(
        self, method: str, path: str, body: Json | None, silence_s: float, retry_s: float
    ) -> aiohttp.ClientResponse:
        """An answer of status 200, its body still to come; a server that is busy is asked again."""
        session = await self._http()
        return await patience(self._name, retry_s)(self._ask, session, method, path, body, silence_s)

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Json | None, silence_s: float
    ) -> aiohttp.ClientResponse:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=silence_s)
        with self._faults(silence_s):
            response = await session.request(
                method,
                self._upstream.base_url + path,
                data=None if body is None else _encode(body),
                timeout=timeout,
                proxy=self._proxy,
                allow_redirects=False,
            )
            if response.status == 200:
                return response
            try:
                data = await response.content.read(_LONGEST_REFUSAL)
            finally:
                response.close()
        logger.info("[Upstream] Refused: name=%s status=%d path=%s", self._name, response.status, path)
        raise self.origin.refusal(response.status, response.headers, data, body)

    async def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            async with self._opening:
                if self._session is None:
                    # Importing the client and reading certificates takes hundreds of milliseconds.
                    await asyncio.to_thread(_import_libraries)
                    self._proxy = await asyncio.to_thread(_proxy, self._upstream.base_url)
                    self._session = self._new_session()
        return self._session

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp

        headers = {"Content-Type": "application/json", "User-Agent": "agentic"}
        if self._upstream.api_key is not None:
            headers["Authorization"] = f"Bearer {self._upstream.api_key.get_secret_value()}"
        headers |= {name: value.get_secret_value() for name, value in self._upstream.headers.items()}
        # Of at most 100 connections, aiohttp's default, the next answer would wait for one of a hundred others.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
        # A cookie of one user's answer has no place in the next one's.
        return aiohttp.ClientSession(connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar())

    @contextmanager
    def _faults(self, silence_s: float) -> Iterator[None]:
        """Faults of the network as errors that say what to do."""
        import aiohttp

        name, url = self._name, self._upstream.base_url
        try:
            yield
        except aiohttp.SocketTimeoutError:
            fix = f"raise {place(name, 'timeout_s')} if its models need longer to load or to think."
            if silence_s < self._upstream.timeout_s:
                fix = "it may be stuck: see its log, or start it again."
            raise ModelTimeout(f"{name} at {url} was silent for {silence_s:g} s; {fix}") from None
        except (aiohttp.ClientError, OSError) as fault:
            logger.info("[Upstream] Not reached: name=%s cause=%s", name, type(fault).__name__)
            raise ModelUnavailable(
                f"Cannot reach {name} at {url}: {_why(fault)}. Start it, or correct {place(name, 'base_url')}."
            ) from None

    @contextmanager
    def _cuts(self) -> Iterator[None]:
        """Faults of the network in mid-answer: the server was there, its answer is cut."""
        import aiohttp

        try:
            yield
        except aiohttp.SocketTimeoutError:
            raise
        except (aiohttp.ClientError, OSError):
            raise self.cut() from None

    def cut(self) -> Cut:
        """The error for an answer that stopped before its end."""
        return Cut(f"{self._name} broke off in the middle of its answer; its log may tell why.")

    def _object(self, data: bytes, *, is_error: bool = False) -> Json:
        """The object in ``data``. Raises ModelError where it is none, or tells of an error."""
        import orjson

        try:
            value = orjson.loads(data)
        except ValueError:
            value = _mended(data)
        if isinstance(value, dict) and not (is_error or value.get("error") or value.get("object") == "error"):
            return value
        reason = self.origin.reason(value)
        if reason.said:
            raise self.origin.failure(reason)
        fix = f"{place(self._name, 'base_url')} must be the address of an API like OpenAI's"
        raise ModelError(f"{self._upstream.base_url} answered with something that is no JSON object; {fix}.")


def _mended(data: bytes) -> Any:
    """The value of JSON that has a byte or two which are no text, such as half of a character; None if it is none."""
    try:
        data.decode()
    except UnicodeDecodeError:
        try:
            return json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return None


def _import_libraries() -> None:
    for name in ("aiohttp", "orjson", "tenacity"):
        importlib.import_module(name)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for this address; never one for this machine's own."""
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    address = urlsplit(url)
    host = address.hostname or ""
    if host == "localhost" or _is_loopback(host) or proxy_bypass_environment(host):
        return None
    proxy: str | None = getproxies_environment().get(address.scheme)
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why(fault: Exception) -> str:
    """A fault of the network in a few words, without what the library holds of the request."""
    import aiohttp

    if isinstance(fault, aiohttp.ConnectionTimeoutError):
        return f"no connection within {_CONNECT_S:g} s"
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(fault, aiohttp.ClientConnectorDNSError):
        return "its host is not known"
    if isinstance(fault, aiohttp.ClientConnectorError):
        return fault.strerror or "the connection failed"
    if isinstance(fault, (aiohttp.ServerDisconnectedError, ConnectionResetError)):
        return "it closed the connection without an answer"
    if isinstance(fault, aiohttp.ClientResponseError):
        return "it speaks no HTTP"
    return "the connection failed"


async def _head(response: aiohttp.ClientResponse) -> bytes:
    """What has come of an answer as soon as that is more than blanks; the whole where it never is."""
    head = b""
    while not head.strip(_BLANK) and (piece := await response.content.readany()):
        head += piece
    return head


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Read what follows the last event, so that the connection can be used again; a server may leave it open."""
    try:
        async with asyncio.timeout(_END_S):
            while await response.content.readany():
                pass
    except TimeoutError:
        return
    response.release()


def _encode(body: Json) -> bytes:
    import orjson

    try:
        encoded: bytes = orjson.dumps(body)
    except TypeError:
        # Integers beyond 64 bits and lone surrogates: legal in JSON, too much for orjson.
        return json.dumps(body).encode()
    return encoded
