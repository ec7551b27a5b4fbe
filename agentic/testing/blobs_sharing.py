"""The part of the kit for stores of files about what fails half-way, many at once, and several processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from agentic.ports.blobs import BlobStore
from agentic.testing.memory_blobs import pieces_of, whole

Reopen = Callable[[], BlobStore] | None
SIZE = 300_000


class SharedBlobConformance:
    """What holds while others read and write. :class:`agentic.testing.blobs.BlobConformance` includes it."""

    @pytest.mark.parametrize("before", [b"old", None])
    async def test_stream_that_raises_leaves_what_was_there(self, store: BlobStore, before: bytes | None) -> None:
        if before is not None:
            await store.put("f/k", pieces_of(before))
        for pieces in ((), (b"new",), (b"x" * 3_000_000, b"new")):
            with pytest.raises(RuntimeError, match="the line was cut"):
                await store.put("f/k", _cut(*pieces))
            await _unchanged(store, before)

    @pytest.mark.parametrize("before", [b"old", None])
    async def test_cancelled_put_leaves_what_was_there(self, store: BlobStore, before: bytes | None) -> None:
        if before is not None:
            await store.put("f/k", pieces_of(before))
        for size in (10, 3_000_000):
            reached = asyncio.Event()
            putting = asyncio.create_task(store.put("f/k", _endless(size, reached)))
            await reached.wait()
            putting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await putting
            await _unchanged(store, before)

    async def test_put_cancelled_at_any_moment_gives_old_or_new_whole(self, store: BlobStore) -> None:
        await store.put("f/k", pieces_of(b"o" * SIZE))
        for step in range(12):
            putting = asyncio.create_task(store.put("f/k", pieces_of(b"n" * SIZE)))
            await asyncio.sleep(step * 0.0004)
            putting.cancel()
            with suppress(asyncio.CancelledError):
                await putting
            assert await whole(store, "f/k") in (b"o" * SIZE, b"n" * SIZE)
            assert [blob.key for blob in await store.list("")] == ["f/k"]

    async def test_reader_sees_old_or_new_whole(self, store: BlobStore) -> None:
        await store.put("k", pieces_of(b"0" * SIZE))
        writing = asyncio.create_task(_overwrite(store, "k", 20))
        while not writing.done():
            data = await whole(store, "k")
            assert len(data) == SIZE and len(set(data)) == 1, "a reader saw two files in one"
            assert await store.size("k") == SIZE
            await asyncio.sleep(0)
        await writing

    async def test_reader_left_alone_goes_on_while_the_file_is_replaced_or_gone(self, store: BlobStore) -> None:
        changes: list[Callable[[], Awaitable[object]]] = [
            lambda: store.put("f/k", pieces_of(b"new")),
            lambda: store.delete("f/k"),
            lambda: store.delete_under("f/"),
        ]
        for change in changes:
            await store.put("f/k", pieces_of(b"o" * 2_000_000))
            opened = store.open("f/k")
            data = await anext(opened)
            await change()
            async for piece in opened:
                data += piece
            assert data == b"o" * 2_000_000

    async def test_abandoned_reader_leaves_the_store_working(self, store: BlobStore) -> None:
        await store.put("k", pieces_of(b"x" * 2_000_000))
        for _ in range(50):
            opened = store.open("k")
            await anext(opened)
            await opened.aclose()  # type: ignore[attr-defined]
        assert len(await whole(store, "k")) == 2_000_000

    async def test_of_many_puts_of_one_key_one_stands_whole(self, store: BlobStore) -> None:
        letters = [bytes([65 + n]) for n in range(16)]
        sizes = await asyncio.gather(*(store.put("k", _slowly(letter, 20)) for letter in letters))
        assert sizes == [20_000] * 16
        assert await whole(store, "k") in [letter * 20_000 for letter in letters]
        assert [blob.key for blob in await store.list("")] == ["k"]

    async def test_files_come_and_go_side_by_side(self, store: BlobStore) -> None:
        """Neighbours delete the last file of a folder, and the folder, while others put files there."""

        async def work(worker: int) -> None:
            for step in range(8):
                await store.put(f"shared/deep/{worker}", pieces_of(b"%d" % step))
                await store.put(f"kept/{worker}/{step}", pieces_of(b"x"))
                assert await whole(store, f"shared/deep/{worker}") == b"%d" % step
                assert await store.delete(f"shared/deep/{worker}") is True

        await asyncio.gather(*(work(worker) for worker in range(12)))
        assert await store.list("shared/") == []
        assert len(await store.list("kept/", limit=1000)) == 96
        assert await store.delete_under("kept/") == 96

    async def test_reopened_store_sees_everything(self, store: BlobStore, reopen: Reopen) -> None:
        other = _other(reopen)
        try:
            await store.put("f/k", pieces_of(b"mine"))
            assert await whole(other, "f/k") == b"mine"
            assert await other.put("f/k", pieces_of(b"theirs")) == 6
            assert await whole(store, "f/k") == b"theirs"
            assert await other.delete("f/k") is True
            assert await store.size("f/k") is None
        finally:
            await other.aclose()

    async def test_opening_one_more_store_spoils_no_put_of_the_first(self, store: BlobStore, reopen: Reopen) -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            yield b"x" * 3_000_000
            reached.set()
            await go_on.wait()
            yield b"end"

        putting = asyncio.create_task(store.put("k", waiting()))
        await reached.wait()
        other = _other(reopen)
        try:
            await other.put("other", pieces_of(b"x"))
            go_on.set()
            assert await putting == 3_000_003
            assert (await whole(other, "k"))[-3:] == b"end"
        finally:
            putting.cancel()
            await other.aclose()

    async def test_closed_store_has_kept_what_was_put(self, store: BlobStore, reopen: Reopen) -> None:
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        await asyncio.gather(*(store.put(f"k/{n}", pieces_of(b"x" * n)) for n in range(20)))
        await store.aclose()
        other = reopen()
        try:
            assert sorted(blob.size for blob in await other.list("k/")) == list(range(20))
        finally:
            await other.aclose()

    async def test_several_processes_put_one_key(self, store: BlobStore, reopen: Reopen) -> None:
        """Several stores, each in a thread and an event loop of its own, replace one file and remove its folder."""
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, _put_and_delete(reopen(), n)) for n in range(3)))
        assert await store.list("") == []


def _other(reopen: Reopen) -> BlobStore:
    if reopen is None:
        pytest.skip("the fixture `reopen` is not given")
    return reopen()


async def _unchanged(store: BlobStore, before: bytes | None) -> None:
    assert await store.size("f/k") == (None if before is None else len(before))
    assert [blob.key for blob in await store.list("")] == ([] if before is None else ["f/k"])
    if before is not None:
        assert await whole(store, "f/k") == before


async def _overwrite(store: BlobStore, key: str, times: int) -> None:
    for n in range(times):
        await store.put(key, pieces_of(b"%d" % (n % 10) * SIZE))


async def _put_and_delete(store: BlobStore, number: int) -> None:
    try:
        for _ in range(10):
            await store.put("f/k", pieces_of(bytes([65 + number]) * 10_000))
            await store.delete("f/k")
    finally:
        await store.aclose()


async def _cut(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise RuntimeError("the line was cut")


async def _endless(size: int, reached: asyncio.Event) -> AsyncIterator[bytes]:
    yield b"x" * size
    reached.set()
    await asyncio.sleep(60)


async def _slowly(letter: bytes, pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        await asyncio.sleep(0)
        yield letter * 1000
