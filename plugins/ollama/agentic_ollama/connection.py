"""The connection to the server: requests, answers line by line, and every fault turned into an error of ours.

Requests go over aiohttp. The ``ollama`` client is not in between: to import it takes longer than to start all else of a
first answer, its transport costs more time than all else here, and its models strip tool schemas to a few keys, drop
the ids of calls, take a cut answer for a whole one, split lines within a text that holds U+0085, and validate every
chunk with pydantic.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from agentic import AgenticError, ContextExceeded, Json, ModelError, ModelNotFound, ModelTimeout, ModelUnavailable
from agentic.services import seconds_until
from agentic_ollama.settings import DEFAULT_HOST, Settings

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_CONNECT_S = 3.0
_KEEP_ALIVE_S = 60.0
_BUSY = (429, 503)
# It cuts prompts itself, and in silence, but for what it cannot cut: one message, or a model that runs elsewhere.
_BEYOND_CONTEXT = re.compile(r"exceed\w*\b.{0,40}\bcontext|context (length|window)\b.{0,40}\bexceed", re.IGNORECASE)
_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.:/-]*")


class Connection:
    """One pool of connections to the server at OLLAMA_HOST, opened at its first use."""

    def __init__(self, settings: Settings) -> None:
        self.host = settings.ollama_host or DEFAULT_HOST
        self._settings = settings
        self._timeout_s = settings.ollama_timeout
        self._opened: _Server | None = None
        self._opening = asyncio.Lock()

    async def fetch(self, method: str, path: str, body: Json | None = None, *, timeout_s: float | None = None) -> Json:
        """The JSON object that the server answers with. ``timeout_s``: of silence, where less than OLLAMA_TIMEOUT.

        Raises ModelNotFound, ModelUnavailable, ModelTimeout or ModelError.
        """
        server = await self._server()
        import aiohttp

        silence_s = min(timeout_s or self._timeout_s, self._timeout_s)
        try:
            async with await server.ask(method, path, _encode(body), silence_s) as response:
                data = await response.read()
        except aiohttp.ClientError as fault:
            raise self._unreached(fault, silence_s) from fault
        if response.status != 200:
            raise self._refused(response, data, body)
        answer = self._decode(data)
        if answer.get("error"):
            raise ModelError(f"Ollama: {answer['error']}")
        return answer

    async def lines(self, path: str, body: Json) -> AsyncGenerator[list[Json], None]:
        """The objects that the server streams, one a line, those in one list that came together.

        Closing the iterator closes the connection. Raises as :meth:`fetch` does, and ModelError for an error line.
        """
        server = await self._server()
        import aiohttp

        begun = False
        try:
            async with await server.ask("POST", path, _encode(body), self._timeout_s) as response:
                if response.status != 200:
                    raise self._refused(response, await response.read(), body)
                begun = True
                async for batch in _batches(response):
                    parts, wrong = self._read(batch)
                    yield parts
                    if wrong is not None:
                        raise wrong
        except aiohttp.ClientError as fault:
            if begun and not isinstance(fault, aiohttp.SocketTimeoutError):
                raise cut_answer(self.host) from fault
            raise self._unreached(fault, self._timeout_s) from fault

    async def aclose(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _server(self) -> _Server:
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    # It takes hundreds of milliseconds.
                    await asyncio.to_thread(importlib.import_module, "aiohttp")
                    self._opened = _Server(self._settings)
        return self._opened

    def _unreached(self, fault: aiohttp.ClientError, silence_s: float) -> ModelError:
        """A fault of the network as an error that says what to do."""
        import aiohttp

        if isinstance(fault, aiohttp.SocketTimeoutError):
            fix = "a large model may need longer to load: raise OLLAMA_TIMEOUT (seconds)."
            if silence_s < self._timeout_s:
                fix = "it may be stuck: see its log, or start it again."
            return ModelTimeout(f"Ollama at {self.host} was silent for {silence_s:g} s; {fix}")
        return ModelUnavailable(
            f"Cannot reach Ollama at {self.host}: is it running? Start it with `ollama serve`, "
            "or set OLLAMA_HOST to its address."
        )

    def _read(self, batch: Sequence[bytes]) -> tuple[list[Json], ModelError | None]:
        """The objects of some lines, up to the first that is an error, or none that can be read."""
        parts: list[Json] = []
        try:
            for part in _together(batch) or map(self._decode, batch):
                if part.get("error"):
                    raise ModelError(f"Ollama failed in the middle of its answer: {part['error']}")
                parts.append(part)
        except ModelError as fault:
            return parts, fault
        return parts, None

    def _decode(self, data: bytes) -> Json:
        try:
            value = _loads(data)
        except ValueError as fault:
            raise ModelError(f"{self.host} answered with something that is not JSON: is this Ollama?") from fault
        if not isinstance(value, dict):
            raise ModelError(f"{self.host} answered with JSON that is no object: is this Ollama?")
        return value

    def _refused(self, response: aiohttp.ClientResponse, data: bytes, body: Json | None) -> AgenticError:
        """The error for a status other than 200."""
        status, said, model = response.status, _said(data), (body or {}).get("model", "")
        logger.info("[Ollama] Refused: status=%d path=%s", status, response.url.path)
        if status in _BUSY:
            return ModelUnavailable(
                f"Ollama is busy ({status}): {said or 'try again in a moment'}",
                retry_after_s=seconds_until(response.headers.get("retry-after")),
            )
        if status == 404 and model and said:
            return ModelNotFound(f"Ollama has no model '{model}'. {pull_command(model)}".strip(), param="model")
        if status in (401, 403):
            return ModelError(f"Ollama at {self.host} refused access ({status}): check OLLAMA_API_KEY.")
        if status < 400 or status == 404:
            return ModelError(f"{self.host} answered {status}: is this Ollama? OLLAMA_HOST must be its own address.")
        if status == 400 and _BEYOND_CONTEXT.search(said):
            return ContextExceeded(f"Ollama refused the request: {said}", param="messages")
        if status == 400 and "does not support tools" in said:
            return ToolsUnsupported(f"The model '{model}' cannot call tools: {said}")
        return ModelError(f"Ollama answered {status}: {said or 'no reason given; see its log'}")


class ToolsUnsupported(ModelError):
    """The model was given tools and has no way to call them."""


def pull_command(model: str) -> str:
    """How a user gets the model; nothing for what can be no model's name, and is nothing to put into a shell."""
    return f"Run: ollama pull {model}" if _MODEL_NAME.fullmatch(model) else ""


def cut_answer(host: str) -> ModelError:
    """The error for an answer that stopped before its end."""
    return ModelError(f"Ollama at {host} broke off in the middle of its answer; its log may tell why.")


class _Server:
    """Requests to the server's address, with its key. Made where a loop runs, once aiohttp is imported."""

    def __init__(self, settings: Settings) -> None:
        import aiohttp
        from yarl import URL

        base, key = settings.base_url, settings.ollama_api_key
        self._url_of = functools.cache(lambda path: URL(base + path))
        self._timeout_of = functools.cache(
            lambda silence_s: aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=silence_s)
        )
        # 0 is "no limit"; left out, more than 100 answers at once would wait for one another.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                **({"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}),
            },
        )

    async def ask(self, method: str, path: str, body: bytes | None, silence_s: float) -> aiohttp.ClientResponse:
        """The response once its head has come. Leaving its context before its end closes the connection.

        Raises errors of aiohttp.
        """
        return await self._session.request(
            method, self._url_of(path), data=body, timeout=self._timeout_of(silence_s), allow_redirects=False
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


async def _batches(response: aiohttp.ClientResponse) -> AsyncIterator[list[bytes]]:
    """The lines that came with each read, without the blank ones."""
    rest = b""
    async for data in response.content.iter_any():
        *lines, rest = (rest + data).split(b"\n")
        yield [line for line in lines if line and not line.isspace()]
    if rest.strip():
        yield [rest]


def _encode(body: Json | None) -> bytes | None:
    if body is None:
        return None
    import orjson

    try:
        return orjson.dumps(body)
    except TypeError:
        # Integers beyond 64 bits and lone surrogates: legal in JSON, too much for orjson.
        return json.dumps(body).encode()


def _loads(data: bytes) -> Any:
    import orjson

    # Arguments of a call may hold integers beyond 64 bits, which orjson turns into floats.
    return json.loads(data) if b'"tool_calls"' in data else orjson.loads(data)


def _together(lines: Sequence[bytes]) -> list[Json] | None:
    """The objects of many lines, read at once; None where some line is none, so that each has to be read by itself."""
    try:
        parts = _loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        return None
    return parts if len(parts) == len(lines) and all(isinstance(part, dict) for part in parts) else None


def _said(data: bytes) -> str:
    """The reason in an error body, or nothing where it has none."""
    try:
        value = json.loads(data)
    except ValueError:
        return ""
    reason = value.get("error") if isinstance(value, dict) else None
    return str(reason) if reason else ""
