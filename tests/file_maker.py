"""A plugin for tests: a tool that makes files, and an agent that calls it as the request's text says, in JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from agentic import Agent, Bid, ModelProvider, Run, Task, Tool, ToolCall, ToolContext, hookimpl, tool
from tests.kernel_in_memory import ScriptedProvider


@tool(name="make_file")
async def make_file(
    ctx: ToolContext, name: str, media_type: str = "text/plain", text: str = "made", hang: bool = False
) -> str:
    """Make a file, and keep a note of it for the conversation."""
    await ctx.conversation.storage.save(f"note/{ctx.call_id}", name)
    await ctx.conversation.storage.append("log", [name])
    await ctx.conversation.blobs.put(f"draft/{ctx.call_id}", _bytes_of(text))
    await ctx.space.storage.save("last", name)
    file = await ctx.save_file(name, media_type, text.encode())
    if hang:
        ctx.progress("hanging")
        await asyncio.Event().wait()
    return f"made {file.url}"


class Maker(Agent):
    """Does ``{"calls": [arguments of make_file, …], "say": text}``; ``{0}`` in the text is the first result."""

    name = "maker"
    description = "Makes files"

    def bid(self, task: Task) -> Bid:
        return Bid(1, "always")

    async def run(self, run: Run) -> None:
        wanted: Any = json.loads(run.task.text)
        calls = [ToolCall(f"{run.id}-{n}", "make_file", call) for n, call in enumerate(wanted.get("calls", ()))]
        results = await run.tools.call(calls) if calls else ()
        run.say(wanted.get("say", "").format(*(result.content for result in results)))


@hookimpl
def agentic_tools() -> Tool:
    """The tool ``make_file``."""
    return make_file


@hookimpl
def agentic_agents() -> Agent:
    """The agent ``maker``."""
    return Maker()


@hookimpl
def agentic_model_providers() -> ModelProvider:
    """A model, because a run has one."""
    return ScriptedProvider()


async def _bytes_of(text: str) -> AsyncIterator[bytes]:
    yield text.encode()
