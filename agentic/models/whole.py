"""A streamed answer, read to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from agentic.messages import ToolCall, Usage
from agentic.ports.model import ModelDelta, Reply


async def whole(stream: AsyncGenerator[ModelDelta, None], each: Callable[[ModelDelta], None] | None = None) -> Reply:
    """The answer as one. ``each`` is shown every delta as it comes; the stream is closed in any case."""
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    finish, usage = "stop", Usage()
    async with aclosing(stream) as deltas:
        async for delta in deltas:
            if each is not None:
                each(delta)
            texts.append(delta.text)
            thoughts.append(delta.thinking)
            calls += delta.calls
            finish = delta.finish or finish
            usage = delta.usage or usage
    return Reply("".join(texts), "".join(thoughts), tuple(calls), finish, usage)
