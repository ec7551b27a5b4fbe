"""What users may use: requests a minute, runs at once, tokens a day, bytes of files."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from agentic.documents.record import pages_key
from agentic.errors import BadRequest, QuotaExceeded, RateLimited, StorageError
from agentic.identity.limits import Meter
from agentic.identity.users import Users
from agentic.ports.space import Allowance, Principal
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage


def principal(user_id: str = "u-anna", **limits: int) -> Principal:
    return Principal(user_id, user_id.removeprefix("u-"), allowance=Allowance(**limits))


async def piece(size: int):
    yield b"x" * size


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def meter(storage: MemoryStorage, blobs: MemoryBlobs) -> Meter:
    return Meter(storage, blobs)


async def test_requests_beyond_those_of_a_minute_are_told_when_to_come_again(meter: Meter) -> None:
    anna = principal(requests_per_minute=3)
    for _ in range(3):
        await meter.take_request(anna)
    with pytest.raises(RateLimited, match="3 requests a minute") as refused:
        await meter.take_request(anna)
    assert refused.value.retry_after_s is not None
    assert 1 <= refused.value.retry_after_s <= 60
    await meter.take_request(principal("u-ben", requests_per_minute=3))


async def test_runs_beyond_those_at_once_are_refused(meter: Meter) -> None:
    anna = principal(runs_at_once=2)
    meter.check_runs(anna, 1)
    with pytest.raises(RateLimited, match="2 runs at once") as refused:
        meter.check_runs(anna, 2)
    assert refused.value.retry_after_s


async def test_tokens_of_a_day_are_used_up_until_the_next_one(
    meter: Meter, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = principal(tokens_per_day=100)
    await meter.spend(anna, 99)
    await meter.check_tokens(anna)
    await meter.spend(anna, 5)
    with pytest.raises(QuotaExceeded, match="100 tokens a day") as refused:
        await meter.check_tokens(anna)
    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 86_400
    assert (refused.value.status, refused.value.code) == (429, "insufficient_quota")
    monkeypatch.setattr("agentic.identity.limits._today", lambda: "2999-01-01")
    await meter.check_tokens(anna)
    assert await meter.tokens_today(anna.id) == 0
    await meter.spend(anna, 7)
    assert await meter.tokens_today(anna.id) == 7
    assert len(await storage.list("usage/")) == 1


async def test_tokens_of_all_servers_are_one_sum(storage: MemoryStorage) -> None:
    anna, servers = principal(tokens_per_day=10_000), [Meter(storage) for _ in range(4)]
    await asyncio.gather(*(server.spend(anna, 3) for server in servers for _ in range(10)))
    assert [await server.tokens_today(anna.id) for server in servers] == [120] * 4


async def test_tokens_that_cannot_be_counted_are_logged_and_cost_nobody_the_answer(
    meter: Meter, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StorageError("the disk is full")

    monkeypatch.setattr(storage, "save", full)
    await meter.spend(principal(tokens_per_day=100), 5)
    assert "Not counted: user=u-anna tokens=5: the disk is full" in caplog.text


async def test_nothing_is_read_or_written_for_who_has_no_limits(blobs: MemoryBlobs) -> None:
    class Untouched(MemoryStorage):
        async def load(self, key: str):
            raise StorageError("read")

        async def save(self, key, value, *, if_version=None):
            raise StorageError("written")

    meter, anna = Meter(Untouched(), blobs), principal()
    for _ in range(1000):
        await meter.take_request(anna)
    meter.check_runs(anna, 1000)
    await meter.check_tokens(anna)
    await meter.spend(anna, 1000)
    async with meter.storing(anna) as take:
        take(10**12)


async def test_files_may_fill_the_room_and_not_a_byte_more(meter: Meter, blobs: MemoryBlobs) -> None:
    anna = principal(storage_bytes=100)
    await blobs.put("spaces/u-anna/runs/r/a.txt", piece(60))
    await blobs.put("spaces/u-ben/runs/r/a.txt", piece(1000))
    async with meter.storing(anna) as take:
        take(40)
        with pytest.raises(QuotaExceeded, match="100 bytes") as refused:
            take(1)
    assert refused.value.retry_after_s


async def test_what_is_stored_at_once_shares_the_room_and_what_fails_gives_it_back(
    meter: Meter, blobs: MemoryBlobs
) -> None:
    anna = principal(storage_bytes=100)
    await blobs.put("spaces/u-anna/a", piece(10))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(meter.storing(anna))
        first(50)
        with pytest.raises(ConnectionError):
            async with meter.storing(anna) as take:
                take(40)
                with pytest.raises(QuotaExceeded):
                    take(1)
                raise ConnectionError("the client went away")
        async with meter.storing(anna) as take:
            take(40)
        with pytest.raises(QuotaExceeded):
            first(1)


async def test_files_that_could_not_be_counted_are_counted_by_whoever_comes_next(blobs: MemoryBlobs) -> None:
    class OnceIll(MemoryBlobs):
        times = 0

        async def list(self, *arguments, **options):
            self.times += 1
            await asyncio.sleep(0)
            if self.times == 1:
                raise StorageError("the disk is away")
            return await blobs.list(*arguments, **options)

    anna, meter = principal(storage_bytes=100), Meter(MemoryStorage(), OnceIll())
    await blobs.put("spaces/u-anna/a", piece(100))

    async def store() -> None:
        async with meter.storing(anna) as take:
            take(1)

    failures = await asyncio.gather(store(), store(), return_exceptions=True)
    assert [type(one) for one in failures] == [StorageError, QuotaExceeded]


async def test_afterwards_the_files_are_counted_anew(meter: Meter, blobs: MemoryBlobs) -> None:
    anna = principal(storage_bytes=100)
    async with meter.storing(anna) as take:
        take(100)
        await blobs.put("spaces/u-anna/a", piece(100))
    with pytest.raises(QuotaExceeded):
        async with meter.storing(anna) as take:
            take(1)
    await blobs.delete("spaces/u-anna/a")
    async with meter.storing(anna) as take:
        take(100)


async def test_files_are_counted_over_many_pages(
    meter: Meter, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic.ports.paging.PAGE", 2)
    for number in range(5):
        await blobs.put(f"spaces/u-anna/{number}", piece(3))
    assert await meter.stored("u-anna") == 15


async def test_what_was_read_out_of_documents_is_not_counted(meter: Meter, blobs: MemoryBlobs) -> None:
    await blobs.put("spaces/u-anna/uploads/d-1_report.pdf", piece(40))
    await blobs.put(f"spaces/u-anna/{pages_key('d-1')}", piece(60))
    assert await meter.stored("u-anna") == 40


async def test_own_limits_take_the_place_of_the_servers_one_by_one(storage: MemoryStorage) -> None:
    meter = Meter(storage, defaults=Allowance(runs_at_once=2, tokens_per_day=1000))
    users = Users(storage, rounds=4)
    await users.add("anna", "correct horse battery", "user")
    anna = await users.set_limits("anna", {"runs_at_once": None, "storage_bytes": 5})
    assert meter.allowance(anna.limits) == Allowance(tokens_per_day=1000, storage_bytes=5)
    assert anna.token_version == 1, "limits end no tokens"


@pytest.mark.parametrize("limits", [{"runs": 1}, {"runs_at_once": 0}, {"runs_at_once": -1}, {"runs_at_once": True}])
async def test_limits_that_are_none_are_refused(storage: MemoryStorage, limits: dict[str, int]) -> None:
    users = Users(storage, rounds=4)
    await users.add("anna", "correct horse battery", "user")
    with pytest.raises(BadRequest, match="requests_per_minute"):
        await users.set_limits("anna", limits)
