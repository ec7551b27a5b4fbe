"""One call of a tool from its arguments to its result: whatever goes wrong becomes a result for the model to read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from agentic.errors import StorageError, ToolError, ToolRetry
from agentic.events import Citation
from agentic.messages import Json
from agentic.ports.tool import Tool, ToolContext, ToolResult

logger = logging.getLogger(__name__)

LONGEST_RESULT = 64_000


async def perform(
    tool: Tool, arguments: Json, context: ToolContext, admit: Callable[[], Awaitable[None]]
) -> ToolResult:
    """Validate, wait until the call is admitted, and run within the tool's time."""
    limit = tool.traits.timeout_s
    timer = asyncio.timeout(limit)
    try:
        args = _validated(tool.args, arguments)
        await admit()
        async with timer:
            result = await tool.run(args, context)
    except ToolRetry as error:
        return wrong(error.message)
    except ToolError as error:
        return failing(error.message)
    except StorageError as error:
        logger.warning("[Tools] %s: no storage: %s", tool.name, error.message)
        return failing(f"{tool.name} failed: {error.message}")
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        if isinstance(error, TimeoutError) and timer.expired():
            return failing(f"{tool.name} took longer than its limit of {limit:g} s and was stopped.")
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        # A library that exits must not take the server with it, nor what was cancelled within the tool end the run.
        logger.exception("[Tools] Tool failed: %s", tool.name)
        return failing(f"{tool.name} failed: {type(error).__name__}.")
    if isinstance(result, str):
        result = ToolResult(result)
    if isinstance(result, ToolResult) and _is_sound(result):
        return _bounded(result)
    logger.error("[Tools] Tool returned neither text nor a sound ToolResult, but a %s: %s", type(result), tool.name)
    return failing(f"{tool.name} failed: what it returned is no result.")


def _validated(schema: type[BaseModel] | Json, arguments: Json) -> Any:
    """The arguments as the tool wants them; raises ToolRetry that names each field at fault."""
    if isinstance(schema, type):
        try:
            return schema.model_validate(arguments)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, fault['loc'])) or 'input'}: {fault['msg']}" for fault in error.errors())
            raise ToolRetry(f"{'; '.join(faults)}.") from error
    import jsonschema

    try:
        jsonschema.validate(arguments, schema)
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path)) or "input"
        raise ToolRetry(f"{place}: {error.message}.") from error
    return arguments


def _is_sound(result: ToolResult) -> bool:
    """Whether the parts of a result are what they should be; nothing checks that where a stranger makes one."""
    return isinstance(result.content, str) and all(isinstance(one, Citation) for one in result.citations)


def _bounded(result: ToolResult) -> ToolResult:
    """The result, cut where it is longer than any model should be given, and said to be cut."""
    length = len(result.content)
    if length <= LONGEST_RESULT:
        return result
    note = f"\n[Cut: the first {LONGEST_RESULT:,} of {length:,} characters.]"
    return replace(result, content=result.content[:LONGEST_RESULT] + note)


def is_cancelled() -> bool:
    """Whether somebody cancels this task: else a CancelledError comes from within a plugin that let it out."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def failing(message: str) -> ToolResult:
    """An error for the model to read."""
    return ToolResult(f"Error: {message}", error=True)


def wrong(message: str) -> ToolResult:
    """An error that a better call may not have."""
    return ToolResult(f"Wrong input: {message}", error=True)
