"""What a run's agent is given: the task to bid on, and the handles to act through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from agentic.events import Event
from agentic.fitness.fitness import Fitness, Fits
from agentic.fitness.reading import Reading
from agentic.identity.limits import Meter
from agentic.messages import Message
from agentic.models.ask import Ranker
from agentic.models.caller import Caller
from agentic.models.directory import Chosen
from agentic.models.gauge import Gauge
from agentic.models.handle import ModelHandle, Wishes
from agentic.models.window import Window
from agentic.ports.agent import Task
from agentic.ports.model import Sampling, ToolSpec
from agentic.ports.tool import Tool
from agentic.runtime.approval import Gate, Policy, source_in
from agentic.runtime.conversations import Turn
from agentic.runtime.files import RunFiles, nowhere
from agentic.runtime.history import Summariser, Way
from agentic.runtime.journal import Journal
from agentic.runtime.run import AgentRun, LiveRun
from agentic.runtime.spaces import Scope, of_conversation, of_plugin
from agentic.runtime.toolbox import Context, Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Tools by name, their specs, and which plugin ships which agent and tool."""

    tools: Mapping[str, Tool]
    specs: Sequence[ToolSpec]
    agent_plugins: Mapping[str, str]
    tool_plugins: Mapping[str, str]


class Equipment:
    """Makes the handles of runs, each bound to its user. ``rank`` picks tools for models that cannot."""

    def __init__(
        self,
        installed: Installed,
        everything: Scope,
        fitness: Fitness,
        *,
        shortlist: int,
        policy: Policy,
        meter: Meter,
        rank: Ranker | None = None,
        history: Way = "trim",
    ) -> None:
        self._installed = installed
        self._everything = everything
        self._fitness = fitness
        self._shortlist = shortlist
        self._rank = rank or fitness.near
        self._policy = policy
        self._history = history
        self._meter = meter
        self._gauge = Gauge()
        self._untrusted = frozenset(spec.name for spec in installed.specs if spec.untrusted)

    async def task(self, live: LiveRun, chosen: Chosen, turn: Turn, *, bidding: bool) -> Task:
        """What the agents bid on. Where they do not, nothing is judged until somebody looks."""
        asked = next((n for n in range(len(turn.messages) - 1, -1, -1) if turn.messages[n].role == "user"), 0)
        text = turn.messages[asked].text if turn.messages else ""
        choice = live.request.wishes.tool_choice
        reading = Reading(self._fitness, text, turn.messages[:asked])
        if bidding and choice == "auto" and self._installed.specs:
            await reading.settle()
        return Task(
            text=text,
            history=turn.messages[:asked],
            client_tools=live.request.client_tools,
            tool_choice=choice,
            model=chosen.info,
            fit=() if choice == "none" else Fits(lambda: reading.fits),
            read=lambda: reading.shape,
            answer_schema=live.request.wishes.answer_schema,
        )

    def unheard_model(self, live: LiveRun, chosen: Chosen, wishes: Wishes = Wishes()) -> ModelHandle:
        """The model as a router may ask it: counted and logged as any call, but nothing of it reaches the user."""
        return self._model(live, chosen, wishes, Window(chosen.info, self._gauge, _Unheard()), unheard=True)

    async def agent_run(self, live: LiveRun, journal: Journal, chosen: Chosen, task: Task, turn: Turn) -> AgentRun:
        """The chosen agent's run. A client's tool hides a tool of the server that has the same name."""
        wishes = live.request.wishes
        offered = self._offered(live, task)
        window = Window(chosen.info, self._gauge, live.channel, answer=wishes.sampling.max_tokens)
        messages: Sequence[Message] = turn.messages
        if self._history == "summarise":
            brief = Wishes(sampling=Sampling(max_tokens=(chosen.info.context or 0) // 2 or None))
            model = self.unheard_model(live, chosen, brief)
            messages = await Summariser(live, journal.owned.storage, window, model).summarised(messages, offered)
        tools = Toolbox(
            live,
            offered,
            self._installed.tools,
            self._installed.tool_plugins,
            gate=self._gate(live, turn),
            context_of=self._contexts(live, journal.owned),
            keep=journal.flush,
        )
        space = of_plugin(self._everything, live.principal, self._installed.agent_plugins[live.agent])
        journal.began(turn.messages)
        return AgentRun(
            live,
            task=task,
            messages=messages,
            model=self._model(live, chosen, wishes, window),
            tools=tools,
            space=space,
            checkpoint=journal.checkpoint,
        )

    def _model(
        self, live: LiveRun, chosen: Chosen, wishes: Wishes, window: Window, *, unheard: bool = False
    ) -> ModelHandle:
        whole = unheard or live.request.whole
        return ModelHandle(
            Caller(chosen, live.channel, live.budget, refuse=live.refuse, gauge=self._gauge, whole=whole),
            log=_Unheard() if unheard else live.channel,
            window=window,
            wishes=wishes,
            rank=self._rank,
            untrusted=self._untrusted.union(live.replay.untrusted),
            new_call_id=live.new_call_id,
            # What a model says that is asked by its own name is handed on as it is.
            mends=live.request.whole and not live.is_plain,
        )

    def _gate(self, live: LiveRun, turn: Turn) -> Gate:
        """Who lets the run's calls through; what it read before a restart counts on."""
        source = source_in(turn.messages, self._untrusted) or next(iter(live.replay.untrusted), "")
        return Gate(self._policy, live.approvals, live.channel, can_ask=live.request.approvals, source=source)

    def _contexts(self, live: LiveRun, owned: Scope) -> Callable[[str, str], Context]:
        principal = live.principal

        @cache
        def files() -> RunFiles:
            room = partial(self._meter.storing, principal) if live.request.keep else nowhere
            return RunFiles(owned.blobs, live.id, live.channel, room)

        def context_of(call_id: str, plugin: str) -> Context:
            return Context(
                call_id,
                principal,
                space=of_plugin(self._everything, principal, plugin),
                conversation=of_conversation(self._everything, principal, live.session_id, plugin),
                files=files(),
                channel=live.channel,
            )

        return context_of

    def _offered(self, live: LiveRun, task: Task) -> Sequence[ToolSpec]:
        """The server's tools, the fittest of them where there are too many to choose from, and the client's."""
        if task.tool_choice == "none":
            return ()
        ours, client = self._installed.specs, live.request.client_tools
        if live.shortlist is None and len(ours) > self._shortlist:
            live.shortlist = frozenset(fit.tool for fit in task.fit[: self._shortlist])
        if live.shortlist is not None:
            ours = [spec for spec in ours if spec.name in live.shortlist]
        if not client:
            return ours
        taken = {spec.name for spec in client}
        return (*(spec for spec in ours if spec.name not in taken), *client)


class _Unheard:
    """A log for what a router's model says and thinks: none of it is part of the answer."""

    def emit(self, event: Event) -> None:
        """Keep nothing."""

    def note(self, event: Event) -> None:
        """Keep nothing."""
