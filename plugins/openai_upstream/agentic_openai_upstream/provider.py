"""The chat models of one server that speaks OpenAI's API."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from agentic import Json, ModelDelta, ModelError, ModelInfo, ModelProvider, ModelRequest
from agentic_openai_upstream.answer import Answer
from agentic_openai_upstream.catalogue import Catalogue
from agentic_openai_upstream.connection import Connection
from agentic_openai_upstream.habits import Habits, refuses_tools
from agentic_openai_upstream.refusals import Cut, Refused
from agentic_openai_upstream.request_body import chat_body
from agentic_openai_upstream.settings import Upstream, place

logger = logging.getLogger(__name__)

_HEALTH_S = 5.0


class UpstreamProvider(ModelProvider):
    """Models of one server; ``name`` is the one that its operator gave it."""

    configured = True

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.name = name
        self.rank = upstream.rank
        self._upstream = upstream
        self._connection = Connection(name, upstream)
        self._catalogue = Catalogue(self._connection, name, upstream)
        self._habits: dict[str, Habits] = {}

    async def models(self) -> Sequence[ModelInfo]:
        """All that it lists; the default is ``default_model``, or else the first listed that looks like a chat model.

        Abilities are those of the settings, but for a model that has refused tools: it is held to schemas.
        """
        return await self._catalogue.models()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """Answer piece by piece; closing the iterator closes the connection, at which servers stop the model.

        Calls come whole, with the last piece. A server that is busy is asked again, before its first byte alone.
        """
        await self._catalogue.require(request.model)
        answer, is_whole = Answer(self.name), False
        try:
            async with aclosing(self._parts(request)) as parts:
                async for part in parts:
                    if part is None:
                        is_whole = True
                    elif (delta := answer.read(part)) is not None:
                        yield delta
        except Cut:
            if not answer.is_finished:
                raise
        if not (is_whole or answer.is_finished):
            raise self._connection.cut()
        yield answer.last()

    async def _parts(self, request: ModelRequest) -> AsyncGenerator[Json | None, None]:
        """What the server streams. It is asked again, in another way, where it refuses a field it can do without."""
        habits = self._habits.get(request.model, Habits())
        while True:
            body = chat_body(request, self._upstream, habits)
            try:
                async with aclosing(self._connection.events("/chat/completions", body)) as parts:
                    async for part in parts:
                        # Taken, at last, in this way.
                        self._habits[request.model] = habits.to_keep()
                        yield part
            except Refused as refused:
                # Some name the limit of the answer's tokens beside the prompt's; asked otherwise they refuse again.
                other = None if refused.reason.is_beyond_context else habits.after(refused, body)
                if other is None:
                    raise self._final(refused, body) from None
                habits = other
            else:
                return

    def _final(self, refused: Refused, body: Json) -> ModelError:
        """The error for a request that the server takes in no way."""
        if refused.reason.is_beyond_context:
            return self._connection.origin.beyond_context(refused.reason)
        if not refuses_tools(refused, body):
            return refused
        model = body["model"]
        self._catalogue.forbid_tools(model)
        logger.info("[Upstream] Tools refused: name=%s model=%s is asked without from now on", self.name, model)
        setting = place(self.name, "tool_mode")
        return ModelError(f"{refused.message} Ask again: it is given none from now on; {setting} says so for good.")

    def remedy(self, model_id: str) -> str:
        """What is wrong with the default model; for another one, what the server lists."""
        if not model_id:
            return self._catalogue.default_fault() or ""
        return f"{self.name}: {self._catalogue.told()}."

    async def health(self) -> str | None:
        """None if it lists its models, the default one among them; else what to do."""
        try:
            await self._catalogue.listed(timeout_s=_HEALTH_S, retry_s=0)
        except ModelError as fault:
            return fault.message
        return self._catalogue.default_fault()

    async def aclose(self) -> None:
        """Close all connections to the server."""
        await self._connection.aclose()
