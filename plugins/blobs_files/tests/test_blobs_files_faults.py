"""What the store does when the folder, the disk or its caller is at fault."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import shutil
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from agentic import NotFound, StorageError
from agentic.testing.blobs import pieces_of, whole
from agentic_blobs_files import agentic_blob_stores, listing
from agentic_blobs_files.store import FileBlobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "files"


@pytest.fixture
async def store(root: Path) -> AsyncIterator[FileBlobs]:
    store = FileBlobs(root)
    yield store
    await store.aclose()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a full disk does, the system takes no more than that of a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def files_under(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def modes(root: Path) -> set[tuple[str, int]]:
    return {
        ("file" if path.is_file() else "folder", stat.S_IMODE(path.stat().st_mode))
        for path in [root.parent, root, *root.rglob("*")]
    }


async def test_file_that_the_disk_does_not_take_leaves_nothing(root: Path, store: FileBlobs) -> None:
    await store.put("f/old", pieces_of(b"old"))
    with largest_file(1_500_000):
        for key in ("f/old", "g/new"):
            with pytest.raises(StorageError, match="File too large"):
                await store.put(key, pieces_of(*[b"x" * 700_000] * 9))
    assert files_under(root) == ["f/old%"]
    assert not (root / "g").exists()
    assert await whole(store, "f/old") == b"old"
    assert await store.put("f/old", pieces_of(b"x" * 3_000_000)) == 3_000_000, "it works once there is room"


async def test_full_disk_is_called_so(store: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk for files is full"):
        await store.put("k", pieces_of(b"x"))
    monkeypatch.undo()
    assert files_under(store.root) == []
    assert await store.size("k") is None


async def test_folder_that_cannot_be_made_is_told_by_health_with_its_place(root: Path, store: FileBlobs) -> None:
    root.parent.write_text("a file where the folder should be")
    fault = await store.health()
    assert fault is not None and str(root) in fault
    with pytest.raises(StorageError, match=r"Not a directory|File exists") as failure:
        await store.put("k", pieces_of(b"x"))
    assert str(root) not in str(failure.value), "users are not told where files lie"
    root.parent.unlink()
    assert await store.health() is None
    assert await store.put("k", pieces_of(b"x")) == 1, "it works as soon as the fault is gone"


async def test_folder_taken_away_meanwhile_is_made_again(root: Path, store: FileBlobs) -> None:
    await store.put("k", pieces_of(b"x"))
    shutil.rmtree(root)
    with pytest.raises(NotFound):
        await anext(store.open("k"))
    assert await store.delete_under("f/") == 0
    assert await store.list("") == []
    assert await store.put("f/k", pieces_of(b"x")) == 1


async def test_files_and_folders_are_for_their_owner_alone(root: Path, store: FileBlobs) -> None:
    await store.put("a/b/c.txt", pieces_of(b"x"))
    assert modes(root) == {("file", 0o600), ("folder", 0o700)}


async def test_empty_folders_go_with_their_last_file(root: Path, store: FileBlobs) -> None:
    for key in ("a/b/c/1.txt", "a/b/2.txt", "d/e/3.txt", "d/e/f/4.txt"):
        await store.put(key, pieces_of(b"x"))
    await store.delete("a/b/c/1.txt")
    assert not (root / "a/b/c").exists() and (root / "a/b").exists()
    await store.delete("a/b/2.txt")
    await store.delete_under("d/e/")
    assert names_in(root) == [".incoming"]


async def test_files_of_others_in_the_folder_are_left_alone(root: Path, store: FileBlobs) -> None:
    await store.put("f/k.txt", pieces_of(b"x"))
    for name in (".DS_Store", "Thumbs.db", "notes", "f/~lock"):
        (root / name).write_text("not ours")
    (root / "folder.like.a.file").mkdir()
    assert [blob.key for blob in await store.list("")] == ["f/k.txt"]
    assert await store.delete("f/k.txt") is True
    assert (root / "f/~lock").exists()


async def test_page_reads_no_folder_that_it_does_not_need(store: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("a/b/1", "c/1", "c/2", "d/1"):
        await store.put(key, pieces_of(b"x"))
    read: list[str] = []
    entries = listing._entries
    monkeypatch.setattr(listing, "_entries", lambda folder, prefix: read.append(prefix) or entries(folder, prefix))
    assert [blob.key for blob in await store.list("", after="a/c", limit=2)] == ["c/1", "c/2"]
    assert read == ["", "a/", "c/"], "neither a/b/ nor d/"


async def test_cancelled_again_and_again_it_still_waits_for_the_disk(store: FileBlobs) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        started.set()
        go_on.wait(10)
        return "done"

    working = asyncio.create_task(store._work(slow))
    await asyncio.to_thread(started.wait)
    for _ in range(3):
        working.cancel()
        await asyncio.sleep(0.01)
        assert not working.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_closed_store_refuses_and_leaves_no_thread(store: FileBlobs) -> None:
    await store.put("k", pieces_of(b"x"))
    await store.aclose()
    await store.aclose()
    for refused in (store.put("k", pieces_of(b"y")), store.size("k"), anext(store.open("k"))):
        with pytest.raises(StorageError, match="closed"):
            await refused
    assert await store.health() is not None
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("files_")]


def test_hook_makes_nothing_before_the_first_use(tmp_path: Path) -> None:
    store = agentic_blob_stores(settings=None, data_dir=tmp_path / "data")
    assert (store.name, store.rank) == ("files", 10)
    assert not (tmp_path / "data").exists()


def test_one_object_serves_several_event_loops(root: Path) -> None:
    store = FileBlobs(root)
    for data in (b"a", b"bc"):
        assert asyncio.run(store.put("k", pieces_of(data))) == len(data)
    asyncio.run(store.aclose())


async def test_logs_name_no_file(root: Path, store: FileBlobs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (root / ".incoming").mkdir(parents=True)
    (root / ".incoming" / "left").write_text("x")
    await store.put("secret-plan.txt", pieces_of(b"secret"))
    await store.delete("secret-plan.txt")
    await store.aclose()
    assert "[Files] Cleared: 1" in caplog.text
    assert "secret" not in caplog.text


async def test_event_loop_is_never_blocked(store: FileBlobs) -> None:
    with blockbuster_ctx():
        await store.put("f/k", pieces_of(*[b"x" * 500_000] * 5))
        await asyncio.gather(*(store.put(f"f/{n}", pieces_of(b"x")) for n in range(30)))
        assert len(await whole(store, "f/k", 500_000)) == 2_000_000
        assert await store.size("f/k") == 2_500_000
        assert len(await store.list("")) == 31
        assert await store.delete("f/k") is True
        assert await store.delete_under("f/") == 30
        assert await store.health() is None
        await store.aclose()
