"""Everything moves to another storage: whole, compared, and taken up again where it was cut."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from agentic import StorageError, Stored
from agentic.runtime.copying import (
    MARKER,
    Copied,
    copy_blobs,
    copy_storage,
    count_files,
    count_keys,
    finish,
    finish_files,
    refuse_half_a_copy,
)
from agentic.testing.blobs import MemoryBlobs, pieces_of, whole
from agentic.testing.storage import MemoryStorage


class Named(MemoryStorage):
    """A storage that fails at the given key, as one that is cut off does."""

    def __init__(self, name: str = "memory", fails_at: str = "") -> None:
        super().__init__()
        self.name = name
        self.fails_at = fails_at
        self.restored: list[str] = []

    async def restore(self, stored: Stored) -> None:
        if stored.key == self.fails_at:
            raise StorageError("the line was cut")
        self.restored.append(stored.key)
        await super().restore(stored)


class Forgetful(Named):
    """Loses the last item of every append."""

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        before = len(self._logs.get(key, ()))
        await super().append(key, items[:-1])
        return before + len(items)


def ignored(_key: str) -> None:
    """Nobody looks at the progress."""


@pytest.fixture
async def source() -> Named:
    storage = Named("old")
    for n in range(3):
        await storage.save("users/1", {"name": "ann", "n": n})
    await storage.save("spaces/1/note", "x\x00y")
    await storage.append("spaces/1/note", list(range(450)))
    await storage.append("spaces/1/only-a-log", [{"a": 1}])
    await storage.save("servers/gone", {})
    return storage


def contents(storage: MemoryStorage) -> tuple[Any, Any]:
    documents = {key: value for key, value in storage._documents.items() if not key.startswith("servers/")}
    return documents, storage._logs


async def test_documents_keep_version_and_time_and_logs_without_a_document_come_along(source: Named) -> None:
    target, copied, told = Named("new"), Copied(), []
    await copy_storage(source, target, copied, told.append)
    await finish(target)
    assert contents(target) == contents(source)
    assert (copied.documents, copied.items) == (2, 451)
    assert len(told) == 2 * await count_keys(source) == 6
    assert [key for key in target._documents if key.startswith("servers/") or key == MARKER] == []


async def test_copy_that_was_cut_goes_on_where_it_was(source: Named) -> None:
    target = Named("new", fails_at="users/1")
    with pytest.raises(StorageError, match="cut"):
        await copy_storage(source, target, Copied(), ignored)
    assert MARKER in target._documents
    target.fails_at, target.restored = "", []
    # What happened to the source in between comes along.
    await source.delete("spaces/1/only-a-log")
    await source.delete("spaces/1/note")
    await source.append("spaces/1/note", ["anew"])
    await copy_storage(source, target, Copied(), ignored)
    await finish(target)
    assert contents(target) == contents(source)
    assert target.restored == ["users/1"]


async def test_log_that_was_written_anew_in_the_same_length_is_copied_once_more(source: Named) -> None:
    target = Named("new", fails_at="users/1")
    with pytest.raises(StorageError, match="cut"):
        await copy_storage(source, target, Copied(), ignored)
    target.fails_at = ""
    await source.delete("spaces/1/only-a-log")
    await source.append("spaces/1/only-a-log", [{"b": 2}])
    copied = Copied()
    await copy_storage(source, target, copied, ignored)
    await finish(target)
    assert contents(target) == contents(source)
    assert (copied.documents, copied.items) == (2, 451)


async def test_half_a_copy_is_refused_until_it_is_finished(source: Named) -> None:
    target = Named("new")
    await refuse_half_a_copy(target, MemoryBlobs())
    await copy_storage(source, target, Copied(), ignored)
    with pytest.raises(StorageError, match=r"a copy of old that is not at its end\. Run the same .*--to new' again"):
        await refuse_half_a_copy(target, MemoryBlobs())
    # What was compared already is no hindrance: files may have been cut off after it.
    await copy_storage(source, target, Copied(), ignored)
    await finish(target)
    await refuse_half_a_copy(target, MemoryBlobs())


async def test_storage_that_holds_something_else_is_left_alone(source: Named) -> None:
    target = Named("new")
    await target.save("users/2", "theirs")
    with pytest.raises(StorageError, match=r"holds 1 keys already, such as users/2\. Copy to an empty one"):
        await copy_storage(source, target, Copied(), ignored)
    assert list(target._documents) == ["users/2"]
    half = Named("half")
    await half.save(MARKER, {"from": "another"})
    with pytest.raises(StorageError, match="a copy of another that is not at its end"):
        await copy_storage(source, half, Copied(), ignored)


async def test_storage_that_does_not_keep_what_it_is_given_is_found_out(source: Named) -> None:
    with pytest.raises(StorageError, match="new differs from its source at spaces/1/"):
        await copy_storage(source, Forgetful("new"), Copied(), ignored)


async def test_files_are_copied_and_compared_and_a_changed_one_is_copied_again() -> None:
    source, target = MemoryBlobs(), MemoryBlobs()
    for key, data in (("u/1/a", b"abc"), ("u/1/b", b""), ("u/2/c", b"x" * 100_000)):
        await source.put(key, pieces_of(data))
    await target.put("u/1/a", pieces_of(b"old"))
    copied = Copied()
    await copy_blobs(MemoryStorage(), source, target, copied, ignored)
    assert [await whole(target, blob.key) for blob in await source.list("")] == [b"abc", b"", b"x" * 100_000]
    assert (copied.files, copied.bytes) == (await count_files(source), 100_003)
    await target.put("u/3/theirs", pieces_of(b"x"))
    with pytest.raises(StorageError, match="holds others already, such as u/3/theirs"):
        await copy_blobs(MemoryStorage(), source, target, copied, ignored)


async def test_half_a_copy_of_files_is_refused_until_it_is_finished_and_their_source_is_not() -> None:
    storage, source, target, other = MemoryStorage(), MemoryBlobs(), MemoryBlobs(), MemoryBlobs()
    target.name, other.name = "new", "other"
    await source.put("a", pieces_of(b"abc"))
    await other.put("b", pieces_of(b"theirs"))
    with pytest.raises(StorageError, match="holds others already"):
        await copy_blobs(storage, source, other, Copied(), ignored)
    await refuse_half_a_copy(storage, other)
    await copy_blobs(storage, source, target, Copied(), ignored)
    with pytest.raises(StorageError, match=r"new holds a copy that is not at its end\. Run the same .*--blobs-to new'"):
        await refuse_half_a_copy(storage, target)
    await refuse_half_a_copy(storage, source)
    await copy_blobs(storage, source, target, Copied(), ignored)
    await finish_files(storage, target)
    await refuse_half_a_copy(storage, target)


class Mangling(MemoryBlobs):
    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        return await super().put(key, pieces_of(b"".join([piece async for piece in stream])[::-1]))


async def test_store_that_mangles_files_is_found_out() -> None:
    source = MemoryBlobs()
    await source.put("a", pieces_of(b"abc"))
    with pytest.raises(StorageError, match="differs from its source at a"):
        await copy_blobs(MemoryStorage(), source, Mangling(), Copied(), ignored)
