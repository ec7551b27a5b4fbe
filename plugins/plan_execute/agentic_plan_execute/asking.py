"""Words from the model that are not, or not yet, for the user."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from agentic import Json, Message, Run


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote; ``cut``: it reached a limit of its length."""

    text: str
    cut: bool


async def write(run: Run, messages: list[Message], schema: Json | None = None) -> Written:
    """Let the model write, under ``schema`` where it can be held to one; what it thinks is shown as thinking.

    The text is returned as it came: whoever asked knows better than a schema what is wrong with it.
    """
    held = schema if run.model.info.schema else None
    texts: list[str] = []
    finish = ""
    async with aclosing(run.model.stream(messages, schema=held)) as deltas:
        async for delta in deltas:
            texts.append(delta.text)
            finish = delta.finish or finish
            if delta.thinking:
                run.think(delta.thinking)
    return Written("".join(texts), finish == "length")
