"""The HTTP side of the engine: one request, its stream, and what a broken connection means.

This module is imported at the first use, in a thread, for its library takes a third of a second to import.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import httpx
from httpx_aiohttp import AiohttpTransport

from agentic import ModelDelta, ModelError, ModelRequest, ModelTimeout, ModelUnavailable
from agentic_llamacpp import wire
from agentic_llamacpp.engine import Endpoint

CONNECT_LIMIT_S = 10.0


class Client:
    """Speaks to the engine. ``silence_s``: seconds without a byte after which it counts as lost; ``on_loss`` is awaited
    when the engine is lost, whatever the way.
    """

    def __init__(self, silence_s: float, on_loss: Callable[[], Awaitable[None]]) -> None:
        self._silence_s = silence_s
        self._on_loss = on_loss
        self._http = httpx.AsyncClient(
            transport=AiohttpTransport(), timeout=httpx.Timeout(silence_s, connect=CONNECT_LIMIT_S), trust_env=False
        )

    async def answer(self, endpoint: Endpoint, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The engine's answer. Raises ModelUnavailable, ModelTimeout or ModelError."""
        begun = False
        try:
            async with self._http.stream(
                "POST",
                f"{endpoint.url}/v1/chat/completions",
                content=wire.encode(wire.body(request)),
                headers={"Authorization": f"Bearer {endpoint.api_key}", "Content-Type": "application/json"},
            ) as response:
                begun = True
                if response.status_code != httpx.codes.OK:
                    raise wire.read_refusal(await response.aread())
                chunks = response.aiter_bytes()
                async with aclosing(wire.deltas(chunks, schema=request.schema is not None)) as deltas:
                    async for delta in deltas:
                        yield delta
        except httpx.TransportError as error:
            await self._on_loss()
            raise self._failure(error, begun) from error

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    def _failure(self, error: httpx.TransportError, begun: bool) -> ModelError:
        """What a broken connection means; ``begun``: the engine had already accepted the request."""
        # httpx-aiohttp gives refused and reset connections as ConnectTimeout, too.
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return ModelTimeout(
                f"The embedded model was silent for {self._silence_s:g} s; its engine is started anew. Ask for less."
            )
        if begun:
            return ModelError("The embedded engine stopped in the middle of the answer; ask again, it is started anew.")
        return ModelUnavailable("The embedded engine is gone; ask again, it is started anew.")
