"""A conversation that one server deletes while another answers in it: nothing of it is left in storage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Run
from agentic.errors import NotFound
from agentic.events import RunFailed, RunFinished
from agentic.runtime.resume import left_runs
from agentic.runtime.run import LiveRun
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE, House, events

SECRET = "the secret is 4711"


class Desk:
    """Two servers over one storage. A run told to wait does so until ``go`` is set."""

    def __init__(self, storage: MemoryStorage, *, checkpoints: bool = False) -> None:
        self.storage, self.blobs = storage, MemoryBlobs()
        self.go, self.begun = asyncio.Event(), asyncio.Event()
        self.checkpoints = checkpoints
        self.here, self.there = (House(self.act, storage=storage, blobs=self.blobs) for _ in range(2))

    async def act(self, run: Run) -> None:
        run.say(SECRET)
        if run.task.text != "wait":
            return
        if self.checkpoints:
            await run.checkpoint({"said": SECRET})
        self.begun.set()
        await self.go.wait()
        run.say("and more")
        if self.checkpoints:
            await run.checkpoint({"said": "and more"})

    async def waiting(self) -> LiveRun:
        """A run in mid-answer here, in a conversation that had a turn before."""
        first = await self.here.ask()
        await first.log()
        live = await self.here.ask("wait", session_id=first.session_id)
        await self.begun.wait()
        assert live.opening is not None
        assert await live.opening.wait()
        return live

    @property
    def left(self) -> list[str]:
        """Keys that are anybody's, and no server's."""
        keys = {*self.storage._documents, *self.storage._logs, *self.blobs._files}
        return sorted(key for key in keys if not key.startswith("servers/"))


@pytest.mark.parametrize("checkpoints", [False, True])
async def test_answer_to_a_conversation_that_was_deleted_elsewhere_leaves_nothing(checkpoints: bool) -> None:
    desk = Desk(MemoryStorage(), checkpoints=checkpoints)
    live = await desk.waiting()
    deleted = await desk.there.engine.delete_conversation(live.session_id, ALICE)
    assert deleted["messages"] == 3
    desk.go.set()
    last = events(await live.log())[-1]
    assert isinstance(last, RunFailed)
    assert last.message == "The conversation was deleted meanwhile. Nothing of this answer is kept."
    # That a run was open is forgotten by whichever server next looks for such runs.
    assert [left async for left in left_runs(desk.there.everything, lambda _: False)] == []
    assert desk.left == []
    with pytest.raises(NotFound):
        await desk.here.engine.get_trace(live.id, ALICE)


class SlowDelete(MemoryStorage):
    """Waits in the midst of the deletion of a conversation, when its runs are gone and it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def delete(self, key: str) -> bool:
        if "/summaries/" in key and not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
        return await super().delete(key)


async def test_answer_that_comes_in_the_midst_of_a_deletion_goes_with_it() -> None:
    storage = SlowDelete()
    desk = Desk(storage)
    live = await desk.waiting()
    deleting = asyncio.create_task(desk.there.engine.delete_conversation(live.session_id, ALICE))
    await storage.reached.wait()
    desk.go.set()
    assert isinstance(events(await live.log())[-1], RunFinished)
    storage.go_on.set()
    await deleting
    assert desk.left == []


async def test_answer_beside_a_turn_of_another_server_is_stored_all_the_same() -> None:
    desk = Desk(MemoryStorage())
    live = await desk.waiting()
    assert isinstance((await desk.there.log("hello", session_id=live.session_id))[-1], RunFinished)
    desk.go.set()
    assert isinstance(events(await live.log())[-1], RunFinished)
    said = [message["content"] for message in await desk.here.conversation(live)]
    assert said == ["Hello", SECRET, "wait", "hello", SECRET, f"{SECRET}and more"]


class GoneOn(MemoryStorage):
    """A conversation's log that has grown each time that a second request is to be stored."""

    refuses = False

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        if self.refuses and "/conversations/" in key:
            if_length = 99
        return await super().append(key, items, if_length=if_length)


async def test_run_whose_request_came_too_late_leaves_no_record_that_no_deletion_finds() -> None:
    storage = GoneOn()
    desk = Desk(storage)
    first = await desk.here.ask()
    await first.log()
    storage.refuses = True
    live = await desk.here.ask("again", session_id=first.session_id)
    last = events(await live.log())[-1]
    assert isinstance(last, RunFailed)
    assert last.status == 409
    storage.refuses = False
    await desk.here.engine.delete_conversation(first.session_id, ALICE)
    assert desk.left == []
