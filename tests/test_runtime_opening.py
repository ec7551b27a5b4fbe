"""When a turn is stored: together with an answer that comes at once, before one that lets people wait."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from agentic import Message, Run, StorageError
from agentic.events import RunFailed, TextDelta
from agentic.runtime.opening import PATIENCE_S
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import House, events


class NotedStorage(MemoryStorage):
    """Keeps what was appended to conversations, a list a write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[list[str]] = []

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        length = await super().append(key, items, if_length=if_length)
        if "/conversations/" in key:
            self.written.append([item["role"] for item in items])
        return length


class StorageByTurns(MemoryStorage):
    """Keeps where it was written to, a list for each turn of the event loop in which it was. A write takes a while."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[list[str]] = []
        self._is_same = False

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        await self._note(key)
        return await super().save(key, value, if_version=if_version)

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        await self._note(key)
        return await super().append(key, items, if_length=if_length)

    async def in_order(self, *writes: Coroutine[Any, Any, object]) -> None:
        """As a storage does that writes in the order in which it is asked."""
        await asyncio.gather(*writes)

    async def _note(self, key: str) -> None:
        if not key.startswith("spaces/"):
            return
        if not self._is_same:
            self._is_same = True
            self.turns.append([])
            asyncio.get_running_loop().call_soon(self._turn)
        self.turns[-1].append(key.split("/")[2])
        await asyncio.sleep(0.01)

    def _turn(self) -> None:
        self._is_same = False


class StorageInTurn(StorageByTurns):
    """Makes one write after the other, and is at its end before the one of this number, counted from 1."""

    def __init__(self, end: int) -> None:
        super().__init__()
        self._left = end

    async def in_order(self, *writes: Coroutine[Any, Any, object]) -> None:
        await MemoryStorage.in_order(self, *writes)

    async def _note(self, key: str) -> None:
        self._left -= key.startswith("spaces/")
        if self._left <= 0:
            raise StorageError("The machine has no power.")
        await super()._note(key)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may be slow: an answer that comes at once may take longer than PATIENCE_S."""
    monkeypatch.setattr("agentic.runtime.opening.PATIENCE_S", 60)


async def at_once(run: Run) -> None:
    run.say("It is 42.")


async def after_a_while(run: Run) -> None:
    await asyncio.sleep(PATIENCE_S * 3)
    run.say("It is 42.")


@pytest.mark.usefixtures("patient")
async def test_first_answer_that_comes_at_once_is_stored_with_its_request() -> None:
    house = House(at_once, storage=NotedStorage())
    await (await house.ask()).log()
    assert house.storage.written == [["user", "assistant"]]


async def test_request_is_stored_while_its_answer_lets_people_wait() -> None:
    house = House(after_a_while, storage=NotedStorage())
    live = await house.ask()
    await asyncio.sleep(PATIENCE_S * 2)
    assert house.storage.written == [["user"]]
    await live.log()
    assert house.storage.written == [["user"], ["assistant"]]


async def test_request_is_stored_before_anybody_reads_of_the_answer() -> None:
    house = House(at_once, storage=NotedStorage())
    async for batch in (await house.ask()).batches():
        if any(isinstance(entry.event, TextDelta) for entry in batch):
            assert house.storage.written[0][0] == "user"
            return
    pytest.fail("there was no answer")


@pytest.mark.usefixtures("patient")
async def test_first_turn_that_nobody_reads_along_is_one_write_to_disk() -> None:
    house = House(at_once, storage=StorageByTurns())
    await (await house.ask()).log()
    assert [sorted(turn) for turn in house.storage.turns] == [["conversations", "conversations", "runs"]]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("end", [1, 2, 3, 4])
async def test_what_is_cut_off_is_never_without_the_head_that_a_deletion_finds_it_by(end: int) -> None:
    house = House(at_once, storage=StorageInTurn(end))
    await (await house.ask()).log()
    written = ["conversations", "conversations", "runs"][: end - 1]
    assert house.storage.turns == [[one] for one in written]
    heads = await house.storage.list("spaces/")
    assert bool(heads) == (end > 1)


async def test_turn_that_is_read_along_is_two_writes_to_disk() -> None:
    house = House(at_once, storage=StorageByTurns())
    async for _ in (await house.ask()).batches():
        pass
    assert [sorted(turn) for turn in house.storage.turns] == [
        ["conversations", "conversations"],
        ["conversations", "runs"],
    ]


@pytest.mark.usefixtures("patient")
async def test_later_turn_is_stored_before_its_answer() -> None:
    house = House(at_once, storage=NotedStorage())
    first = await house.ask()
    await first.log()
    again = await house.ask(messages=(Message("user", "And now?"),), session_id=first.session_id)
    await again.log()
    assert house.storage.written == [["user", "assistant"], ["user"], ["assistant"]]


async def test_run_whose_agent_fails_at_once_keeps_the_request() -> None:
    async def fails(run: Run) -> None:
        raise RuntimeError("a bug")

    house = House(fails, storage=NotedStorage())
    live = await house.ask("keep me")
    assert isinstance(events(await live.log())[-1], RunFailed)
    assert (await house.conversation(live))[0]["content"] == "keep me"


@pytest.mark.parametrize("act", [at_once, after_a_while])
async def test_run_leaves_nothing_for_the_garbage_collector(act: Any) -> None:
    house = House(act)
    gc.collect()
    gc.disable()
    try:
        live = await house.ask()
        async for _ in live.batches():
            continue
        gone = weakref.ref(live.channel)
        del live, _
        await asyncio.sleep(0.01)
        assert gone() is None
    finally:
        gc.enable()
