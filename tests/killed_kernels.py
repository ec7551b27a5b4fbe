"""Kernels in memory over one storage, each a process of its own that can be killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agentic import Agent, Run, StorageError
from agentic.events import Entry, Event, RunFailed, RunFinished, entry_from_json
from agentic.identity.limits import Meter
from agentic.identity.users import Users
from agentic.runtime.journal import OPEN
from agentic.runtime.presence import SERVERS
from agentic.runtime.restart import Restart
from agentic.runtime.run import LiveRun
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE, House
from tests.scopes import scope_over

LEASE_S = 0.2
Act = Callable[[Run], Awaitable[None]]


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
        await self._reach(f"append {key}")
        return await super().append(key, items, if_length=if_length)

    async def delete(self, key: str) -> bool:
        await self._reach(key)
        return await super().delete(key)


class Server:
    """A kernel in memory that looks for what others have left, as ``agentic serve`` does."""

    def __init__(self, act: Act | Sequence[Agent], beside: Server | None = None, **more: Any) -> None:
        self.storage = Killable(beside.storage if beside else None)
        self.house = House(act, storage=self.storage, lease_s=LEASE_S, **more)
        everything = scope_over(self.storage, self.house.blobs)
        self.restart = Restart(
            self.house.engine, everything, self.house.presence, Users(self.storage), Meter(self.storage), 600
        )

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
