"""A run with a checkpoint goes on in another process: two kernels over one storage, the first of them gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from agentic import (
    Message,
    ModelDelta,
    ModelUnavailable,
    Run,
    Sampling,
    StorageError,
    Tool,
    ToolCall,
    ToolContext,
    ToolSpec,
    tool,
)
from agentic.events import (
    Checkpointed,
    Decided,
    Resumed,
    RunFailed,
    RunFinished,
    ToolCallFinished,
    ToolCallStarted,
)
from agentic.models.handle import Wishes
from agentic.runtime.budget import Limits
from agentic.runtime.journal import OPEN
from agentic.runtime.request import RunRequest, request_from_json, request_to_json
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE, ActingAgent, House, ScriptedProvider
from tests.killed_kernels import Server, killed, kinds, two_halves


@pytest.fixture
def hung() -> asyncio.Event:
    """Set once an agent or a tool hangs in the middle of its work."""
    return asyncio.Event()


async def test_run_goes_on_from_its_checkpoint(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await killed(first, hung)
    second = Server(two_halves(hung), first)
    log = await second.finish(live.id)
    assert Checkpointed in kinds(log) and Resumed in kinds(log)
    assert [event.reason for event in log if isinstance(event, Decided)][1] == "it was at work when its server ended"
    assert await second.answers(live) == [("One half, the other half.", False)]
    assert [key for key in second.storage._documents if OPEN in key or "/checkpoint" in key or "/request" in key] == []


async def test_run_without_a_checkpoint_writes_as_often_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a slow machine the answer may take longer than the request waits for it.
    monkeypatch.setattr("agentic.runtime.opening.PATIENCE_S", 60)

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
    assert own.count("runs") == 1
    # A request that is not answered at once is stored by itself, and its answer later.
    assert own.count("conversations") in (2, 3)
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
            await asyncio.sleep(1.5)
            await run.checkpoint({"n": 1})
            hung.set()
        await asyncio.Event().wait()

    limits = Limits(seconds=3)
    first = Server(act, limits=limits)
    live = await killed(first, hung)
    second = Server(act, first, limits=limits)
    began = time.monotonic()
    log = await second.finish(live.id)
    assert time.monotonic() - began < 2.7, "half of its time was spent before the restart"
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


@pytest.mark.parametrize("part", ["/request", "/checkpoint", OPEN, "/runs/", f"append spaces/{ALICE.id}/runs/"])
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


async def test_file_made_before_is_not_overwritten(hung: asyncio.Event) -> None:
    @tool(examples=["Draw"])
    async def draw(ctx: ToolContext, colour: str) -> str:
        """Draw."""
        return (await ctx.save_file("picture.txt", "text/plain", colour.encode())).name

    async def act(run: Run) -> None:
        if run.restored is None:
            await run.tools.call([ToolCall(f"{run.id}-1", "draw", {"colour": "red"})])
            await run.checkpoint({"n": 1})
            hung.set()
            await asyncio.Event().wait()
        [result] = await run.tools.call([ToolCall(f"{run.id}-2", "draw", {"colour": "blue"})])
        run.say(result.content)

    first = Server(act, tools=[draw])
    live = await killed(first, hung)
    second = Server(act, first, tools=[draw])
    await second.finish(live.id)
    [(text, _)] = await second.answers(live)
    assert text.startswith("picture-2.txt") and "picture.txt" in text


async def test_new_call_ids_go_on_where_they_stopped(hung: asyncio.Event) -> None:
    ids: list[str] = []

    @tool(examples=["Look"])
    async def look(n: int) -> str:
        """Look."""
        return "seen"

    async def act(run: Run) -> None:
        for n in range(2):
            reply = await run.model.complete([Message("user", "look")], tools=run.tools.specs)
            ids.extend(call.id for call in reply.calls)
            if run.restored is None:
                await run.checkpoint({"n": n})
                await run.tools.call(reply.calls)
                hung.set()
                await asyncio.Event().wait()
            await run.tools.call(reply.calls)

    provider = ScriptedProvider(
        *([ModelDelta(calls=(ToolCall("x", "look", {"n": n}),)), ModelDelta(finish="tool_calls")] for n in range(3))
    )
    first = Server(act, provider=provider, tools=[look])
    live = await killed(first, hung)
    second = Server(act, first, provider=provider, tools=[look])
    await second.finish(live.id)
    assert ids == [f"{live.id}-{n}" for n in (1, 2, 3)]


async def test_client_goes_on_with_the_calls_of_a_run_that_went_on(hung: asyncio.Event) -> None:
    """A call that was cut off and run again stands in the conversation once."""
    door = ToolSpec("open_door", "Open it", {"type": "object", "properties": {}}, client=True)
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
            await run.checkpoint({"n": 1})
        await run.tools.call([ToolCall(f"{run.id}-1", "look", {}), ToolCall(f"{run.id}-2", "open_door", {})])

    first = Server(act, tools=[look])
    live = await killed(first, hung, client_tools=(door,))
    second = Server(act, first, tools=[look])
    log = await second.finish(live.id)
    assert isinstance(log[-1], RunFinished) and log[-1].reason == "tool_calls"
    [answer] = [one for one in await second.house.conversation(live) if one["role"] == "assistant"]
    assert [call["function"]["name"] for call in answer["tool_calls"]] == ["look", "open_door"]


async def test_model_server_that_starts_later_is_waited_for(
    hung: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic.runtime.resume.PAUSE_S", 0.01)
    first = Server(two_halves(hung))
    live = await killed(first, hung)
    provider = ScriptedProvider()
    infos, provider.infos = provider.infos, ModelUnavailable("not there yet")
    second = Server(two_halves(hung), first, provider=provider)
    await second.restart.look()
    await asyncio.sleep(0.05)
    provider.infos = infos
    await second.finish(live.id)
    assert await second.answers(live) == [("One half, the other half.", False)]


async def test_open_run_shows_what_there_is_of_its_trace(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await first.house.ask()
    await hung.wait()
    found = await first.house.engine.get_trace(live.id, ALICE)
    types = ["run_started", "decided", "text_delta", "checkpointed", "text_delta"]
    assert [event["type"] for event in found] == types
    await first.house.engine.aclose()


async def test_record_that_cannot_be_read_keeps_no_other_run_from_going_on(hung: asyncio.Event) -> None:
    first = Server(two_halves(hung))
    live = await killed(first, hung)
    second = Server(two_halves(hung), first)
    await second.storage.save(f"{OPEN}a_run", {"of": "another version"})
    await second.finish(live.id)
    assert await second.answers(live) == [("One half, the other half.", False)]


async def test_tools_offered_are_the_same_after_a_restart(hung: asyncio.Event) -> None:
    """Another version of a tool, or of the judges, may rank them otherwise by then."""
    offered: list[list[str]] = []

    def named(name: str, example: str) -> Tool:
        @tool(name=name, examples=[example])
        async def one() -> str:
            """Do it."""
            return "done"

        return one

    async def act(run: Run) -> None:
        offered.append([spec.name for spec in run.tools.specs])
        if run.restored is None:
            await run.checkpoint({})
            hung.set()
            await asyncio.Event().wait()

    first = Server(act, tools=[named("a", "Measure the tower"), named("b", "Sing a song")], shortlist=1)
    live = await killed(first, hung, text="Measure the tower")
    second = Server(act, first, tools=[named("a", "Sing a song"), named("b", "Measure the tower")], shortlist=1)
    await second.finish(live.id)
    assert offered == [["a"], ["a"]]
