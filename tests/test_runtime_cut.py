"""Runs without a checkpoint that ended with their server: told of, and not gone on with."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from agentic import Message, Run
from agentic.errors import NotFound
from agentic.events import RunFailed, RunStarted
from agentic.runtime import presence as presence_module
from agentic.runtime.presence import SERVERS, Presence
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE
from tests.killed_kernels import LEASE_S, Killable, Server, killed

USER = {"id": ALICE.id, "name": "alice", "role": "user", "disabled": False, "token_version": 1, "created_at": 0.0}


@pytest.fixture
def hung() -> asyncio.Event:
    return asyncio.Event()


def hangs(hung: asyncio.Event) -> Any:
    async def act(run: Run) -> None:
        run.say("Half")
        await asyncio.sleep(0.07)
        hung.set()
        await asyncio.Event().wait()

    return act


async def quick(run: Run) -> None:
    run.say(f"{len(run.messages)} messages")


async def after(first: Server) -> Server:
    """The next server, which knows the user."""
    second = Server(quick, first)
    await second.storage.save(f"users/{ALICE.id}", USER)
    await second.storage.save("user_names/alice", {"id": ALICE.id})
    return second


async def test_cut_run_gets_a_record_and_its_conversation_a_mark(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    live = await killed(first, hung)
    second = await after(first)
    with pytest.raises(NotFound):
        await second.trace(live.id)
    await second.restart.look()
    started, ended = await second.trace(live.id)
    assert isinstance(started, RunStarted) and started.session_id == live.session_id
    assert abs(started.at - time.time()) < 10
    assert isinstance(ended, RunFailed) and ended.code == "cancelled" and "Ask again" in ended.message
    assert [one["content"] for one in await second.house.conversation(live)] == ["Hello", ""]
    assert await second.answers(live) == [("", True)]
    assert await second.storage.load(SERVERS + first.house.presence.id) is None


async def test_it_is_told_once(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    live = await killed(first, hung)
    servers = [await after(first) for _ in range(3)]
    await asyncio.gather(*(server.restart.look() for server in servers))
    first.kill()
    await servers[0].restart.look()
    assert await servers[0].answers(live) == [("", True)]
    assert len(await servers[0].trace(live.id)) == 2


async def test_conversation_that_went_on_is_marked_all_the_same(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    live = await killed(first, hung)
    second = await after(first)
    await second.house.log("Again", session_id=live.session_id)
    await asyncio.sleep(0)
    await second.restart.look()
    assert await second.answers(live) == [("2 messages", False), ("", True)]
    assert "4 messages" in str(await second.house.log(messages=(Message("user", "Go on"),), session_id=live.session_id))


async def test_history_that_the_request_brought_is_no_answer(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    talk = (Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "And?"))
    live = await killed(first, hung, messages=talk)
    second = await after(first)
    await second.restart.look()
    assert await second.answers(live) == [("Hi", False), ("", True)]


async def test_run_of_a_living_server_is_no_cut_one(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    live = await first.house.ask()
    await hung.wait()
    second = await after(first)
    await second.restart.look()
    with pytest.raises(NotFound):
        await second.trace(live.id)
    assert await second.answers(live) == []
    await first.house.engine.aclose()
    assert await second.answers(live) == [("Half", True)]


async def test_session_at_work_is_not_waited_for_and_told_of_later(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    live = await killed(first, hung)
    second = await after(first)
    go = asyncio.Event()
    waits = Server(_until(go), second)
    again = await waits.house.ask("Again", session_id=live.session_id)
    await asyncio.sleep(0.01)
    await asyncio.wait_for(waits.restart.look(), 1)
    assert await second.answers(live) == []
    go.set()
    await again.log()
    await asyncio.sleep(0)
    await waits.restart.look()
    assert await second.answers(live) == [("done", False), ("", True)]


async def test_storage_that_fails_is_asked_again(hung: asyncio.Event) -> None:
    first = Server(hangs(hung))
    live = await killed(first, hung)
    second = await after(first)
    second.storage.failing = {"/runs/"}
    await second.restart.look()
    assert await second.answers(live) == []
    second.storage.failing = set()
    await second.restart.look()
    assert await second.answers(live) == [("", True)]


async def test_server_that_closes_is_seen_no_more() -> None:
    storage = MemoryStorage()
    presence, other = Presence(storage, lease_s=LEASE_S), Presence(storage, lease_s=LEASE_S)
    await presence.show()
    assert await other.is_alive(presence.id)
    await presence.aclose()
    assert not await other.is_alive(presence.id)
    assert await other.gone() == {}


async def test_server_that_was_killed_before_the_clock_was_set_back_is_gone_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = MemoryStorage()
    dead, living, other = (Presence(storage, lease_s=LEASE_S) for _ in range(3))
    await dead.show()
    await living.show()
    assert dead._beating is not None
    dead._beating.cancel()
    back = SimpleNamespace(time=lambda: time.time() - 3600, monotonic=time.monotonic)
    monkeypatch.setattr(presence_module, "time", back)
    assert sorted(await other.present()) == sorted([dead.id, living.id]), "nobody can tell yet"
    await asyncio.sleep(LEASE_S * 1.5)
    assert (await other.is_alive(dead.id), await other.is_alive(living.id)) == (False, True)
    assert [*await other.gone()] == [dead.id]
    await living.aclose()


async def test_sign_of_life_that_cannot_be_given_is_given_later() -> None:
    storage = Killable()
    storage.failing = {SERVERS}
    presence = Presence(storage, lease_s=LEASE_S)
    presence.begin()
    await asyncio.sleep(0.02)
    assert not await presence.is_alive(presence.id)
    storage.failing = set()
    await asyncio.sleep(LEASE_S / 2)
    assert await presence.is_alive(presence.id)
    await asyncio.sleep(LEASE_S * 1.5)
    assert await presence.is_alive(presence.id), "it lives on"
    await presence.aclose()


def _until(go: asyncio.Event) -> Any:
    async def act(run: Run) -> None:
        await go.wait()
        run.say("done")

    return act
