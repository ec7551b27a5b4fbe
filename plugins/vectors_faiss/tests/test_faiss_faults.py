"""What the store does when a file, the disk or its caller is at fault."""

from __future__ import annotations

import asyncio
import fcntl
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from agentic import StorageError, Vectors
from agentic_vectors_faiss import agentic_vector_stores
from agentic_vectors_faiss.settings import Settings
from agentic_vectors_faiss.store import FaissStore

resource = pytest.importorskip("resource")
ROWS = numpy.eye(16, dtype=numpy.float32)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaissStore]:
    store = FaissStore(tmp_path / "vector_db")
    yield store
    await store.aclose()


@pytest.fixture
def vectors(store: FaissStore) -> Vectors:
    return store.collection("u.rag", embedder="e", dimensions=16)


def file_of(store: FaissStore, doc: str = "doc") -> Path:
    return store.root / "u.rag" / doc / "vectors.npz"


def damaged(data: bytes, kind: str) -> bytes:
    half = len(data) // 2
    return {"empty": b"", "cut": data[:half], "other": b"x" * 500, "flipped": data[:half] + b"\xff" + data[half + 1 :]}[
        kind
    ]


@pytest.mark.parametrize("kind", ["empty", "cut", "other", "flipped"])
async def test_damaged_file_is_named_with_what_to_do_and_can_be_deleted(
    store: FaissStore, vectors: Vectors, kind: str
) -> None:
    await vectors.add("doc", range(16), ROWS)
    file = file_of(store)
    await asyncio.to_thread(file.write_bytes, damaged(file.read_bytes(), kind))
    with pytest.raises(StorageError, match=r"damaged: .*doc/vectors.npz. Remove .* agentic documents reindex"):
        await vectors.search(ROWS[0], 5)
    await vectors.delete("doc")
    assert list(await vectors.search(ROWS[0], 5)) == list(await store.scopes()) == []
    await vectors.add("doc", range(16), ROWS)
    assert len(await vectors.search(ROWS[0], 5)) == 5


async def test_no_flipped_byte_makes_anything_but_a_storage_error(store: FaissStore, vectors: Vectors) -> None:
    """Whatever is wrong with a file, the caller hears of it in one way: the format's own checksums find it."""
    await vectors.add("doc", range(4), ROWS[:4])
    file, faults = file_of(store), 0
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        await asyncio.to_thread(file.write_bytes, whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        store._held.clear()
        try:
            hits = await vectors.search(ROWS[0], 5)
        except StorageError:
            faults += 1
        else:
            # Bytes that mean nothing, such as a time, may change.
            assert {hit.number for hit in hits} == {0, 1, 2, 3}
            assert (hits[0].number, hits[0].score) == (0, 1.0)
    assert faults > len(whole) / 7 / 2


async def test_object_arrays_are_never_unpickled(store: FaissStore, vectors: Vectors, tmp_path: Path) -> None:
    await vectors.add("doc", [0], ROWS[:1])
    bomb = numpy.array([Bomb(tmp_path / "went-off")], dtype=object)
    await asyncio.to_thread(numpy.savez, file_of(store), about=bomb, numbers=bomb, rows=bomb)
    with pytest.raises(StorageError, match="damaged"):
        await vectors.search(ROWS[0], 5)
    assert not (tmp_path / "went-off").exists()


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


async def test_full_disk_fails_with_what_to_do_and_keeps_what_was_there(
    store: FaissStore, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vectors.add("doc", [0], ROWS[:1])

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="disk for vectors is full"):
            await vectors.add("doc", [1], ROWS[1:2])
        assert "full" in str(await store.health())
    assert [hit.number for hit in await vectors.search(ROWS[0], 5)] == [0]
    assert list((store.root / ".incoming").iterdir()) == [], "what was half written is gone"
    assert await store.health() is None


async def test_disk_that_takes_no_more_recovers_by_itself(store: FaissStore, vectors: Vectors) -> None:
    await vectors.add("small", [0], ROWS[:1])
    big = numpy.repeat(ROWS[:1], 20_000, axis=0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="failed"):
            await vectors.add("big", range(20_000), big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert dict(await vectors.documents()) == {"small": "e"}
    await vectors.add("big", range(20_000), big)
    assert set(await vectors.documents()) == {"small", "big"}


async def test_folder_that_cannot_be_made_is_an_error_of_storage(store: FaissStore, vectors: Vectors) -> None:
    store.root.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        await vectors.add("doc", [0], ROWS[:1])
    assert str(store.root) in str(await store.health())


async def test_what_a_crash_left_is_cleared_and_what_is_in_work_stays(tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    (incoming / "half-removed").mkdir(parents=True)
    (incoming / "half-removed" / "vectors.npz").write_bytes(b"old")
    (incoming / "half-written").write_bytes(b"half")
    with (incoming / "at-work").open("wb") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        store = FaissStore(tmp_path)
        assert list(await store.scopes()) == [], "what lies there is no scope"
        await store.aclose()
    assert [path.name for path in incoming.iterdir()] == ["at-work"]


async def test_strange_files_and_folders_are_passed_over(store: FaissStore, vectors: Vectors) -> None:
    await vectors.add("doc", [0], ROWS[:1])
    (store.root / "u.rag" / "empty").mkdir()
    (store.root / "u.rag" / "notes.txt").write_text("by hand")
    (store.root / "NotOurs").mkdir()
    (store.root / "README").write_text("by hand")
    assert list(await store.scopes()) == ["u.rag"]
    assert dict(await vectors.documents()) == {"doc": "e"}
    assert len(await vectors.search(ROWS[0], 5)) == 1


async def test_rows_that_are_no_numbers_are_refused(vectors: Vectors) -> None:
    with pytest.raises(ValueError, match="finite"):
        await vectors.add("doc", [0], ROWS[:1] * numpy.nan)
    with pytest.raises(ValueError, match="shape"):
        await vectors.search(numpy.zeros(8), 5)


async def test_files_are_for_their_owner_alone(store: FaissStore, vectors: Vectors) -> None:
    await vectors.add("doc", [0], ROWS[:1])
    for path in (store.root, store.root / "u.rag", store.root / "u.rag" / "doc"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(store).stat().st_mode) == 0o600


async def test_closed_store_refuses_and_leaves_no_thread(store: FaissStore, vectors: Vectors) -> None:
    await vectors.add("doc", [0], ROWS[:1])
    await store.aclose()
    with pytest.raises(StorageError, match="closed"):
        await vectors.search(ROWS[0], 5)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vectors")]


def test_hook_makes_nothing_before_the_first_use(tmp_path: Path) -> None:
    store = agentic_vector_stores(Settings(), tmp_path / "data")
    assert isinstance(store, FaissStore)
    assert store.root == tmp_path / "data" / "vector_db"
    elsewhere = agentic_vector_stores(Settings(vector_db_path=tmp_path / "elsewhere"), tmp_path / "data")
    assert isinstance(elsewhere, FaissStore)
    assert elsewhere.root == tmp_path / "elsewhere"
    assert list(tmp_path.iterdir()) == []


def test_one_object_serves_several_event_loops(tmp_path: Path) -> None:
    store = FaissStore(tmp_path)
    vectors = store.collection("s", embedder="e", dimensions=16)
    for number in range(2):
        asyncio.run(vectors.add(f"doc{number}", [number], ROWS[:1]))
    assert len(asyncio.run(vectors.search(ROWS[0], 5))) == 2
    asyncio.run(store.aclose())
