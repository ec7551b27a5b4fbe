"""A run with a checkpoint goes on in another process: two kernels over one storage, the first of them gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest

from agentic import Agent, Message, Run, Sampling, StorageError, ToolCall, ToolSpec, tool
from agentic.events import (
    Checkpointed,
    Decided,
    Entry,
    Event,
    Resumed,
    RunFailed,
    RunFinished,
    ToolCallFinished,
    ToolCallStarted,
    entry_from_json,
)
from agentic.identity.users import Users
from agentic.models.handle import Wishes
from agentic.runtime.budget import Limits
from agentic.runtime.journal import OPEN
from agentic.runtime.presence import PREFIX as SERVERS
from agentic.runtime.request import RunRequest, request_from_json, request_to_json
from agentic.runtime.restart import Restart
from agentic.runtime.resume import MOST_TRIES
from agentic.runtime.run import LiveRun
from agentic.runtime.spaces import Scope
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE, ActingAgent, House, ScriptedProvider

LEASE_S = 0.2
Act = Callable[[Run], Awaitable[None]]


class Gone(BaseException):
    """Thrown where a process ends."""


class Killable(MemoryStorage):
    """One process's way to a storage that it shares with others. Killed, it reaches nothing any more."""

    def __init__(self, shared: MemoryStorage | None = None) -> None:
        super().__init__()
        self.killed = False
        self.failing: set[str] = set()
        if shared is not None:
            self._documents, self._logs, self._waiting = shared._documents, shared._logs, shared._waiting

    async def _reach(self, key: str) -> None:
        if self.killed:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if any(part in key for part in self.failing):
            raise StorageError("the disk is full")

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        await self._reach(key)
        return await super().save(key, value, if_version=if_version)

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        await self._reach(key)
        return await super().append(key, items, if_length=if_length)

    async def delete(self, key: str) -> bool:
        await self._reach(key)
        return await super().delete(key)


class Server:
    """A kernel in memory that looks for what others have left, as ``agentic serve`` does."""

    def __init__(self, act: Act | Sequence[Agent], beside: Server | None = None, **more: Any) -> None:
        self.storage = Killable(beside.storage if beside else None)
        self.house = House(act, storage=self.storage, lease_s=LEASE_S, **more)
        everything = Scope(self.storage, self.house.blobs)
        self.restart = Restart(self.house.engine, everything, self.house.presence, Users(self.storage), 600)

    def kill(self) -> None:
        """End it as SIGKILL would: it writes nothing any more, and gives no sign of life."""
        self.storage.killed = True
        presence = self.house.presence
        if presence._beating is not None:
            presence._beating.cancel()
        stored, version, _ = self.storage._documents.get(SERVERS + presence.id, ("{}", 1, 0.0))
        self.storage._documents[SERVERS + presence.id] = (stored, version, time.time() - 2 * LEASE_S)

    async def finish(self, live_id: str, within_s: float = 5) -> list[Event]:
        """Look for what was left, and wait for the end of a run; its stored events."""
        async with asyncio.timeout(within_s):
            while True:
                await self.restart.look()
                if await self.storage.load(OPEN + live_id) is None:
                    return await self.trace(live_id)
                await asyncio.sleep(0.02)

    async def trace(self, run_id: str) -> list[Event]:
        """The stored events, numbered upwards, with at most one last event."""
        entries: list[Entry] = [entry_from_json(item) for item in await self.house.engine.get_trace(run_id, ALICE)]
        numbers = [entry.number for entry in entries]
        assert numbers == sorted(set(numbers))
        # The first one holds wall time.
        seconds = [entry.at for entry in entries[1:]]
        assert seconds == sorted(seconds)
        ends = [entry for entry in entries if isinstance(entry.event, (RunFinished, RunFailed))]
        assert ends == [entries[-1]]
        return [entry.event for entry in entries]

    async def answers(self, live: LiveRun) -> list[tuple[str, bool]]:
        """The answers in the conversation: text, and whether it is marked incomplete."""
        messages = await self.house.conversation(live)
        return [(one["content"], bool(one.get("incomplete"))) for one in messages if one["role"] == "assistant"]


@pytest.fixture
def hung() -> asyncio.Event:
    """Set once an agent or a tool hangs in the middle of its work."""
    return asyncio.Event()


def kinds(log: Sequence[Event]) -> list[type[Event]]:
    return [type(event) for event in log]


async def killed(server: Server, hung: asyncio.Event, **more: Any) -> LiveRun:
    """A run of a server that was killed while it hung."""
    live = await server.house.ask(**more)
    await asyncio.wait_for(hung.wait(), 5)
    server.kill()
    return live


def two_halves(hung: asyncio.Event) -> Act:
    """Says one half, keeps a checkpoint, and hangs; restored, it says the other."""

    async def act(run: Run) -> None:
        if run.restored is None:
            run.say("One half, ")
            await run.checkpoint({"said": ["one half"]})
            run.say("and what nobody hears")
            hung.set()
            await asyncio.Event().wait()
        assert run.restored == {"said": ["one half"]}
        run.say("the other half.")

    return act


async def test_run_goes_on_from_its_checkpoint(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await killed(first, hung)
    second = Server(two_halves(hung), first)
    log = await second.finish(live.id)
    assert Checkpointed in kinds(log) and Resumed in kinds(log)
    assert [event.reason for event in log if isinstance(event, Decided)][1] == "it was at work when its server ended"
    assert await second.answers(live) == [("One half, the other half.", False)]
    assert [key for key in second.storage._documents if OPEN in key or "/checkpoint" in key or "/request" in key] == []


async def test_run_without_a_checkpoint_writes_as_often_as_ever() -> None:
    class Counting(MemoryStorage):
        writes: ClassVar[list[str]] = []

        async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
            self.writes.append(key)
            return await super().save(key, value, if_version=if_version)

        async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
            self.writes.append(key)
            return await super().append(key, items, if_length=if_length)

    @tool(examples=["Note it"], idempotent=False)
    async def note() -> str:
        """Note it."""
        return "noted"

    async def act(run: Run) -> None:
        await run.tools.call([ToolCall(f"{run.id}-1", "note", {})])
        run.say("Done.")

    house = House(act, storage=Counting(), tools=[note])
    await house.log()
    own = [key.split("/")[2] for key in Counting.writes if key.startswith("spaces/")]
    assert sorted(own) == ["conversations", "conversations", "runs"]
    assert {key.split("/")[0] for key in Counting.writes} == {"spaces", "servers"}


async def test_text_said_after_the_checkpoint_is_in_the_log_and_not_in_the_answer(hung: asyncio.Event) -> None:
    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"n": 1})
            run.say("Lost. ")
            await run.tools.call([ToolCall(f"{run.id}-1", "look", {})])
            hung.set()
            await asyncio.Event().wait()
        run.say("Found.")

    @tool(examples=["Look"])
    async def look() -> str:
        """Look."""
        return "seen"

    first = Server(act, tools=[look])
    live = await killed(first, hung)
    second = Server(act, first, tools=[look])
    log = await second.finish(live.id)
    texts = [getattr(event, "text", "") for event in log if event.type == "text_delta"]
    assert texts == ["Lost. ", "Found."]
    assert await second.answers(live) == [("Found.", False)]


async def test_finished_call_is_answered_from_the_log(hung: asyncio.Event) -> None:
    ran: list[str] = []

    @tool(examples=["Look"])
    async def look(what: str) -> str:
        """Look."""
        ran.append(what)
        return f"{what} seen"

    async def act(run: Run) -> None:
        call = ToolCall(f"{run.id}-1", "look", {"what": "sea"})
        if run.restored is None:
            await run.checkpoint({"open": 1})
        [result] = await run.tools.call([call])
        if run.restored is None:
            hung.set()
            await asyncio.Event().wait()
        run.say(result.content)

    first = Server(act, tools=[look])
    live = await killed(first, hung)
    second = Server(act, first, tools=[look])
    log = await second.finish(live.id)
    assert ran == ["sea"]
    assert kinds(log).count(ToolCallStarted) == kinds(log).count(ToolCallFinished) == 1
    assert await second.answers(live) == [("sea seen", False)]


@pytest.mark.parametrize("asks_again", [False, True])
async def test_call_that_must_not_be_repeated_is_not(hung: asyncio.Event, asks_again: bool) -> None:
    """Neither by its id, nor when the model is asked again and makes the same call under a new id."""
    ran: list[str] = []

    @tool(risk="write", examples=["Pay"], idempotent=False)
    async def pay(amount: int) -> str:
        """Pay."""
        ran.append(f"paid {amount}")
        hung.set()
        await asyncio.Event().wait()
        return "never"

    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"step": 1})
        again = run.restored is not None and asks_again
        [result] = await run.tools.call([ToolCall(f"{run.id}-{2 if again else 1}", "pay", {"amount": 5})])
        run.say(result.content)

    first = Server(act, tools=[pay])
    live = await killed(first, hung)
    second = Server(act, first, tools=[pay])
    log = await second.finish(live.id)
    assert ran == ["paid 5"]
    [(text, incomplete)] = await second.answers(live)
    assert "may have happened" in text and not incomplete
    [ended] = [event for event in log if isinstance(event, ToolCallFinished)]
    assert ended.error and ended.id == f"{live.id}-1"


async def test_call_that_was_cut_off_and_may_be_repeated_is(hung: asyncio.Event) -> None:
    ran: list[int] = []

    @tool(examples=["Look"])
    async def look() -> str:
        """Look."""
        ran.append(1)
        if len(ran) == 1:
            hung.set()
            await asyncio.Event().wait()
        return "seen"

    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"step": 1})
        [result] = await run.tools.call([ToolCall(f"{run.id}-1", "look", {})])
        run.say(result.content)

    first = Server(act, tools=[look])
    live = await killed(first, hung)
    second = Server(act, first, tools=[look])
    await second.finish(live.id)
    assert len(ran) == 2
    assert await second.answers(live) == [("seen", False)]


async def test_budget_counts_on(hung: asyncio.Event) -> None:
    async def act(run: Run) -> None:
        await run.model.complete([Message("user", "one")])
        if run.restored is None:
            await run.checkpoint({"n": 1})
            hung.set()
            await asyncio.Event().wait()
        await run.model.complete([Message("user", "two")])
        run.say(f"{run.budget.model_calls} calls")

    provider = ScriptedProvider("a", "b", "c", "d")
    limits = Limits(model_calls=2)
    first = Server(act, provider=provider, limits=limits)
    live = await killed(first, hung)
    second = Server(act, first, provider=provider, limits=limits)
    log = await second.finish(live.id)
    last = log[-1]
    assert isinstance(last, RunFinished) and last.reason == "length"
    assert last.usage.total == 30
    assert "RUN_MAX_MODEL_CALLS" in (await second.answers(live))[0][0]


async def test_seconds_count_on(hung: asyncio.Event) -> None:
    async def act(run: Run) -> None:
        if run.restored is None:
            await asyncio.sleep(0.3)
            await run.checkpoint({"n": 1})
            hung.set()
        await asyncio.Event().wait()

    limits = Limits(seconds=0.5)
    first = Server(act, limits=limits)
    live = await killed(first, hung)
    second = Server(act, first, limits=limits)
    began = time.monotonic()
    log = await second.finish(live.id)
    assert time.monotonic() - began < 0.45
    assert isinstance(log[-1], RunFinished) and log[-1].reason == "length"


async def test_uninstalled_agent_ends_its_run_with_a_clear_error(hung: asyncio.Event) -> None:
    first = Server([ActingAgent(two_halves(hung), name="planner")])
    live = await killed(first, hung)
    second = Server([ActingAgent(two_halves(hung), name="other")], first)
    last = (await second.finish(live.id))[-1]
    assert isinstance(last, RunFailed)
    assert "'planner' is not installed" in last.message
    assert await second.answers(live) == [("One half, ", True)]


async def test_run_of_a_user_who_was_disabled_is_ended(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await killed(first, hung)
    second = Server(two_halves(hung), first)
    user = {"id": ALICE.id, "name": "alice", "role": "user", "disabled": True, "token_version": 2, "created_at": 0.0}
    await second.storage.save(f"users/{ALICE.id}", user)
    last = (await second.finish(live.id))[-1]
    assert isinstance(last, RunFailed) and last.code == "forbidden"


async def test_run_that_ends_every_server_is_tried_twice(hung: asyncio.Event) -> None:
    tries: list[Any] = []

    async def act(run: Run) -> None:
        tries.append(run.restored)
        if run.restored is None:
            await run.checkpoint({"n": 1})
        hung.set()
        await asyncio.Event().wait()

    server = Server(act)
    live = await killed(server, hung)
    for _ in range(MOST_TRIES):
        hung.clear()
        server = Server(act, server)
        await server.restart.look()
        await asyncio.wait_for(hung.wait(), 5)
        server.kill()
    last = (await Server(act, server).finish(live.id))[-1]
    assert isinstance(last, RunFailed) and f"{MOST_TRIES} times" in last.message
    assert tries == [None, {"n": 1}, {"n": 1}]


async def test_two_servers_do_not_both_go_on(hung: asyncio.Event) -> None:
    goes_on: list[str] = []

    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"n": 1})
            hung.set()
            await asyncio.Event().wait()
        goes_on.append(run.id)
        await asyncio.sleep(0.1)
        run.say("once")

    first = Server(act)
    live = await killed(first, hung)
    others = [Server(act, first) for _ in range(3)]
    await asyncio.gather(*(other.finish(live.id) for other in others))
    assert goes_on == [live.id]
    assert await others[0].answers(live) == [("once", False)]


async def test_run_of_a_living_server_is_left_to_it(hung: asyncio.Event) -> None:
    go = asyncio.Event()

    async def act(run: Run) -> None:
        assert run.restored is None
        await run.checkpoint({"n": 1})
        hung.set()
        await go.wait()
        run.say("mine")

    first = Server(act)
    live = await first.house.ask()
    await hung.wait()
    second = Server(act, first)
    await second.restart.look()
    await asyncio.sleep(3 * LEASE_S)
    go.set()
    await live.log()
    assert await first.answers(live) == [("mine", False)]
    assert Resumed not in kinds(await second.finish(live.id))
    await second.house.engine.aclose()


async def test_server_that_was_taken_for_gone_writes_nothing_more(hung: asyncio.Event) -> None:
    go = asyncio.Event()

    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"n": 1})
            hung.set()
            await go.wait()
            run.say("too late")
        run.say("taken over")

    first = Server(act)
    live = await first.house.ask()
    await hung.wait()
    first.kill()
    second = Server(act, first)
    log = await second.finish(live.id)
    first.storage.killed = False
    go.set()
    last = (await asyncio.wait_for(live.log(), 5))[-1].event
    assert isinstance(last, RunFailed) and "Another server" in last.message
    assert await second.trace(live.id) == log
    assert await second.answers(live) == [("taken over", False)]


async def test_new_request_of_the_session_waits_for_the_run_that_goes_on(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await killed(first, hung)

    async def act(run: Run) -> None:
        if run.restored is None:
            run.say(f"I see: {run.messages[-2].text}")
        else:
            await asyncio.sleep(0.1)
            run.say("the other half.")

    second = Server(act, first)
    await second.restart.look()
    answered = await second.house.log("And now?", session_id=live.session_id)
    assert "I see: One half, the other half." in str(answered)


async def test_server_that_stops_leaves_the_run_to_the_next(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await first.house.ask()
    await hung.wait()
    first.house.engine.suspend_all()
    last = (await live.log())[-1].event
    assert isinstance(last, RunFailed) and last.code == "cancelled" and "when it is started again" in last.message
    await first.house.engine.aclose()
    second = Server(two_halves(hung), first)
    await second.finish(live.id, within_s=LEASE_S)
    assert await second.answers(live) == [("One half, the other half.", False)]


async def test_stopping_again_and_again_counts_as_no_failed_try(hung: asyncio.Event) -> None:
    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"n": 1})
        hung.set()
        await asyncio.Event().wait()

    server = Server(act)
    live = await server.house.ask()
    for _ in range(MOST_TRIES + 2):
        await asyncio.wait_for(hung.wait(), 5)
        hung.clear()
        server.house.engine.suspend_all()
        await server.house.engine.aclose()
        server = Server(act, server)
        await server.restart.look()
    await asyncio.wait_for(hung.wait(), 5)
    await server.house.engine.aclose()
    assert isinstance((await server.trace(live.id))[-1], RunFinished)


async def test_run_that_a_client_has_left_is_not_gone_on_with(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await first.house.ask()
    await hung.wait()
    live.cancel()
    await live.log()
    assert await first.storage.load(OPEN + live.id) is None
    assert isinstance((await first.trace(live.id))[-1], RunFinished)


async def test_conversation_deleted_while_its_run_is_open_leaves_nothing(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await killed(first, hung)
    second = Server(two_halves(hung), first)
    await second.house.engine.delete_conversation(live.session_id, ALICE)
    await second.restart.look()
    await asyncio.sleep(0.05)
    assert [key for key in (*second.storage._documents, *second.storage._logs) if not key.startswith(SERVERS)] == []


@pytest.mark.parametrize("part", ["/request", "/checkpoint", OPEN, "/runs/"])
async def test_checkpoint_that_cannot_be_stored_is_told_to_the_agent(part: str) -> None:
    told: list[str] = []

    async def act(run: Run) -> None:
        try:
            await run.checkpoint({"n": 1})
        except StorageError as error:
            told.append(error.message)
        server.storage.failing.clear()
        run.say("all the same")

    server = Server(act)
    server.storage.failing = {part}
    live = await server.house.ask()
    await live.log()
    assert told == ["the disk is full"]
    assert await server.answers(live) == [("all the same", False)]
    assert isinstance((await server.trace(live.id))[-1], RunFinished)
    left = [key for key in server.storage._documents if "/runs/" in key or key.startswith(OPEN)]
    assert left == [], "nothing is left to go on with"


@pytest.mark.parametrize("part", ["/runs/", "/conversations/"])
async def test_end_that_could_not_be_stored_is_made_up_for_when_storage_is_back(part: str) -> None:
    async def act(run: Run) -> None:
        if run.restored is None:
            await run.checkpoint({"n": 1})
            server.storage.failing = {part}
        run.say("kept")

    server = Server(act)
    live = await server.house.ask()
    last = (await live.log())[-1].event
    assert isinstance(last, RunFailed) and last.code == "storage_unavailable"
    server.storage.failing = set()
    await server.finish(live.id)
    assert await server.answers(live) == [("kept", False)]


async def test_only_json_objects_are_checkpoints() -> None:
    async def act(run: Run) -> None:
        with pytest.raises(TypeError):
            await run.checkpoint([1])  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await run.checkpoint({"a set": {1}})
        run.say("fine")

    server = Server(act)
    live = await server.house.ask()
    await live.log()
    assert await server.answers(live) == [("fine", False)]
    assert Checkpointed not in kinds(await server.trace(live.id))


async def test_request_is_the_same_after_a_restart(hung: asyncio.Event) -> None:
    def given(name: str) -> ToolSpec:
        return ToolSpec(name, "of the client's", {"type": "object", "properties": {}}, client=True)

    wishes = Wishes(sampling=Sampling(temperature=0.5, stop=("a", "b")), answer_schema={"type": "object"})
    request = RunRequest(
        model="agentic/actor@m",
        messages=(Message("system", "s"), Message("user", "u")),
        client_tools=(given("open_door"),),
        wishes=wishes,
        options={"metadata": {"a": "b"}},
        traceparent="00-1",
        whole=True,
    )
    assert request_from_json(request_to_json(request)) == request


async def test_open_run_holds_up_no_other_session(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    await killed(first, hung)

    async def act(run: Run) -> None:
        if run.restored is not None:
            await asyncio.Event().wait()
        run.say("quick")

    second = Server(act, first)
    await second.restart.look()
    assert isinstance((await asyncio.wait_for(second.house.log("Other"), 1))[-1], RunFinished)
    await second.house.engine.aclose()
