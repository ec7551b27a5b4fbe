"""Tools for models that cannot choose: examples choose the tool, rules or a schema fill in its arguments.

Facts are shown as the tool gave them and errors are never reworded, since such a model would invent what it repeats.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from agentic.errors import ModelError
from agentic.messages import Json, Message, ToolCall, Usage
from agentic.models.ask import Ask
from agentic.models.plain import as_plain, write_calls
from agentic.models.whole import whole
from agentic.ports.model import ModelDelta, ToolSpec

logger = logging.getLogger(__name__)

LONGEST = 4000
"""Characters of a plain request. A longer text holds pasted matter, in which rules would read what nobody asked."""
ARGUMENTS = """Fill in the input of the tool "{name}" from the user's message, and copy words from it exactly.
{description}"""


async def fit(ask: Ask) -> AsyncGenerator[ModelDelta, None]:
    """Show the results since the last user message; or call the fittest tool; or answer without one."""
    if ask.observed and ask.schema is None:
        yield ModelDelta("\n\n".join(message.text for message in ask.observed), finish="stop", usage=Usage())
        return
    text = next((message.text for message in reversed(ask.messages) if message.role == "user"), "")
    tool, arguments, usage = (None, None, Usage()) if ask.observed else await _choose(ask, text)
    if tool is not None and arguments is not None:
        yield ModelDelta(calls=(ToolCall("", tool.name, arguments),), finish="tool_calls", usage=usage)
        return
    if ask.choice != "auto" and not ask.observed:
        raise ask.none_called()
    plain = as_plain(ask.messages, write_calls)
    stream = ask.caller.stream(plain, schema=ask.schema, sampling=ask.sampling, mode="fit")
    async with aclosing(stream) as deltas:
        async for delta in deltas:
            yield delta


async def _choose(ask: Ask, text: str) -> tuple[ToolSpec | None, Json | None, Usage]:
    """The tool to call with its arguments and what finding them cost; no tool or no arguments: answer."""
    specs = {tool.name: tool for tool in ask.tools}
    if ask.choice in specs:
        ranked: Sequence[str] = [ask.choice]
    else:
        ranked = [found.tool for found in await ask.rank(text, ask.tools)]
        if not ranked and ask.choice == "required":
            ranked = [ask.tools[0].name]
    for name in ranked:
        tool = specs[name]
        suggested = suggestion(tool, text)
        if suggested is not None:
            return tool, suggested, Usage()
    if not ranked:
        return None, None, Usage()
    best = specs[ranked[0]]
    if not best.parameters.get("properties"):
        return best, {}, Usage()
    return best, *await _fill_in(ask, best, text)


async def _fill_in(ask: Ask, tool: ToolSpec, text: str) -> tuple[Json | None, Usage]:
    prompt = [
        Message("system", ARGUMENTS.format(name=tool.name, description=tool.description)),
        Message("user", text),
    ]
    schema = _needed(tool.parameters)
    try:
        written = await whole(ask.caller.stream(prompt, schema=schema, sampling=ask.deciding, mode="fit"))
    except ModelError as error:
        # Small models lose themselves in a text; where the server is gone, the answer's own call will tell.
        logger.info("[Models] No arguments for %s: %s", tool.name, error.code)
        return None, Usage()
    try:
        arguments = json.loads(written.text)
    except (ValueError, RecursionError):
        return None, written.usage
    return (arguments if isinstance(arguments, dict) else None), written.usage


def _needed(parameters: Json) -> Json:
    """The schema without what may be left out: such a model would make it up."""
    required = parameters.get("required")
    if not required:
        return parameters
    kept = {name: one for name, one in parameters["properties"].items() if name in required}
    return {**parameters, "properties": kept}


def suggestion(tool: ToolSpec, text: str) -> Json | None:
    """What the tool reads from a plain request by rule; a rule that fails has read nothing."""
    if tool.suggest is None or len(text) > LONGEST:
        return None
    try:
        read = tool.suggest(text)
    except (Exception, SystemExit):
        logger.exception("[Tools] A tool's suggest failed: %s", tool.name)
        return None
    if read is not None and not isinstance(read, dict):
        logger.error("[Tools] A tool's suggest gave a %s, not a dict: %s", type(read).__name__, tool.name)
        return None
    return read


def observed(messages: Sequence[Message]) -> list[Message]:
    """The tool results after the last user message."""
    results: list[Message] = []
    for message in reversed(messages):
        if message.role == "user":
            break
        if message.role == "tool":
            results.append(message)
    return results[::-1]
