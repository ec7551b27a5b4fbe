"""The tools of one run: validated, limited, guarded against loops, run in parallel, and recorded."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from agentic import content
from agentic.errors import StorageError, ToolError, ToolRetry
from agentic.events import Citation, CitationAdded, File, HandedOver, Progress, ToolCallFinished, ToolCallStarted
from agentic.messages import Json, ToolCall
from agentic.ports.model import ToolSpec
from agentic.ports.run import Tools
from agentic.ports.space import Principal, Space
from agentic.ports.tool import Tool, ToolContext, ToolResult
from agentic.runtime.budget import Budget
from agentic.runtime.channel import Channel
from agentic.runtime.files import RunFiles
from agentic.runtime.replay import Replay

logger = logging.getLogger(__name__)

LONGEST_RESULT = 64_000


class Context(ToolContext):
    """What a tool is given: the call, and the spaces of the plugin that ships it, bound to the user."""

    def __init__(
        self,
        call_id: str,
        principal: Principal,
        *,
        space: Space,
        conversation: Space,
        files: RunFiles,
        channel: Channel,
    ) -> None:
        self.call_id = call_id
        self.principal = principal
        self.space = space
        self.conversation = conversation
        self._files = files
        self._channel = channel

    async def save_file(self, name: str, media_type: str, data: bytes) -> File:
        """See :class:`agentic.ports.tool.ToolContext`."""
        return await self._files.save(name, media_type, data)

    def progress(self, text: str, done: float | None = None) -> None:
        """See :class:`agentic.ports.tool.ToolContext`."""
        self._channel.emit(Progress(self.call_id, text, "running", done))


class Toolbox(Tools):
    """The server's tools by name beside the client's.

    ``context_of`` makes the context of a call from its id and the tool's plugin; ``hand_over`` ends the run when the
    client must go on. ``replay`` is what the log of a run that goes on knows of its calls; ``keep`` writes the log of a
    run that shall outlive its server.
    """

    def __init__(
        self,
        specs: Sequence[ToolSpec],
        tools: Mapping[str, Tool],
        *,
        channel: Channel,
        budget: Budget,
        context_of: Callable[[str, str], ToolContext],
        plugin_of: Callable[[str], str],
        hand_over: Callable[[], None],
        replay: Replay | None = None,
        keep: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.specs = specs
        self._tools = {spec.name: tools[spec.name] for spec in specs if not spec.client}
        self._client = {spec.name for spec in specs if spec.client}
        self._channel = channel
        self._budget = budget
        self._context_of = context_of
        self._plugin_of = plugin_of
        self._hand_over = hand_over
        self._replay = replay or Replay()
        self._keep = keep or _keep_nothing
        self._seen: dict[str, list[str]] = {}
        for past in self._replay.finished():
            self._results_of(past.tool, past.arguments).append(past.result)

    async def call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        """See :class:`agentic.ports.run.Tools`."""
        ours = [call for call in calls if call.name not in self._client]
        theirs = tuple(call for call in calls if call.name in self._client)
        known = [self._recall(call) for call in ours]
        fresh = [call for call, result in zip(ours, known, strict=True) if result is None]
        self._budget.take_tool_calls(len(fresh))
        ran = iter(await self._run_all(fresh))
        results = [result or next(ran) for result in known]
        if theirs:
            self._channel.emit(HandedOver(theirs))
            self._hand_over()
            await asyncio.get_running_loop().create_future()
        return results

    def _recall(self, call: ToolCall) -> ToolResult | None:
        """What the log knows of a call; None for one that is to be run, for the first time or again."""
        logged = self._replay.find(call)
        if logged is None:
            return None
        if logged.end is not None:
            return ToolResult(logged.end.result, error=logged.end.error)
        tool = self._tools.get(call.name)
        if tool is None or tool.traits.idempotent:
            return None
        cut = _error(
            f"{call.name} was cut off when the server ended: it may have happened, wholly or in part, or not at all. "
            "It was not repeated. Find out what happened before you call it again."
        )
        self._channel.emit(ToolCallFinished(logged.id, call.name, cut.content, error=True))
        return cut

    async def _run_all(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        if len(calls) == 1:
            return [await self._observe(calls[0])]
        results: dict[int, ToolResult] = {}
        together = [n for n, call in enumerate(calls) if self._is_parallel(call)]
        done = await asyncio.gather(*(self._observe(calls[n]) for n in together))
        results.update(zip(together, done, strict=True))
        for n, call in enumerate(calls):
            if n not in results:
                results[n] = await self._observe(call)
        return [results[n] for n in range(len(calls))]

    async def _observe(self, call: ToolCall) -> ToolResult:
        """Run one call between its two events."""
        tool = self._tools.get(call.name)
        traits = tool.traits if tool else None
        plugin = self._plugin_of(call.name) if tool else ""
        self._channel.emit(
            ToolCallStarted(
                id=call.id,
                tool=call.name,
                arguments=call.arguments,
                plugin=plugin,
                risk=traits.risk if traits else "read",
                untrusted=traits.untrusted if traits else False,
            )
        )
        if traits is not None and not traits.idempotent:
            await self._keep()
        began = time.perf_counter()
        result = await self._guarded(tool, call, plugin)
        seconds = time.perf_counter() - began
        self._channel.emit(ToolCallFinished(call.id, call.name, result.content, result.error, round(seconds, 6)))
        for citation in result.citations:
            self._channel.emit(CitationAdded(citation))
        await self._keep()
        # The name of an unknown tool is the model's own words.
        logger.info(
            "[Tools] %s: %s in %.0f ms",
            call.name if tool else "(unknown)",
            "error" if result.error else "ok",
            seconds * 1000,
        )
        content.log("[Tools] %s: %s -> %s", call.name, call.arguments, result.content)
        return result

    async def _guarded(self, tool: Tool | None, call: ToolCall, plugin: str) -> ToolResult:
        if tool is None:
            names = ", ".join(spec.name for spec in self.specs)
            return _error(f"There is no tool '{call.name}'. Tools: {names or 'none'}.")
        if call.malformed:
            return _error("The arguments are not a JSON object. Call again with one JSON object.")
        seen = self._results_of(call.name, call.arguments)
        if len(seen) >= 2 and seen[-1] == seen[-2]:
            return _error(
                f"{call.name} was called twice with these arguments and gave the same result both times. "
                "Use that result, or do something else."
            )
        result = await _run(tool, call.arguments, self._context_of(call.id, plugin))
        seen.append(result.content)
        return result

    def _results_of(self, tool: str, arguments: Json) -> list[str]:
        """What the calls of a tool with these arguments have given so far."""
        return self._seen.setdefault(f"{tool} {json.dumps(arguments, sort_keys=True)}", [])

    def _is_parallel(self, call: ToolCall) -> bool:
        tool = self._tools.get(call.name)
        return tool is None or tool.traits.parallel


async def _keep_nothing() -> None:
    """A run that keeps no checkpoint is written at its end."""


async def _run(tool: Tool, arguments: Json, context: ToolContext) -> ToolResult:
    """Validate and run within the tool's time; whatever goes wrong becomes a result for the model to read."""
    limit = tool.traits.timeout_s
    timer = asyncio.timeout(limit)
    try:
        args = _validated(tool.args, arguments)
        async with timer:
            result = await tool.run(args, context)
    except ToolRetry as error:
        return _error(f"{error.message}\nCorrect the arguments and call again.")
    except ToolError as error:
        return _error(error.message)
    except StorageError as error:
        logger.warning("[Tools] %s: no storage: %s", tool.name, error.message)
        return _error(f"{tool.name} failed: {error.message}")
    except TimeoutError:
        if timer.expired():
            return _error(f"{tool.name} took longer than its limit of {limit:g} s and was stopped.")
        logger.exception("[Tools] Tool failed: %s", tool.name)
        return _error(f"{tool.name} failed: TimeoutError.")
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise
        # Nobody cancelled the call: something within the tool was, and it let that out.
        logger.exception("[Tools] Tool failed: %s", tool.name)
        return _error(f"{tool.name} failed: CancelledError.")
    except (Exception, SystemExit) as error:
        # A library that exits must not take the server with it.
        logger.exception("[Tools] Tool failed: %s", tool.name)
        return _error(f"{tool.name} failed: {type(error).__name__}.")
    if isinstance(result, str):
        result = ToolResult(result)
    if isinstance(result, ToolResult) and _is_sound(result):
        return _bounded(result)
    logger.error("[Tools] Tool returned neither text nor a sound ToolResult, but a %s: %s", type(result), tool.name)
    return _error(f"{tool.name} failed: what it returned is no result.")


def _validated(schema: type[BaseModel] | Json, arguments: Json) -> Any:
    """The arguments as the tool wants them; raises ToolRetry that names each field at fault."""
    if isinstance(schema, type):
        try:
            return schema.model_validate(arguments)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, fault['loc'])) or 'input'}: {fault['msg']}" for fault in error.errors())
            raise ToolRetry(f"The arguments are wrong. {'; '.join(faults)}.") from error
    import jsonschema

    try:
        jsonschema.validate(arguments, schema)
    except jsonschema.ValidationError as error:
        place = ".".join(map(str, error.absolute_path)) or "input"
        raise ToolRetry(f"The arguments are wrong. {place}: {error.message}.") from error
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


def _error(message: str) -> ToolResult:
    return ToolResult(f"Error: {message}", error=True)
