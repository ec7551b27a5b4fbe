"""A kernel in memory, over a scripted provider of models: no plugin, no disk, no server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from agentic import (
    Agent,
    Bid,
    Fit,
    Message,
    ModelDelta,
    ModelInfo,
    ModelProvider,
    Principal,
    Reply,
    Run,
    Task,
    Tool,
    ToolSpec,
    Usage,
)
from agentic import Router as Chooser
from agentic.errors import AgenticError
from agentic.events import Entry, Event, RunFailed, RunFinished, TextDelta
from agentic.fitness.fitness import Fitness
from agentic.identity.limits import Meter
from agentic.models.caller import Caller
from agentic.models.directory import Chosen, Directory
from agentic.models.gauge import Gauge
from agentic.models.handle import ModelHandle, Wishes
from agentic.models.window import Window
from agentic.runtime.approval import Policy
from agentic.runtime.budget import Budget, Limits
from agentic.runtime.channel import Channel
from agentic.runtime.engine import Engine
from agentic.runtime.equipment import Equipment, Installed
from agentic.runtime.history import Way
from agentic.runtime.presence import Presence
from agentic.runtime.request import RunRequest
from agentic.runtime.router import Router
from agentic.runtime.run import LiveRun
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from agentic.testing.tool import schema_of
from tests.scopes import scope_over

ALICE = Principal("u-alice", "alice")


class ScriptedProvider(ModelProvider):
    """Gives the scripted answers in order: a text, deltas, an error, or a function from the request to one of these."""

    def __init__(self, *answers: Any, name: str = "scripted", infos: Sequence[ModelInfo] = (), **info: Any) -> None:
        self.name = name
        self.answers = list(answers)
        self.requests: list[Any] = []
        self.infos: Any = infos or [
            ModelInfo(**{"id": "m", "tool_mode": "native", "schema": True, "default": True, **info})
        ]
        self.closed = 0
        self.asked = 0

    async def models(self) -> Sequence[ModelInfo]:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.infos, Exception):
            raise self.infos
        return self.infos

    async def stream(self, request: Any) -> AsyncIterator[ModelDelta]:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer(request)
            answer = await answer if isinstance(answer, Awaitable) else answer
        if isinstance(answer, Exception):
            raise answer
        try:
            for delta in deltas(answer) if isinstance(answer, str) else answer:
                await asyncio.sleep(0)
                if isinstance(delta, Exception):
                    raise delta
                yield delta
        finally:
            self.closed += 1

    def remedy(self, model_id: str) -> str:
        return f"Run: pull {model_id}" if model_id else "Run: pull something"


def deltas(text: str, finish: str = "stop") -> list[ModelDelta]:
    """A text as a model streams it, word by word."""
    words = [word if n == 0 else f" {word}" for n, word in enumerate(text.split(" "))]
    return [*(ModelDelta(word) for word in words if word), ModelDelta(finish=finish, usage=Usage(10, 5))]


class ActingAgent(Agent):
    """An agent that does what the function given to it does."""

    description = "Acts as it is told"

    def __init__(self, act: Callable[[Run], Awaitable[None]], name: str = "actor", bid: Any = None) -> None:
        self.name = name
        self._act = act
        self._bid = bid or (lambda _task: Bid(0.5, "always as fit"))

    def bid(self, task: Task) -> Bid:
        found: Bid = self._bid(task)
        return found

    async def run(self, run: Run) -> None:
        await self._act(run)


def spec_of(tool: Tool) -> ToolSpec:
    """The tool as models see it."""
    return ToolSpec(
        tool.name,
        tool.description,
        schema_of(tool),
        tool.traits.examples,
        tool.suggest,
        untrusted=tool.traits.untrusted,
    )


class House:
    """A kernel in memory. ``ask`` opens a run; ``log`` waits for its end and gives its events."""

    def __init__(
        self,
        act: Callable[[Run], Awaitable[None]] | Sequence[Agent],
        *,
        provider: ModelProvider | None = None,
        tools: Sequence[Tool] = (),
        limits: Limits | None = None,
        storage: Any = None,
        blobs: Any = None,
        shortlist: int = 16,
        chooser: Chooser | None = None,
        router_timeout_s: float = 8,
        policy: Policy | None = None,
        lease_s: float = 15,
        history: Way = "trim",
        meter: Meter | None = None,
    ) -> None:
        agents: Mapping[str, Agent] = {agent.name: agent for agent in ([ActingAgent(act)] if callable(act) else act)}
        self.storage = storage or MemoryStorage()
        self.blobs = blobs or MemoryBlobs()
        meter = meter or Meter(self.storage)
        self.everything = everything = scope_over(self.storage, self.blobs)
        self.provider: Any = provider or ScriptedProvider()
        specs = [spec_of(tool) for tool in tools]
        installed = Installed(
            tools={tool.name: tool for tool in tools},
            specs=specs,
            agent_plugins={name: name for name in agents},
            tool_plugins={tool.name: f"plugin-{tool.name}" for tool in tools},
        )
        equipment = Equipment(
            installed,
            everything,
            Fitness(specs, _no_embedder),
            shortlist=shortlist,
            policy=policy or Policy(),
            meter=meter,
            history=history,
        )
        self.chooser: Any = chooser
        router = Router(agents, chooser, timeout_s=router_timeout_s)
        self.presence = Presence(self.storage, lease_s=lease_s)
        self.directory = Directory({self.provider.name: self.provider})
        self.engine = Engine(
            equipment, router, self.directory, everything, limits or Limits(), presence=self.presence, meter=meter
        )

    async def ask(self, text: str = "Hello", *, who: Principal = ALICE, model: str = "agentic", **more: Any) -> LiveRun:
        messages = more.pop("messages", (Message("user", text),))
        return await self.engine.start(RunRequest(model=model, messages=messages, **more), who)

    async def log(self, text: str = "Hello", **more: Any) -> list[Event]:
        """The events of a whole run; exactly one of them, the last, ends it."""
        return events(await (await self.ask(text, **more)).log())

    async def conversation(self, live: LiveRun) -> list[dict[str, Any]]:
        found = await self.engine.conversations(live.principal).read(live.session_id)
        messages: list[dict[str, Any]] = found["messages"]
        return messages


def events(entries: Sequence[Entry]) -> list[Event]:
    """The events of a whole log, whose entries are numbered from 1 on."""
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    ends = [entry for entry in entries if isinstance(entry.event, (RunFinished, RunFailed))]
    assert ends == [entries[-1]], "exactly one last event"
    return [entry.event for entry in entries]


def said(log: Sequence[Event]) -> str:
    """The answer within a log."""
    return "".join(event.text for event in log if isinstance(event, TextDelta))


class ModelBench:
    """A run's model over scripted answers, with the log at hand. ``fits`` are the tools that fit every text."""

    def __init__(
        self,
        *answers: Any,
        wishes: Wishes | None = None,
        fits: Sequence[str] = (),
        untrusted: Sequence[str] = (),
        mends: bool = False,
        **info: Any,
    ) -> None:
        self.provider = ScriptedProvider(*answers, **info)
        self.channel = Channel()
        self.budget = Budget(Limits())
        self.fits = fits
        self._calls = 0
        chosen = Chosen("m", self.provider, self.provider.infos[0])
        gauge = Gauge()
        self.model = ModelHandle(
            Caller(chosen, self.channel, self.budget, refuse=_refuse, gauge=gauge),
            log=self.channel,
            window=Window(chosen.info, gauge, self.channel),
            wishes=wishes or Wishes(),
            rank=self._rank,
            untrusted=frozenset(untrusted),
            new_call_id=self._new_id,
            mends=mends,
        )

    @property
    def requests(self) -> list[Any]:
        return self.provider.requests

    def events(self, kind: type[Event]) -> list[Any]:
        return [entry.event for entry in self.channel.entries if isinstance(entry.event, kind)]

    async def complete(self, *messages: Message | str, **more: Any) -> Reply:
        said = [Message("user", message) if isinstance(message, str) else message for message in messages]
        return await self.model.complete(said or [Message("user", "Hello")], **more)

    async def _rank(self, _text: str, tools: Sequence[ToolSpec]) -> Sequence[Fit]:
        return [Fit(name, 0.9) for name in self.fits if name in {tool.name for tool in tools}]

    def _new_id(self) -> str:
        self._calls += 1
        return f"r-{self._calls}"


async def _refuse(_: AgenticError) -> None:
    return None


async def _no_embedder() -> None:
    return None
