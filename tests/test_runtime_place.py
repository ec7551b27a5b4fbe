"""Where a request's turn goes: on after any run of the user's, in a new conversation where it must, or nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agentic import NotFound, Principal, Run, ToolContext, tool
from agentic.errors import Conflict
from agentic.events import RunFailed, RunFinished, ToolCallFinished
from agentic.messages import Message, ToolCall
from agentic.runtime.clearing import delete_run, end_run
from agentic.runtime.run import LiveRun
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE, House, said

BOB = Principal("u-bob", "bob")


async def repeat(run: Run) -> None:
    """Say what the agent sees."""
    run.say(" | ".join(f"{message.role}: {message.text}" for message in run.messages))


async def done(house: House, text: str, **more: Any) -> LiveRun:
    live = await house.ask(text, **more)
    await live.log()
    return live


async def test_run_of_another_is_as_one_that_does_not_exist() -> None:
    house = House(repeat)
    first = await done(house, "one")
    for run_id in (first.id, "run_00"):
        with pytest.raises(NotFound) as caught:
            await house.ask("two", after=run_id, who=BOB)
        assert caught.value.message == f"There is no run '{run_id}'."


async def test_run_goes_on_in_the_conversation_while_nothing_has_followed() -> None:
    house = House(repeat)
    first = await done(house, "one")
    second = await done(house, "two", after=first.id)
    assert second.session_id == first.session_id
    assert second.text == "user: one | assistant: user: one | user: two"


async def test_branch_begins_a_conversation_of_its_own_with_what_was_said_until_there() -> None:
    house = House(repeat)
    first = await done(house, "one")
    second = await done(house, "two", after=first.id)
    branch = await done(house, "three", after=first.id)
    assert branch.session_id not in (first.session_id,)
    assert branch.text == "user: one | assistant: user: one | user: three"
    assert [item["content"] for item in await house.conversation(branch)][:1] == ["one"]
    later = await done(house, "four", after=branch.id)
    assert later.session_id == branch.session_id
    # It has nothing of the runs that it began with: they belong to the other conversation.
    assert await house.engine.delete_conversation(branch.session_id, ALICE)
    assert await house.engine.get_trace(first.id, ALICE)
    assert await house.engine.get_trace(second.id, ALICE)


class Slow(MemoryStorage):
    """Takes its time to read, so that others come in between."""

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        found = await super().read(key, after=after, limit=limit, wait_s=wait_s)
        await asyncio.sleep(0.01)
        return found


async def test_two_that_go_on_after_the_same_run_at_once_never_see_one_another() -> None:
    house = House(repeat, storage=Slow())
    first = await done(house, "one")
    both = await asyncio.gather(*(house.ask(text, after=first.id) for text in ("left", "right")))
    ends = [(await live.log())[-1].event for live in both]
    assert ends[0] == RunFinished("stop", ends[0].usage)  # type: ignore[attr-defined]
    assert isinstance(ends[1], RunFailed) and ends[1].status == 409 and "send the request again" in ends[1].message
    again = await done(house, "right", after=first.id)
    assert again.text == "user: one | assistant: user: one | user: right"


async def test_instructions_are_for_one_run_and_not_stored() -> None:
    house = House(repeat)
    first = await done(house, "one", instructions="Be brief.")
    assert first.text == "system: Be brief. | user: one"
    assert [item["role"] for item in await house.conversation(first)] == ["user", "assistant"]
    second = await done(house, "two", session_id=first.session_id)
    assert second.text.startswith("user: one"), "they are not among what the model is shown"


async def test_run_waits_for_the_one_that_it_goes_on_after() -> None:
    release = asyncio.Event()

    async def act(run: Run) -> None:
        await release.wait()
        await repeat(run)

    house = House(act)
    first = await house.ask("one")
    second = await house.ask("two", after=first.id, session_id=first.session_id)
    for more in ({}, {"keep": False}):
        with pytest.raises(Conflict, match="still at work"):
            await house.ask("three", after=first.id, session_id=first.session_id, **more)
    release.set()
    await second.log()
    assert second.text == "user: one | assistant: user: one | user: two"


async def test_nothing_is_left_of_a_run_that_is_not_to_be_kept() -> None:
    @tool(risk="read")
    async def draw(ctx: ToolContext) -> str:
        """Draw."""
        file = await ctx.save_file("a.txt", "text/plain", b"a")
        return file.url

    async def act(run: Run) -> None:
        await run.checkpoint({"step": 1})
        await run.tools.call([ToolCall("", "draw", {})])
        await repeat(run)

    house = House(act, tools=[draw])
    first = await done(house, "one", keep=False)
    assert first.text == "user: one"
    [drawn] = [entry.event for entry in first.channel.entries if isinstance(entry.event, ToolCallFinished)]
    assert drawn.error and "no file can be made" in drawn.result
    kept = await house.storage.list("", limit=100)
    assert [stored.key for stored in kept if not stored.key.startswith("servers/")] == []
    assert list(await house.blobs.list("", limit=10)) == []


async def test_run_that_is_not_to_be_kept_knows_the_conversation_and_adds_nothing_to_it() -> None:
    house = House(repeat)
    first = await done(house, "one")
    before = await house.conversation(first)
    for place in ({"after": first.id}, {"session_id": first.session_id}):
        unkept = await done(house, "two", keep=False, **place)
        assert unkept.text == "user: one | assistant: user: one | user: two"
        assert unkept.session_id != first.session_id
        assert await house.conversation(first) == before
        with pytest.raises(NotFound):
            await house.engine.get_trace(unkept.id, ALICE)


async def test_results_of_calls_find_no_conversation_where_nothing_is_to_be_kept() -> None:
    house = House(repeat)
    first = await done(house, "one")
    messages = (Message("user", "one"), Message("tool", "3", tool_call_id=f"{first.id}-1"))
    live = await done(house, "", messages=messages, keep=False)
    assert live.session_id != first.session_id


@pytest.mark.parametrize("turns", [1, 2])
async def test_deleted_run_takes_its_conversation_along_where_that_is_all_there_is(turns: int) -> None:
    house = House(repeat)
    first = await done(house, "one")
    last = first if turns == 1 else await done(house, "two", after=first.id)
    with pytest.raises(NotFound):
        await delete_run(house.engine, last.id, BOB)
    assert await delete_run(house.engine, last.id, ALICE) is (turns == 1)
    for act in (house.engine.get_trace(last.id, ALICE), delete_run(house.engine, last.id, ALICE)):
        with pytest.raises(NotFound):
            await act
    if turns == 2:
        assert len(await house.conversation(first)) == 4


async def test_ended_run_is_stored_with_what_it_has_said() -> None:
    begun = asyncio.Event()

    async def act(run: Run) -> None:
        run.say("So far.")
        begun.set()
        await asyncio.Event().wait()

    house = House(act)
    live = await house.ask("one")
    await begun.wait()
    await end_run(house.engine, live.id, BOB)
    assert live.channel.last is None, "nobody else ends it"
    await end_run(house.engine, live.id, ALICE)
    assert live.channel.last is not None and live.channel.last.event == RunFinished("cancelled")
    assert [event["type"] for event in await house.engine.get_trace(live.id, ALICE)][-1] == "run_finished"
    assert said([entry.event for entry in live.channel.entries]) == "So far."


async def test_any_number_may_read_along(unblocked_loop: Callable[..., Any]) -> None:
    go_on = asyncio.Event()

    async def act(run: Run) -> None:
        run.say("a")
        await go_on.wait()
        run.say("b")

    house = House(act)
    live = await house.ask("one")

    async def follow() -> list[Any]:
        return [entry async for batch in live.channel.follow(quiet_s=0.01) for entry in batch]

    early = [asyncio.create_task(follow()) for _ in range(3)]
    await asyncio.sleep(0.03)
    early.pop().cancel()
    go_on.set()
    reading = [entry async for batch in live.batches() for entry in batch]
    for one in (*await asyncio.gather(*early), await follow()):
        assert one == reading == live.channel.entries
