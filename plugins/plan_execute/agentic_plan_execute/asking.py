"""Words from the model that are not for the user."""

from __future__ import annotations

from contextlib import aclosing

from agentic import Json, Message, Run


async def write(run: Run, messages: list[Message], schema: Json) -> str:
    """Let the model write, under ``schema`` where it can be held to one; what it thinks is shown as thinking.

    The text is returned as it came: whoever asked knows better than a schema what is wrong with it.
    """
    held = schema if run.model.info.schema else None
    texts: list[str] = []
    async with aclosing(run.model.stream(messages, schema=held)) as deltas:
        async for delta in deltas:
            texts.append(delta.text)
            if delta.thinking:
                run.think(delta.thinking)
    return "".join(texts)
