"""Who goes on with an open run: one server, at its turn, twice at most, and nobody while its own server lives."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentic import Run
from agentic.events import (
    Resumed,
    RunFailed,
    RunFinished,
)
from agentic.runtime.journal import OPEN
from agentic.runtime.presence import SERVERS
from agentic.runtime.resume import MOST_TRIES
from tests.kernel_in_memory import ALICE
from tests.killed_kernels import LEASE_S, Server, killed, kinds, two_halves


@pytest.fixture
def hung() -> asyncio.Event:
    """Set once an agent or a tool hangs in the middle of its work."""
    return asyncio.Event()


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
