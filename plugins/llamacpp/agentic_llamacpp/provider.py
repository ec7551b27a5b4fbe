"""The provider ``llamacpp``: one small model in a child process, asked one question at a time."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from agentic import (
    ModelDelta,
    ModelError,
    ModelInfo,
    ModelNotFound,
    ModelProvider,
    ModelRequest,
)
from agentic_llamacpp.engine import CONTEXT, Engine
from agentic_llamacpp.weights import Weights

if TYPE_CHECKING:
    from agentic_llamacpp.client import Client

NOTICE = (
    "The embedded model answered: the embedded model is for trying out; use Ollama with a bigger model for real work."
)
SILENCE_S = 300.0


class LlamaCpp(ModelProvider):
    """The embedded model.

    ``folder`` keeps fetched weights, ``model_file`` names the operator's own. ``silence_s``: seconds without a byte
    after which the engine is ended and the answer given up.
    """

    name = "llamacpp"
    fallback = True
    rank = -10

    def __init__(
        self,
        folder: Path,
        model_file: Path | None = None,
        *,
        weights: Weights | None = None,
        engine: Engine | None = None,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._weights = weights or Weights(folder, model_file)
        self._engine = engine or Engine()
        self._silence_s = silence_s
        self._client: Client | None = None
        # The engine has one slot: whoever waits does so here, where the silence is not counted and leaving is free.
        self._turn = asyncio.Lock()

    async def models(self) -> Sequence[ModelInfo]:
        """The one model, whether its weights are there yet or not."""
        return [
            ModelInfo(
                id=self._weights.model_id, tool_mode="fit", schema=True, context=CONTEXT, default=True, notice=NOTICE
            )
        ]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """Answer piece by piece; the first use fetches the weights and starts the engine.

        Raises ModelNotFound, ModelUnavailable (with the fix), ModelTimeout or ModelError.
        """
        if request.model != self._weights.model_id:
            raise ModelNotFound(
                f"The embedded model is called {self._weights.model_id}, not {request.model}.", param="model"
            )
        if request.tools:
            raise ModelError("The embedded model cannot call tools by itself.")
        model = await self._weights.path()
        async with self._turn:
            client = await self._connected()
            endpoint = await self._engine.endpoint(model)
            async with aclosing(client.answer(endpoint, request)) as deltas:
                async for delta in deltas:
                    yield delta

    async def health(self) -> str | None:
        """None if the weights are there or can be fetched; nothing is fetched or started to find out."""
        return await self._weights.trouble()

    async def aclose(self) -> None:
        """Stop a fetch, end the engine and close connections."""
        await self._weights.aclose()
        await self._engine.aclose()
        if self._client is not None:
            await self._client.aclose()

    async def _connected(self) -> Client:
        if self._client is None:
            library = await asyncio.to_thread(importlib.import_module, "agentic_llamacpp.client")
            self._client = library.Client(self._silence_s, self._engine.kill)
        return self._client
