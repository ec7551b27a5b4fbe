"""The kit for stores of files passes what keeps its promises, and fails what breaks one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from agentic import Blob
from agentic.testing.blobs import BlobConformance, MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from agentic.testing.storage import StorageConformance

REFUSED = (AssertionError, pytest.fail.Exception)


class TestMemoryBlobs(BlobConformance):
    in_memory = True

    @pytest.fixture
    async def store(self) -> MemoryBlobs:
        return MemoryBlobs()


class WritesAsItComes(MemoryBlobs):
    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        self._files[key] = (b"", 0.0)
        async for piece in stream:
            self._files[key] = (self._files[key][0] + piece, 1.0)
        return len(self._files[key][0])


class LeavesHalvesBehind(MemoryBlobs):
    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        self._files[f"{key}.part"] = (b"", 0.0)
        size = await super().put(key, stream)
        del self._files[f"{key}.part"]
        return size


class TakesWhatFails(MemoryBlobs):
    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        pieces: list[bytes] = []
        with suppress(RuntimeError):
            async for piece in stream:
                pieces.append(piece)
        return await super().put(key, _each(pieces))


class FindsNothingTooLate(MemoryBlobs):
    async def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        yield b""
        async for piece in super().open(key, start):
            yield piece


class IgnoresStart(MemoryBlobs):
    async def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        async for piece in super().open(key):
            yield piece


class IgnoresCase(MemoryBlobs):
    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        return await super().put(key.lower(), stream)

    def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        return super().open(key.lower(), start)


class ResolvesDots(MemoryBlobs):
    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        return await super().put(key.rpartition("../")[2], stream)

    def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        return super().open(key.rpartition("../")[2], start)


class ListsWhatBeginsAlike(MemoryBlobs):
    async def list(self, prefix: str, **options: Any) -> Sequence[Blob]:
        found = await super().list("", limit=1000)
        return [blob for blob in found if blob.key.startswith(prefix.rstrip("/"))]


class ListsInFolders(MemoryBlobs):
    """Files first, then folders, as a walk of folders gives them."""

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        found = await super().list(prefix, after=after, limit=limit)
        return sorted(found, key=lambda blob: (blob.key.count("/"), blob.key))


class DeletesTheFolder(MemoryBlobs):
    async def delete(self, key: str) -> bool:
        found = await super().delete(key)
        await super().delete_under(f"{key}/")
        return found


class DeletesWhatBeginsAlike(MemoryBlobs):
    async def delete_under(self, prefix: str) -> int:
        keys = [key for key in self._files if key.startswith(prefix.rstrip("/"))]
        return sum([await self.delete(key) for key in keys])


BROKEN: list[tuple[type[MemoryBlobs], str, tuple[Any, ...]]] = [
    (WritesAsItComes, "test_stream_that_raises_leaves_what_was_there", (b"old",)),
    (WritesAsItComes, "test_stream_that_raises_leaves_what_was_there", (None,)),
    (WritesAsItComes, "test_cancelled_put_leaves_what_was_there", (b"old",)),
    (WritesAsItComes, "test_of_many_puts_of_one_key_one_stands_whole", ()),
    (LeavesHalvesBehind, "test_stream_that_raises_leaves_what_was_there", (None,)),
    (LeavesHalvesBehind, "test_cancelled_put_leaves_what_was_there", (None,)),
    (TakesWhatFails, "test_stream_that_raises_leaves_what_was_there", (b"old",)),
    (FindsNothingTooLate, "test_missing_file_is_not_found_at_the_first_step", ()),
    (IgnoresStart, "test_open_begins_at_start", ()),
    (IgnoresCase, "test_keys_may_hold_any_text_and_stay_apart", ()),
    (ResolvesDots, "test_what_is_no_key_is_refused_or_kept_as_text", ("../up",)),
    (ListsWhatBeginsAlike, "test_list_ends_at_the_slash_and_takes_wildcards_as_they_are", ()),
    (ListsInFolders, "test_key_order_is_by_code_point_and_pages_join", ()),
    (DeletesTheFolder, "test_delete_removes_one_file_alone", ()),
    (DeletesWhatBeginsAlike, "test_delete_under_ends_at_the_slash", ()),
    (MemoryBlobs, "test_big_file_is_never_in_memory_as_a_whole", ()),
]


@pytest.mark.parametrize(("broken", "test", "more"), BROKEN)
async def test_store_that_breaks_a_promise_fails_the_kit(
    broken: type[MemoryBlobs], test: str, more: tuple[Any, ...]
) -> None:
    with pytest.raises(REFUSED):
        await getattr(BlobConformance(), test)(broken(), *more)


class ForgetsLogsUnder(MemoryStorage):
    async def delete_under(self, prefix: str) -> int:
        keys = [key for key in self._documents if key.startswith(prefix)]
        for key in keys:
            del self._documents[key]
        return len(keys)


class CountsTwice(MemoryStorage):
    async def delete_under(self, prefix: str) -> int:
        logs = len([key for key in self._logs if key.startswith(prefix)])
        return await super().delete_under(prefix) + logs


class DeletesNeighbours(MemoryStorage):
    async def delete_under(self, prefix: str) -> int:
        keys = {key for key in (*self._documents, *self._logs) if key.startswith(prefix.rstrip("/"))}
        for key in keys:
            await self.delete(key)
        return len(keys)


@pytest.mark.parametrize("broken", [ForgetsLogsUnder, CountsTwice, DeletesNeighbours])
async def test_storage_that_deletes_too_little_or_too_much_fails_the_kit(broken: type[MemoryStorage]) -> None:
    with pytest.raises(REFUSED):
        await StorageConformance().test_delete_under_takes_documents_and_logs_and_ends_at_the_slash(broken())


async def test_storage_that_takes_a_prefix_without_its_slash_fails_the_kit() -> None:
    with pytest.raises(REFUSED):
        await StorageConformance().test_prefix_without_its_slash_is_refused_and_nothing_is_deleted(DeletesNeighbours())


async def _each(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
