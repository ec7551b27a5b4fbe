"""The chat models of an Ollama server."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from agentic import ModelDelta, ModelError, ModelInfo, ModelProvider, ModelRequest
from agentic_ollama.catalogue import Catalogue
from agentic_ollama.connection import Connection, ToolsUnsupported, cut_answer, pull_command
from agentic_ollama.settings import Settings
from agentic_ollama.wire import Answer, chat_body

logger = logging.getLogger(__name__)

_HEALTH_S = 5.0
_SUGGESTED_MODEL = "qwen3:8b"
_SCHEMAS_SINCE = (0, 5)


class OllamaProvider(ModelProvider):
    """Models of the Ollama server at OLLAMA_HOST."""

    name = "ollama"

    def __init__(self, settings: Settings) -> None:
        self.configured = settings.configured
        self._settings = settings
        self._connection = Connection(settings)
        self._catalogue = Catalogue(self._connection, settings)

    async def models(self) -> Sequence[ModelInfo]:
        """All that is pulled; the default is OLLAMA_MODEL, or else the most recently changed chat model.

        ``context`` is what calls are given: OLLAMA_NUM_CTX, or the model's own up to 16384.
        """
        return await self._catalogue.models()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """Answer piece by piece; closing the iterator closes the connection, at which Ollama stops."""
        facts = await self._catalogue.facts(request.model)
        body = chat_body(request, facts, self._settings)
        answer = Answer()
        try:
            async with aclosing(self._connection.lines("/api/chat", body)) as lines:
                async for parts in lines:
                    for delta in answer.read(parts, join=request.whole):
                        yield delta
                    if answer.ended:
                        return
        except ToolsUnsupported:
            self._catalogue.forbid_tools(request.model)
            logger.info("[Ollama] Tools refused: model=%s is used with schemas from now on", request.model)
            raise
        raise cut_answer(self._connection.host)

    def remedy(self, model_id: str) -> str:
        """The command that pulls the model; empty id: OLLAMA_MODEL, or a model that suits agents."""
        wanted = model_id.removeprefix(f"{self.name}/") or self._settings.ollama_model or _SUGGESTED_MODEL
        return pull_command(wanted)

    async def health(self) -> str | None:
        """None if the server can be reached and is an Ollama, else what to do."""
        try:
            answer = await self._connection.fetch("GET", "/api/version", timeout_s=_HEALTH_S)
        except ModelError as fault:
            return fault.message
        version = re.match(r"(\d+)\.(\d+)", str(answer.get("version")))
        if version is None:
            return f"{self._connection.host} answers, but not as Ollama does: set OLLAMA_HOST to the server's address."
        # Builds of one's own call themselves 0.0.0.
        if (0, 0) < (int(version[1]), int(version[2])) < _SCHEMAS_SINCE:
            return f"Ollama {answer['version']} knows no JSON Schemas: update it to 0.5 or later."
        return None

    async def aclose(self) -> None:
        """Close all connections to the server."""
        await self._connection.aclose()
