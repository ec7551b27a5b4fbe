"""Leases: what is asked for again is not read again, and no change that has returned is missed."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from agentic.errors import Unauthorized
from agentic.identity import keys, leases
from agentic.identity.identity import Identity
from agentic.identity.keys import ApiKeys
from agentic.identity.leases import LEASE_S, Leases
from agentic.identity.users import Users
from agentic.ports.storage import Stored
from agentic.testing.memory_storage import MemoryStorage

PASSWORD = "correct horse"


class Counted(MemoryStorage):
    """Counts what is loaded, and hands it out once ``free`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0
        self.free = asyncio.Event()
        self.free.set()

    async def load(self, key: str) -> Stored | None:
        self.loads += 1
        stored = await super().load(key)
        await self.free.wait()
        return stored


@pytest.fixture
async def storage() -> Counted:
    return Counted()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands still; ``now`` sets it."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


async def value_of(reader: Leases) -> object:
    stored = await reader.load("key")
    return stored and stored.value


async def test_document_is_read_once_a_lease(storage: Counted, clock: SimpleNamespace) -> None:
    reader = Leases(storage)
    await storage.save("key", 1)
    assert [await value_of(reader) for _ in range(3)] == [1, 1, 1]
    assert storage.loads == 1
    await storage.save("key", 2)
    clock.now += LEASE_S
    assert await value_of(reader) == 2


async def test_what_is_not_there_is_looked_for_anew(storage: Counted, clock: SimpleNamespace) -> None:
    reader = Leases(storage)
    assert await value_of(reader) is None
    await storage.save("key", 1)
    assert await value_of(reader) == 1
    await storage.delete("key")
    clock.now += LEASE_S
    assert await value_of(reader) is None


async def test_lease_counts_from_before_its_read(storage: Counted, clock: SimpleNamespace) -> None:
    reader = Leases(storage)
    await storage.save("key", 1)
    storage.free.clear()
    slow = asyncio.create_task(value_of(reader))
    await asyncio.sleep(0)
    await storage.save("key", 2)
    clock.now += LEASE_S
    storage.free.set()
    assert await slow == 1
    assert await value_of(reader) == 2


async def test_few_are_kept(storage: Counted, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_MOST", 3)
    reader = Leases(storage)
    for number in range(10):
        await storage.save(f"k{number}", number)
        assert await reader.load(f"k{number}")
    assert len(reader._kept) <= 3


async def test_change_elsewhere_holds_here_once_it_has_returned(storage: Counted) -> None:
    here, elsewhere = Identity(storage, secret="s" * 40, token_hours=1, rounds=4), Users(storage, rounds=4)
    user = await elsewhere.add("anna", PASSWORD, "user")
    token = (await here.login("anna", PASSWORD, "10.0.0.1")).access_token
    key = await here.keys.create(user.id, "laptop")
    await here.authenticate(token)
    await here.authenticate(key)
    await elsewhere.set_role("anna", "admin")
    assert (await here.authenticate(key)).role == "admin"
    with pytest.raises(Unauthorized):
        await here.authenticate(token)
    await elsewhere.set_disabled("anna", True)
    with pytest.raises(Unauthorized):
        await here.authenticate(key)


@pytest.mark.parametrize("all_of_them", [True, False])
async def test_key_that_is_ended_elsewhere_is_out_here_once_that_has_returned(
    storage: Counted, all_of_them: bool
) -> None:
    here, elsewhere = Identity(storage, secret="s" * 40, token_hours=1, rounds=4), ApiKeys(storage)
    user = await here.users.add("anna", PASSWORD, "user")
    key = await here.keys.create(user.id, "laptop")
    await here.authenticate(key)
    await (elsewhere.revoke_all(user.id) if all_of_them else elsewhere.revoke(user.id, key))
    with pytest.raises(Unauthorized):
        await here.authenticate(key)


async def test_key_that_expires_under_a_lease_is_out_at_its_time(
    storage: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ApiKeys(storage)
    key = await own.create("anna", "laptop", expires_in_days=1)
    assert await own.find(key)
    later = time.time() + 86_400
    monkeypatch.setattr(keys, "time", SimpleNamespace(time=lambda: later))
    assert await own.find(key) is None
    assert storage.loads == 1
