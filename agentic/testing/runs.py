"""An in-memory run, for testing agents offline: the model's replies are scripted, everything the agent does is kept.

Example::

    run = FakeRun("How much is 6 times 7?", replies=[calls(ToolCall("1", "math", {"expression": "6*7"})), "It is 42."],
                  tools={"math": "42"})
    await run.answer(agent)
    assert run.said == "It is 42."
    assert run.tools.called[0].arguments == {"expression": "6*7"}
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from agentic.errors import ToolError
from agentic.events import Citation
from agentic.messages import Json, Message, ToolCall, Usage, dump
from agentic.ports.agent import Agent, Fit, Shape, Task
from agentic.ports.model import ModelInfo, Reply, ToolSpec
from agentic.ports.run import Budget, Run, Tools
from agentic.ports.space import Principal
from agentic.ports.tool import Tool, ToolResult
from agentic.testing.scripted_model import Scripted, ScriptedModel
from agentic.testing.tool import FakeContext, FakeSpace, call, schema_of

__all__ = ["FakeBudget", "FakeCheckpoint", "FakeRun", "FakeTools", "ScriptedModel", "calls", "client_tool", "make_task"]

Outcome = str | ToolResult | Exception | Tool | Callable[[ToolCall], str | ToolResult | Awaitable[str | ToolResult]]
"""What a scripted tool does: give this result, raise this, or be this tool or function."""

ANY_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": True}


def calls(*wanted: ToolCall, text: str = "") -> Reply:
    """A model's reply that calls tools."""
    return Reply(text, calls=wanted, finish="tool_calls", usage=Usage(10, 5))


def client_tool(name: str, description: str = "A tool of the client's") -> ToolSpec:
    """A tool that the client runs itself."""
    return ToolSpec(name, description, ANY_ARGUMENTS, client=True)


def make_task(
    text: str,
    *,
    history: Sequence[Message] = (),
    client_tools: Sequence[ToolSpec] = (),
    tool_choice: str = "auto",
    model: ModelInfo | None = None,
    fit: Sequence[Fit] = (),
    read: Callable[[], Shape] = Shape,
) -> Task:
    """A task with everything but its text left at what is usual."""
    return Task(
        text=text,
        history=history,
        client_tools=client_tools,
        tool_choice=tool_choice,
        model=model or ModelInfo(id="scripted", tool_mode="native", schema=True, context=8192, default=True),
        fit=fit,
        read=read,
    )


@dataclass(slots=True)
class FakeBudget(Budget):
    """Counts, and limits nothing."""

    usage: Usage = Usage()
    tool_calls: int = 0
    model_calls: int = 0


class FakeTools(Tools):
    """Scripted tools by name; ``called`` keeps every call in its order, ``handed_over`` those of the client's tools."""

    def __init__(self, outcomes: Mapping[str, Outcome], client_tools: Sequence[ToolSpec], budget: Budget) -> None:
        self.outcomes = dict(outcomes)
        self.specs = [*(_spec(name, outcome) for name, outcome in outcomes.items()), *client_tools]
        self.called: list[ToolCall] = []
        self.handed_over: tuple[ToolCall, ...] = ()
        self.results: dict[str, ToolResult] = {}
        self._logged: Mapping[str, ToolResult] = {}
        self._budget = budget

    def know(self, logged: Mapping[str, ToolResult]) -> None:
        """Answer the calls with these ids from the log, as the kernel does after a restart."""
        self._logged = logged

    async def call(self, calls: Sequence[ToolCall]) -> Sequence[ToolResult]:
        """Run the server's calls side by side; calls of the client's then end the run, as in the kernel."""
        clients = {spec.name for spec in self.specs if spec.client}
        ours = [wanted for wanted in calls if wanted.name not in clients]
        fresh = [wanted for wanted in ours if wanted.id not in self._logged]
        self.called += fresh
        self._budget.tool_calls += len(fresh)
        ran = iter(await asyncio.gather(*(self._run(wanted) for wanted in fresh)))
        results = [self._logged.get(wanted.id) or next(ran) for wanted in ours]
        self.results.update({wanted.id: result for wanted, result in zip(ours, results, strict=True)})
        self.handed_over = tuple(wanted for wanted in calls if wanted.name in clients)
        if self.handed_over:
            raise asyncio.CancelledError
        return results

    async def _run(self, wanted: ToolCall) -> ToolResult:
        outcome = self.outcomes.get(wanted.name)
        if outcome is None:
            return ToolResult(f"There is no tool called {wanted.name}.", error=True)
        try:
            found = await _perform(outcome, wanted)
        except ToolError as error:
            return ToolResult(error.message, error=True)
        except Exception as error:  # noqa: BLE001 — whatever a tool raises is an observation, as in the kernel
            return ToolResult(f"{wanted.name} failed: {error}", error=True)
        return ToolResult(found) if isinstance(found, str) else found


@dataclass(frozen=True, slots=True)
class FakeCheckpoint:
    """A checkpoint and what had happened by then: model calls, pieces of the answer, results of tools by call id."""

    data: Json
    asked: int
    pieces: tuple[str, ...]
    results: Mapping[str, ToolResult]


class FakeRun(Run):
    """One run for one agent, with everything in memory.

    ``replies`` are the model's, in order: see :class:`agentic.testing.scripted_model.ScriptedModel`. ``tools`` are
    the server's, by name. Kept for the test: ``said``, ``drafts``, ``thought``, ``citations``, ``steps`` as ``(step,
    title, state)``, ``model.requests``, ``tools.called``, ``tools.handed_over``, ``checkpoints``. ``restored`` is the
    state that the agent goes on from; :meth:`after` makes the run that goes on after one of the checkpoints.
    """

    def __init__(
        self,
        text: str = "What is the answer?",
        *,
        replies: Iterable[Scripted] = (),
        tools: Mapping[str, Outcome] | None = None,
        client_tools: Sequence[ToolSpec] = (),
        history: Sequence[Message] = (),
        task: Task | None = None,
        options: Mapping[str, Any] | None = None,
        restored: Json | None = None,
    ) -> None:
        self.id = "run-1"
        self.restored = restored
        self.principal = Principal("user-1", "alice")
        self.space = FakeSpace()
        self.options = options or {}
        self.budget = FakeBudget()
        self.replies = list(replies)
        self.tools = FakeTools(tools or {}, client_tools, self.budget)
        self.task = task or make_task(text, history=history, client_tools=client_tools, fit=_fits(tools or {}))
        self.messages = [*self.task.history, Message("user", self.task.text)]
        self.model = ScriptedModel(self.replies, info=self.task.model, say=self.say, budget=self.budget)
        self.thought = ""
        self.pieces: list[str] = []
        self.drafts: list[str] = []
        self.citations: list[Citation] = []
        self.steps: list[tuple[str, str, str]] = []
        self.checkpoints: list[FakeCheckpoint] = []

    @property
    def said(self) -> str:
        """The answer so far."""
        return "".join(self.pieces)

    def say(self, text: str) -> None:
        """Add to ``said``; ``pieces`` keeps how it came."""
        self.pieces.append(text)

    def notice(self, text: str) -> None:
        """Add it below the answer, as for a client that reads prose."""
        self.pieces.append(f"\n\n{text}" if self.pieces else text)

    def draft(self, text: str) -> None:
        """Keep it in ``drafts``."""
        self.drafts.append(text)

    def think(self, text: str) -> None:
        """Add to ``thought``."""
        self.thought += text

    def cite(self, citation: Citation) -> None:
        """Keep it in ``citations``."""
        self.citations.append(citation)

    def progress(self, step: str, title: str, state: str) -> None:
        """Keep it in ``steps``."""
        self.steps.append((step, title, state))

    async def checkpoint(self, data: Json) -> None:
        """Keep it in ``checkpoints``, as it comes back from storage. Raises TypeError for what is no JSON object."""
        if not isinstance(data, dict):
            raise TypeError(f"a checkpoint is a JSON object, not {type(data).__name__}")
        kept = json.loads(dump(data))
        asked, results = len(self.model.requests), dict(self.tools.results)
        self.checkpoints.append(FakeCheckpoint(kept, asked, tuple(self.pieces), results))

    def after(self, checkpoint: FakeCheckpoint) -> FakeRun:
        """The run that goes on after a restart: the model's later replies, the answer so far, and the finished calls.

        The tool calls that had been finished by the checkpoint are answered from the log.
        """
        run = FakeRun(
            replies=self.replies[checkpoint.asked :],
            tools=self.tools.outcomes,
            client_tools=self.task.client_tools,
            task=self.task,
            options=self.options,
            restored=checkpoint.data,
        )
        run.pieces += checkpoint.pieces
        run.tools.know(checkpoint.results)
        return run

    async def answer(self, agent: Agent, *, timeout_s: float = 20) -> str:
        """Let the agent run and return what it said; a run that was handed over to the client ends well.

        Raises whatever the agent raises, and TimeoutError after ``timeout_s`` seconds.
        """
        try:
            await asyncio.wait_for(agent.run(self), timeout_s)
        except asyncio.CancelledError:
            if not self.tools.handed_over:
                raise
        return self.said


def _spec(name: str, outcome: Outcome) -> ToolSpec:
    if not _is_tool(outcome):
        return ToolSpec(name, f"The scripted tool {name}", ANY_ARGUMENTS)
    traits = outcome.traits
    return ToolSpec(
        name,
        outcome.description,
        schema_of(outcome),
        traits.examples,
        outcome.suggest,
        untrusted=traits.untrusted,
        parallel=traits.parallel,
    )


def _is_tool(outcome: Outcome) -> TypeGuard[Tool]:
    """A tool made from a function can be called as well, so ``callable`` does not tell."""
    return hasattr(outcome, "traits") and hasattr(outcome, "run")


async def _perform(outcome: Outcome, wanted: ToolCall) -> str | ToolResult:
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, (str, ToolResult)):
        return outcome
    if _is_tool(outcome):
        return await call(outcome, wanted.arguments, FakeContext(call_id=wanted.id))
    assert callable(outcome)
    found = outcome(wanted)
    return found if isinstance(found, (str, ToolResult)) else await found


def _fits(tools: Mapping[str, Outcome]) -> tuple[Fit, ...]:
    """Every scripted tool fits, one as well as the next."""
    return tuple(Fit(name, 0.8) for name in tools)
