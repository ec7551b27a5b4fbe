"""A model whose replies are scripted, and which keeps every request."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
from pydantic import BaseModel, ValidationError

from agentic.errors import ModelError
from agentic.messages import Json, Message, Usage
from agentic.ports.model import Model, ModelDelta, ModelInfo, Reply, ToolSpec
from agentic.ports.run import Budget

Schema = type[BaseModel] | Json


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that an agent made of the model."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    schema: Schema | None
    said: bool
    held: bool = False


Answered = str | Reply | Exception | Sequence[ModelDelta]
Scripted = Answered | Callable[[Asked], Answered | Awaitable[Answered]]
"""A text, a whole reply, deltas, an error to raise, or a function (async or not) from the request to one of these."""


class ScriptedModel(Model):
    """Gives the scripted replies in order; ``requests`` keeps what was asked. Asked once more, it raises ModelError."""

    def __init__(
        self,
        replies: Iterable[Scripted],
        *,
        info: ModelInfo,
        say: Callable[[str], None],
        budget: Budget,
    ) -> None:
        self.info = info
        self.requests: list[Asked] = []
        self._replies = deque(replies)
        self._say = say
        self._budget = budget

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), schema: Json | None = None
    ) -> AsyncGenerator[ModelDelta, None]:
        """The next reply, piece by piece."""
        for delta in await self._next(Asked(tuple(messages), tuple(tools), schema, False)):
            await asyncio.sleep(0)
            yield delta

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        schema: Schema | None = None,
        say: bool = False,
        hold: bool = False,
    ) -> Reply:
        """The next reply as a whole, with ``parsed`` filled where a schema was asked for."""
        deltas = await self._next(Asked(tuple(messages), tuple(tools), schema, say, hold))
        for delta in deltas:
            await asyncio.sleep(0)
            if say and delta.text:
                self._say(delta.text)
        reply = _joined(deltas)
        return reply if schema is None or reply.calls else replace(reply, parsed=_parsed(reply.text, schema))

    async def _next(self, asked: Asked) -> Sequence[ModelDelta]:
        self.requests.append(asked)
        self._budget.model_calls += 1
        if not self._replies:
            raise ModelError(f"the model was asked {len(self.requests)} times: no reply is scripted for the last")
        answered = self._replies.popleft()
        if callable(answered):
            made = answered(asked)
            answered = await made if isinstance(made, Awaitable) else made
        if isinstance(answered, Exception):
            raise answered
        deltas = _deltas(answered)
        for delta in deltas:
            self._budget.usage += delta.usage or Usage()
        return deltas


def _deltas(answered: str | Reply | Sequence[ModelDelta]) -> Sequence[ModelDelta]:
    """A reply as a model would stream it: thinking, then words, then the calls, then the end."""
    if not isinstance(answered, (str, Reply)):
        return answered
    reply = Reply(answered, usage=Usage(10, 5)) if isinstance(answered, str) else answered
    text = reply.text
    if not text and isinstance(reply.parsed, BaseModel):
        text = reply.parsed.model_dump_json()
    elif not text and reply.parsed is not None:
        text = json.dumps(reply.parsed)
    thinking = [ModelDelta(thinking=reply.thinking)] if reply.thinking else []
    words = [ModelDelta(text=word) for word in text.split(" ")]
    spaced = [word if number == 0 else ModelDelta(text=f" {word.text}") for number, word in enumerate(words)]
    called = [ModelDelta(calls=reply.calls)] if reply.calls else []
    return [*thinking, *(spaced if text else []), *called, ModelDelta(finish=reply.finish, usage=reply.usage)]


def _joined(deltas: Sequence[ModelDelta]) -> Reply:
    usage = Usage()
    for delta in deltas:
        usage += delta.usage or Usage()
    return Reply(
        text="".join(delta.text for delta in deltas),
        thinking="".join(delta.thinking for delta in deltas),
        calls=tuple(call for delta in deltas for call in delta.calls),
        finish=next((delta.finish for delta in deltas if delta.finish), "stop"),
        usage=usage,
    )


def _parsed(text: str, schema: Schema) -> Any:
    try:
        if not isinstance(schema, dict):
            return schema.model_validate_json(text)
        value = json.loads(text)
        jsonschema.validate(value, schema)
    except (ValidationError, ValueError, jsonschema.ValidationError) as error:
        raise ModelError(f"the model's answer does not fit the schema: {error}") from error
    return value
