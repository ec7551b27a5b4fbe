"""Acknowledged means stored: where storage fails, no answer is called whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Run, StorageError
from agentic.errors import Conflict, SessionNotFound
from agentic.events import RunFailed, RunFinished
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import House, events


class FailingStorage(MemoryStorage):
    """Fails in the methods named, from the n-th call on, after ``slow_s`` seconds."""

    def __init__(self, *methods: str, after: int = 0, slow_s: float = 0, error: Exception | None = None) -> None:
        super().__init__()
        self.methods = methods
        self.left = after
        self.slow_s = slow_s
        self.error = error or StorageError("the disk is full")

    async def _strain(self, method: str, key: str) -> None:
        if method in self.methods or key.partition("/")[2].partition("/")[2].partition("/")[0] in self.methods:
            self.left -= 1
            await asyncio.sleep(self.slow_s)
            if self.left < 0:
                raise self.error

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        await self._strain("save", key)
        return await super().save(key, value, if_version=if_version)

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        await self._strain("append", key)
        return await super().append(key, items, if_length=if_length)

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        await self._strain("read", key)
        return await super().read(key, after=after, limit=limit, wait_s=wait_s)


async def answer(run: Run) -> None:
    run.say("It is 42.")


async def slowly(run: Run) -> None:
    run.say("It is ")
    await asyncio.sleep(0.05)
    run.say("42.")


@pytest.mark.parametrize("act", [answer, slowly])
@pytest.mark.parametrize("slow_s", [0, 0.02])
@pytest.mark.parametrize("method", ["append", "save"])
async def test_request_that_cannot_be_stored_gives_nothing_but_its_error(method: str, slow_s: float, act: Any) -> None:
    house = House(act, storage=FailingStorage(method, slow_s=slow_s))
    live = await house.ask()
    told = [entry.event async for batch in live.batches() for entry in batch]
    failed = told[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.status, failed.code, failed.message) == (503, "storage_unavailable", "the disk is full")
    assert [event.type for event in told[:-1]] in ([], ["run_started"]), "nothing of the answer is told"
    events(live.channel.entries)
    if method == "save":
        with pytest.raises(SessionNotFound):
            await house.conversation(live)
    else:
        assert await house.conversation(live) == []


@pytest.mark.parametrize("storage", [FailingStorage("append", after=1), FailingStorage("runs")], ids=["answer", "run"])
async def test_answer_that_cannot_be_stored_is_a_failure(storage: FailingStorage) -> None:
    log = await House(answer, storage=storage).log()
    assert isinstance(log[-1], RunFailed)
    assert log[-1].status == 503


async def test_conversation_that_cannot_be_read_is_a_failure() -> None:
    house = House(answer, storage=FailingStorage("read"))
    house.storage.methods = ()
    live = await house.ask()
    await live.log()
    house.storage.methods = ("read",)
    failed = (await house.log(session_id=live.session_id))[-1]
    assert isinstance(failed, RunFailed)
    assert failed.status == 503


async def test_bug_of_a_storage_is_a_failure_without_its_words() -> None:
    failed = (await House(answer, storage=FailingStorage("append", error=OSError("/secret/place"))).log())[-1]
    assert isinstance(failed, RunFailed)
    assert failed.status == 500
    assert "/secret" not in failed.message


async def test_turn_that_another_server_got_in_between_is_a_conflict() -> None:
    house = House(answer)
    live = await house.ask()
    await live.log()
    taken = FailingStorage("append", error=Conflict("the conversation has gone on"))
    taken._documents, taken._logs = house.storage._documents, house.storage._logs
    failed = (await House(answer, storage=taken).log(session_id=live.session_id))[-1]
    assert isinstance(failed, RunFailed)
    assert failed.status == 409


async def test_next_turn_works_once_storage_does() -> None:
    house = House(answer, storage=FailingStorage("append", after=2))
    first = await house.ask()
    await first.log()
    house.storage.left = 0
    assert isinstance((await house.log("again", session_id=first.session_id))[-1], RunFailed)
    house.storage.left = 9
    assert isinstance((await house.log("again", session_id=first.session_id))[-1], RunFinished)
