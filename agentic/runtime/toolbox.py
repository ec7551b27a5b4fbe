"""The tools of one run: validated, limited, guarded against loops, run in parallel, and recorded."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from agentic import content
from agentic.errors import BudgetExceeded, RunEnded
from agentic.events import CitationAdded, File, HandedOver, Progress, ToolCallFinished, ToolCallStarted
from agentic.messages import Json, ToolCall
from agentic.ports.model import ToolSpec
from agentic.ports.run import Tools
from agentic.ports.space import Principal, Space
from agentic.ports.tool import Tool, ToolContext, ToolResult, Traits
from agentic.runtime.approval import Gate
from agentic.runtime.channel import Channel
from agentic.runtime.files import RunFiles
from agentic.runtime.run import LiveRun
from agentic.runtime.tool_call import failing, perform, wrong

logger = logging.getLogger(__name__)


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
    """The server's tools by name beside the client's, as one run may call them.

    ``plugins`` tells which plugin ships a tool; ``context_of`` makes the context of a call from its id and that plugin;
    ``keep`` writes the log of a run that shall outlive its server.
    """

    def __init__(
        self,
        live: LiveRun,
        specs: Sequence[ToolSpec],
        tools: Mapping[str, Tool],
        plugins: Mapping[str, str],
        *,
        gate: Gate,
        context_of: Callable[[str, str], ToolContext],
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        self.specs = specs
        self._live = live
        self._channel = live.channel
        self._tools = {spec.name: tools[spec.name] for spec in specs if not spec.client}
        self._plugins = plugins
        self._client = {spec.name for spec in specs if spec.client}
        self._gate = gate
        self._context_of = context_of
        self._keep = keep
        self._seen: dict[str, list[str]] = {}
        for past in live.replay.finished():
            self._results_of(_key(past.tool, past.arguments)).append(past.result)
        self._handed: list[ToolCall] = []
        self._at_work = 0
        self._idle = asyncio.Event()

    async def call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        """See :class:`agentic.ports.run.Tools`."""
        try:
            return await self._call(calls)
        except (BudgetExceeded, RunEnded) as error:
            await self._live.refuse(error)
            raise

    async def _call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        if not calls:
            # An agent that calls nothing for ever lets the others work.
            await asyncio.sleep(0)
        ours = [call for call in calls if call.name not in self._client]
        theirs = tuple(call for call in calls if call.name in self._client)
        known = [self._recall(call) for call in ours]
        fresh = [call for call, result in zip(ours, known, strict=True) if result is None]
        self._live.budget.take_tool_calls(len(fresh))
        self._at_work += 1
        self._idle.clear()
        try:
            ran = iter(await self._run_all(fresh))
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._idle.set()
        results = [result or next(ran) for result in known]
        if theirs:
            await self._give(theirs)
        return results

    def _recall(self, call: ToolCall) -> ToolResult | None:
        """What the log knows of a call; None for one that is to be run, for the first time or again."""
        logged = self._live.replay.find(call)
        if logged is None or logged.waits:
            return None
        if logged.end is not None:
            return ToolResult(logged.end.result, error=logged.end.error)
        tool = self._tools.get(call.name)
        if tool is None or tool.traits.idempotent:
            return None
        cut = failing(
            f"{call.name} was cut off when the server ended: it may have happened, wholly or in part, or not at all. "
            "It was not repeated. Find out what happened before you call it again."
        )
        self._channel.emit(ToolCallFinished(logged.id, call.name, cut.content, error=True))
        return cut

    async def _give(self, theirs: Sequence[ToolCall]) -> None:
        """Hand calls to the client and wait for the run's end.

        An agent may have called other tools side by side with these: what they return is needed to go on, and what of
        them is the client's goes to it together with these.
        """
        self._handed += map(self._live.claim, theirs)
        # Those that were begun together with this call have not all had their turn yet.
        await asyncio.sleep(0)
        while self._at_work:
            await self._idle.wait()
        if self._handed:
            handed, self._handed = tuple(self._handed), []
            self._channel.emit(HandedOver(handed))
            self._live.end("tool_calls", "")
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
        plugin = self._plugins[call.name] if tool else ""
        self._channel.emit(
            ToolCallStarted(call.id, call.name, call.arguments, plugin, traits.risk, untrusted=traits.untrusted)
        )
        began, admitted = time.perf_counter(), False

        async def admit(key: str) -> None:
            nonlocal began, admitted
            try:
                await self._gate.admit(call, traits, source, key)
                admitted = True
                if not traits.idempotent:
                    # Only from here on may it have happened: one that still waited is asked about again.
                    await self._keep()
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

    async def _guarded(
        self, tool: Tool | None, call: ToolCall, plugin: str, admit: Callable[[str], Awaitable[None]]
    ) -> ToolResult:
        if tool is None:
            names = ", ".join(spec.name for spec in self.specs)
            return failing(f"There is no tool '{call.name}'. Tools: {names or 'none'}.")
        if call.malformed:
            return wrong("the arguments are not a JSON object.")
        key = _key(call.name, call.arguments)
        seen = self._results_of(key)
        if len(seen) >= 2 and seen[-1] == seen[-2]:
            return failing(
                f"{call.name} was called twice with these arguments and gave the same result both times. "
                "Use that result, or do something else."
            )
        result = await perform(tool, call.arguments, self._context_of(call.id, plugin), lambda: admit(key))
        seen.append(result.content)
        return result

    def _results_of(self, key: str) -> list[str]:
        """What equal calls have given so far."""
        return self._seen.setdefault(key, [])

    def _is_parallel(self, call: ToolCall) -> bool:
        tool = self._tools.get(call.name)
        return tool is None or tool.traits.parallel


def _key(tool: str, arguments: Json) -> str:
    """What equal calls have in common."""
    return f"{tool} {json.dumps(arguments, sort_keys=True)}"
