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
from agentic.errors import AgenticError, BudgetExceeded, RunEnded, StorageError, ToolError, ToolRetry
from agentic.events import Citation, CitationAdded, File, HandedOver, Progress, ToolCallFinished, ToolCallStarted
from agentic.messages import Json, ToolCall
from agentic.ports.model import ToolSpec
from agentic.ports.run import Tools
from agentic.ports.space import Principal, Space
from agentic.ports.tool import Tool, ToolContext, ToolResult, Traits
from agentic.runtime.approval import Gate
from agentic.runtime.budget import Budget
from agentic.runtime.channel import Channel
from agentic.runtime.files import RunFiles

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
    client must go on; ``claim`` gives a call for the client an id that tells of this run, where it has none;
    ``refuse`` is awaited before an error is raised because of a limit, or after the end.
    """

    def __init__(
        self,
        specs: Sequence[ToolSpec],
        tools: Mapping[str, Tool],
        *,
        channel: Channel,
        budget: Budget,
        gate: Gate,
        context_of: Callable[[str, str], ToolContext],
        plugin_of: Callable[[str], str],
        hand_over: Callable[[], None],
        refuse: Callable[[AgenticError], Awaitable[None]],
        claim: Callable[[ToolCall], ToolCall] = lambda call: call,
    ) -> None:
        self.specs = specs
        self._tools = {spec.name: tools[spec.name] for spec in specs if not spec.client}
        self._client = {spec.name for spec in specs if spec.client}
        self._channel = channel
        self._budget = budget
        self._gate = gate
        self._context_of = context_of
        self._plugin_of = plugin_of
        self._hand_over = hand_over
        self._claim = claim
        self._refuse = refuse
        self._seen: dict[str, list[str]] = {}
        self._handed: list[ToolCall] = []
        self._at_work = 0
        self._idle = asyncio.Event()

    async def call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        """See :class:`agentic.ports.run.Tools`."""
        try:
            return await self._call(calls)
        except (BudgetExceeded, RunEnded) as error:
            await self._refuse(error)
            raise

    async def _call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        if not calls:
            # An agent that calls nothing for ever lets the others work.
            await asyncio.sleep(0)
        ours = [call for call in calls if call.name not in self._client]
        theirs = tuple(call for call in calls if call.name in self._client)
        self._budget.take_tool_calls(len(ours))
        self._at_work += 1
        self._idle.clear()
        try:
            results = await self._run_all(ours)
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._idle.set()
        if theirs:
            await self._give(theirs)
        return results

    async def _give(self, theirs: Sequence[ToolCall]) -> None:
        """Hand calls to the client and wait for the run's end.

        An agent may have called other tools side by side with these: what they return is needed to go on, and what of
        them is the client's goes to it together with these.
        """
        self._handed += map(self._claim, theirs)
        # Those that were begun together with this call have not all had their turn yet.
        await asyncio.sleep(0)
        while self._at_work:
            await self._idle.wait()
        if self._handed:
            handed, self._handed = tuple(self._handed), []
            self._channel.emit(HandedOver(handed))
            self._hand_over()
        await asyncio.get_running_loop().create_future()

    async def _run_all(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        # What these calls bring in cannot have led to them.
        source = self._gate.source
        if len(calls) == 1:
            return [await self._observe(calls[0], source)]
        results: dict[int, ToolResult] = {}
        together = [n for n, call in enumerate(calls) if self._is_parallel(call)]
        done = await asyncio.gather(*(self._observe(calls[n], source) for n in together))
        results.update(zip(together, done, strict=True))
        for n, call in enumerate(calls):
            if n not in results:
                results[n] = await self._observe(call, source)
        return [results[n] for n in range(len(calls))]

    async def _observe(self, call: ToolCall, source: str) -> ToolResult:
        """Run one call between its two events."""
        tool = self._tools.get(call.name)
        traits = tool.traits if tool else Traits()
        plugin = self._plugin_of(call.name) if tool else ""
        self._channel.emit(
            ToolCallStarted(call.id, call.name, call.arguments, plugin, traits.risk, untrusted=traits.untrusted)
        )
        began, admitted = time.perf_counter(), False

        async def admit(key: str) -> None:
            nonlocal began, admitted
            try:
                await self._gate.admit(call, traits, source, key)
                admitted = True
            finally:
                # The time that a person takes is not the tool's.
                began = time.perf_counter()

        result = await self._guarded(tool, call, plugin, admit)
        seconds = time.perf_counter() - began
        if admitted:
            self._gate.has_read(call.name, traits)
        self._channel.emit(ToolCallFinished(call.id, call.name, result.content, result.error, round(seconds, 6)))
        for citation in result.citations:
            self._channel.emit(CitationAdded(citation))
        # The name of an unknown tool is the model's own words.
        logger.info(
            "[Tools] %s: %s in %.0f ms",
            call.name if tool else "(unknown)",
            "error" if result.error else "ok",
            seconds * 1000,
        )
        content.log("[Tools] %s: %s -> %s", call.name, call.arguments, result.content)
        return result

    async def _guarded(
        self, tool: Tool | None, call: ToolCall, plugin: str, admit: Callable[[str], Awaitable[None]]
    ) -> ToolResult:
        if tool is None:
            names = ", ".join(spec.name for spec in self.specs)
            return _error(f"There is no tool '{call.name}'. Tools: {names or 'none'}.")
        if call.malformed:
            return _error("The arguments are not a JSON object. Call again with one JSON object.")
        key = f"{call.name} {json.dumps(call.arguments, sort_keys=True)}"
        seen = self._seen.setdefault(key, [])
        if len(seen) >= 2 and seen[-1] == seen[-2]:
            return _error(
                f"{call.name} was called twice with these arguments and gave the same result both times. "
                "Use that result, or do something else."
            )
        result = await _run(tool, call.arguments, self._context_of(call.id, plugin), lambda: admit(key))
        seen.append(result.content)
        return result

    def _is_parallel(self, call: ToolCall) -> bool:
        tool = self._tools.get(call.name)
        return tool is None or tool.traits.parallel


async def _run(tool: Tool, arguments: Json, context: ToolContext, admit: Callable[[], Awaitable[None]]) -> ToolResult:
    """Validate, wait until the call is admitted, and run within the tool's time.

    Whatever goes wrong becomes a result for the model to read.
    """
    limit = tool.traits.timeout_s
    timer = asyncio.timeout(limit)
    try:
        args = _validated(tool.args, arguments)
        await admit()
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
