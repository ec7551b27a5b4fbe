"""Tools for models that take them: the provider does it all."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentic.models.ask import Ask
from agentic.ports.model import ModelDelta


async def native(ask: Ask) -> AsyncGenerator[ModelDelta, None]:
    """Pass the tools on; where calls may not be parallel, only the first one counts."""
    called = False
    stream = ask.caller.stream(ask.messages, tools=ask.tools, sampling=ask.sampling, mode="native")
    async with aclosing(stream) as deltas:
        async for delta in deltas:
            if delta.calls and not ask.parallel:
                calls = () if called else delta.calls[:1]
                called = True
                yield ModelDelta(delta.text, delta.thinking, calls, delta.finish, delta.usage)
            else:
                yield delta
