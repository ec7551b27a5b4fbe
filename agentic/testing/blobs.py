"""Kit for stores of files: :class:`BlobConformance`. For tests of everything else: :class:`MemoryBlobs`.

A plugin subclasses the kit in its own tests and says how its store is made::

    class TestMyBlobs(BlobConformance):
        @pytest.fixture
        async def store(self, tmp_path):
            store = MyBlobs(tmp_path)
            yield store
            await store.aclose()

        @pytest.fixture
        def reopen(self, tmp_path):
            return lambda: MyBlobs(tmp_path)

The tests are async: run them with pytest-asyncio in auto mode.
"""

from __future__ import annotations

import hashlib
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from agentic.errors import NotFound
from agentic.ports.blobs import BlobStore
from agentic.testing.blob_keys import KEYS, NO_KEYS
from agentic.testing.blobs_sharing import SharedBlobConformance
from agentic.testing.memory_blobs import MemoryBlobs, pieces_of, whole

__all__ = ["BlobConformance", "MemoryBlobs", "pieces_of", "whole"]

BIG = 50 * 1024 * 1024
AT_ONCE = 24 * 1024 * 1024
"""What a store may hold of a file at once, in bytes."""


class BlobConformance(SharedBlobConformance):
    """Everything that the port promises. Override ``store`` and, where files can be shared, ``reopen``.

    ``in_memory``: the store keeps files in memory, so that a big one takes as much of it.
    """

    in_memory = False

    @pytest.fixture
    async def store(self) -> BlobStore:
        """The store under test, empty and fresh."""
        raise NotImplementedError("override the fixture `store`")

    @pytest.fixture
    def reopen(self) -> Callable[[], BlobStore] | None:
        """Opens one more store on the same files, as another process would; None where there is no such thing."""
        return None

    async def test_missing_file_is_not_found_at_the_first_step(self, store: BlobStore) -> None:
        await store.put("folder/file", pieces_of(b"x"))
        for key in ("nothing", "nothing/below", "folder", "folder/file/below"):
            opened = store.open(key)
            with pytest.raises(NotFound):
                await anext(opened)
            with pytest.raises(NotFound):
                await anext(store.open(key, 5))
            assert await store.size(key) is None
            assert await store.delete(key) is False
        assert await store.list("nothing/") == [] == await store.list("folder/file/")

    async def test_file_comes_back_with_its_size_and_time(self, store: BlobStore) -> None:
        before = time.time()
        assert await store.put("u/1/file.bin", pieces_of(b"one ", b"", bytes(range(256)), b" two")) == 264
        assert await whole(store, "u/1/file.bin") == b"one " + bytes(range(256)) + b" two"
        assert await store.size("u/1/file.bin") == 264
        [blob] = await store.list("u/1/")
        assert (blob.key, blob.size) == ("u/1/file.bin", 264)
        assert before - 2 <= blob.updated <= time.time() + 2, "updated is wall time in seconds"

    async def test_empty_file_is_a_file(self, store: BlobStore) -> None:
        for key, pieces in (("none", ()), ("nothing in it", (b"", b""))):
            assert await store.put(key, pieces_of(*pieces)) == 0
            assert await whole(store, key) == await whole(store, key, 7) == b""
            assert await store.size(key) == 0
        assert [blob.size for blob in await store.list("")] == [0, 0]
        assert await store.delete("none") is True

    async def test_put_replaces_the_file(self, store: BlobStore) -> None:
        for data in (b"first", b"", b"a longer third", b"4"):
            assert await store.put("k", pieces_of(data)) == len(data)
            assert await whole(store, "k") == data
        assert await _keys(store, "") == ["k"]

    async def test_open_begins_at_start(self, store: BlobStore) -> None:
        data = bytes(n * 31 % 251 for n in range(700_000))
        await store.put("k", pieces_of(data))
        for start in (0, 1, 65_536, 262_144, 262_145, len(data) - 1, len(data), len(data) + 1, 10**12):
            assert await whole(store, "k", start) == data[start:]
        with pytest.raises(ValueError, match="start"):
            await anext(store.open("k", -1))

    async def test_big_file_is_never_in_memory_as_a_whole(self, store: BlobStore) -> None:
        if self.in_memory:
            pytest.skip("this store is in memory")
        sent, got = hashlib.sha256(), hashlib.sha256()
        tracemalloc.start()
        try:
            assert await store.put("big", _counted(sent)) == BIG
            assert await _digest(store.open("big"), got) == BIG
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert got.digest() == sent.digest()
        assert peak < AT_ONCE, f"{peak / 1e6:.0f} MB were held at once"

    async def test_keys_may_hold_any_text_and_stay_apart(self, store: BlobStore) -> None:
        for key in KEYS:
            await store.put(key, pieces_of(key.encode()))
        for key in KEYS:
            assert await whole(store, key) == key.encode()
            assert await store.size(key) == len(key.encode())
        assert await _keys(store, "", limit=1000) == sorted(KEYS)
        for number, key in enumerate(KEYS):
            assert await store.delete(key) is True
            assert await store.size(key) is None
            assert len(await store.list("", limit=1000)) == len(KEYS) - number - 1

    @pytest.mark.parametrize("key", NO_KEYS, ids=lambda key: repr(key[:20]))
    async def test_what_is_no_key_is_refused_or_kept_as_text(self, store: BlobStore, key: str) -> None:
        kept = ["a/b", "up"]
        for one in kept:
            await store.put(one, pieces_of(b"mine"))
        try:
            await store.put(key, pieces_of(b"theirs"))
        except ValueError:
            await _refused_alike(store, key)
        else:
            assert await whole(store, key) == b"theirs"
            assert await _keys(store, "") == sorted([*kept, key])
            assert await store.delete(key) is True
        assert await _keys(store, "") == kept
        assert [await whole(store, one) for one in kept] == [b"mine"] * 2

    async def test_list_ends_at_the_slash_and_takes_wildcards_as_they_are(self, store: BlobStore) -> None:
        inside = ["u/1/a", "u/1/b/c", "u/1/ä"]
        for key in [*inside, "u/1", "u/10/a", "u/2/a", "U/1/a", "u%1/a", "u_1/a", "u*/1"]:
            await store.put(key, pieces_of(b"x"))
        assert await _keys(store, "u/1/") == inside
        assert await _keys(store, "u_1/") == ["u_1/a"]
        assert await _keys(store, "%/") == await _keys(store, "u/_/") == await _keys(store, "*/") == []
        for prefix in ("u", "u/1"):
            with pytest.raises(ValueError, match="/"):
                await store.list(prefix)

    async def test_key_order_is_by_code_point_and_pages_join(self, store: BlobStore) -> None:
        long = [f"p/{'k' * 250}{end}" for end in ("", "-", "-/a", "/a", "/b/c", "0", "zz/a", "é")]
        names = ("-", "10", "9", "A", "Z", "a", "a b", "a-", "a-/x", "a/b", "a/c/d", "a0", "b/", "é", "\uffee", "😀")
        keys = sorted([*long, *(f"p/{name.removesuffix('/')}" for name in names)])
        for key in reversed(keys):
            await store.put(key, pieces_of(b"x"))
        assert await _keys(store, "p/") == keys
        for size in (1, 2, 5):
            assert await _pages(store, "p/", size) == keys
        for after in ("p/M", "p/a/", "p/a/bb", "p/a/c/", f"p/{'k' * 250}-/"):
            assert await _keys(store, "p/", after=after) == [key for key in keys if key > after], "it need not exist"
        assert await _keys(store, "p/", after="z") == await _keys(store, "p/", limit=0) == []
        assert len(await store.list("p/", limit=3)) == 3

    async def test_delete_removes_one_file_alone(self, store: BlobStore) -> None:
        for key in ("k", "k/below", "k/below/that", "other"):
            await store.put(key, pieces_of(key.encode()))
        assert await store.delete("k/below") is True
        assert await store.delete("k/below") is False
        assert await _keys(store, "") == ["k", "k/below/that", "other"]
        with pytest.raises(NotFound):
            await anext(store.open("k/below"))
        assert await store.put("k/below", pieces_of(b"new")) == 3
        assert await whole(store, "k/below") == b"new"

    async def test_delete_under_ends_at_the_slash(self, store: BlobStore) -> None:
        stay = ["U/1/a", "other", "u", "u/1", "u/10/a"]
        for key in ("u/1/a", "u/1/b/c", "u/1/b/d.txt", "u/1/" + "k" * 300, *stay):
            await store.put(key, pieces_of(b"x"))
        for prefix in ("u", "", "u/1"):
            with pytest.raises(ValueError, match="/"):
                await store.delete_under(prefix)
        assert await store.delete_under("u/1/b/") == 2
        assert await store.delete_under("u/1/") == 2
        assert await _keys(store, "") == stay
        assert await store.delete_under("u/1/") == await store.delete_under("nothing/") == 0
        await store.put("u/1/a", pieces_of(b"new"))
        assert await whole(store, "u/1/a") == b"new"

    async def test_health_is_none_when_it_works(self, store: BlobStore) -> None:
        assert await store.health() is None
        assert await store.list("") == [], "it leaves nothing"


async def _keys(store: BlobStore, prefix: str, **options: Any) -> list[str]:
    return [blob.key for blob in await store.list(prefix, **options)]


async def _pages(store: BlobStore, prefix: str, size: int) -> list[str]:
    keys: list[str] = []
    while page := await _keys(store, prefix, after=keys[-1] if keys else None, limit=size):
        keys += page
    return keys


async def _refused_alike(store: BlobStore, key: str) -> None:
    for asking in (anext(store.open(key)), store.size(key), store.delete(key)):
        with pytest.raises((ValueError, NotFound)):
            assert not await asking
            raise NotFound("there is none, which is right as well")


async def _counted(digest: Any) -> AsyncIterator[bytes]:
    for number in range(BIG // 65_536):
        piece = number.to_bytes(4) * 16_384
        digest.update(piece)
        yield piece


async def _digest(stream: AsyncIterator[bytes], digest: Any) -> int:
    size = 0
    async for piece in stream:
        digest.update(piece)
        size += len(piece)
    return size
