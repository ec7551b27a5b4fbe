"""What the backend does when a file, the disk or its caller is at fault; and what people find in its folders."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import stat
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx

from agentic import Conflict, StorageBackend, StorageError
from agentic_storage_files import agentic_storage_backends
from agentic_storage_files.backend import FileStorage
from agentic_storage_files.names import LONGEST, names_of, text_of
from agentic_storage_files.settings import Settings

MARKER = "correct horse battery staple"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def storage(data: Path) -> AsyncIterator[FileStorage]:
    storage = FileStorage(data, busy_s=0.3)
    yield storage
    await storage.aclose()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a full disk does, the system takes no more than that of a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def files_in(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if ".locks" not in path.parts)


def holding(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def modes_in(folder: Path) -> set[tuple[bool, int]]:
    return {(path.is_file(), stat.S_IMODE(path.stat().st_mode)) for path in [folder, *folder.rglob("*")]}


def edit(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


async def test_people_find_users_conversations_and_sessions_where_they_look(data: Path, storage: FileStorage) -> None:
    await storage.save("users/u1", {"name": "Ann"})
    await storage.save("spaces/u1/conversations/s1", {"title": "Plans"})
    await storage.append("spaces/u1/conversations/s1", [{"role": "user", "content": "é"}, {"role": "assistant"}])
    await storage.save("spaces/u1/sessions/s1/memo/Last Note", 1)
    await storage.save("keys/h", {})
    assert files_in(data) == [
        "conversations/u1/s1.json",
        "conversations/u1/s1.jsonl",
        "sessions/u1/s1/memo/!last%20!note.json",
        "storage/keys/h.json",
        "users/u1.json",
    ]
    assert json.loads(_read(data / "users/u1.json")) == {"version": 1, "value": {"name": "Ann"}}
    head, *lines = _read(data / "conversations/u1/s1.jsonl").splitlines()
    assert list(json.loads(head)) == ["log"]
    assert [json.loads(line) for line in lines] == [{"role": "user", "content": "é"}, {"role": "assistant"}]


def _read(path: Path) -> str:
    return path.read_text("utf-8")


async def test_parts_of_the_tree_may_lie_elsewhere_and_are_listed_as_one(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "d", users=tmp_path / "u", sessions=tmp_path / "s", conversations=tmp_path / "c")
    keys = [
        "keys/h",
        "spaces/u1/conversations/s1",
        "spaces/u1/note",
        "spaces/u1/sessions/s1/memo/k",
        "spaces/u2/conversations/s1",
        "spaces/" + "k" * 300 + "/conversations/s",
        "users/u1",
    ]
    for key in keys:
        await storage.save(key, 1)
    assert list(await storage.keys("")) == sorted(keys)
    assert [one.key for one in await storage.list("spaces/u1/")] == keys[1:4]
    assert [one.key for one in await storage.list("spaces/u1/conversations/")] == keys[1:2]
    assert await storage.delete_under("spaces/u1/") == 3
    assert await storage.delete_under("users/") == 1
    assert [files_in(tmp_path / name) for name in "usc"] == [[], [], ["u2/s1.json"]]
    await storage.save("users/u1", 1)
    assert await storage.delete_under("spaces/") == 2
    assert list(await storage.keys("")) == ["keys/h", "users/u1"]
    await storage.aclose()


async def test_file_that_a_person_has_edited_is_read_and_a_damaged_one_is_named(
    data: Path, storage: FileStorage
) -> None:
    await storage.save("users/u1", {"name": "Ann"})
    edit(data / "users/u1.json", json.dumps({"value": {"name": "Anna"}, "version": 7}, indent=4))
    stored = await storage.load("users/u1")
    assert stored is not None and (stored.value, stored.version) == ({"name": "Anna"}, 7)
    assert await storage.save("users/u1", {}, if_version=7) == 8
    for damaged in ('{"version": 1, "value": {"na', '{"version": 1,\n"value": {"na}\n', "", "[]"):
        edit(data / "users/u1.json", damaged)
        with pytest.raises(StorageError, match=r"data/users/u1\.json is damaged"):
            await storage.load("users/u1")
    edit(data / "users/u2.jsonl", "what is this?\n")
    with pytest.raises(StorageError, match=r"data/users/u2\.jsonl is damaged"):
        await storage.read("users/u2")


async def test_damaged_file_hides_no_healthy_one_in_a_list_of_the_newest_and_is_named_in_the_log(
    data: Path, storage: FileStorage, caplog: pytest.LogCaptureFixture
) -> None:
    keys = [f"spaces/u1/conversations/s{number}" for number in range(5)]
    for key in keys:
        await storage.save(key, {"title": key})
    for damaged in ("s4", "s2"):
        edit(data / f"conversations/u1/{damaged}.json", '{"version": 1, "value": {"ti')
    pages: list[list[str]] = []
    after: str | None = None
    while page := await storage.list("spaces/u1/conversations/", after=after, limit=2, newest_first=True):
        pages.append([one.key for one in page])
        after = page[-1].key
    assert pages == [[keys[3], keys[1]], [keys[0]]], "a page is full while there is more: a short one is the last"
    assert "conversations/u1/s2.json is damaged" in caplog.text
    assert "conversations/u1/s4.json is damaged" in caplog.text
    with pytest.raises(StorageError, match=r"conversations/u1/s2\.json is damaged"):
        await storage.list("spaces/u1/conversations/")
    assert list(await storage.keys("spaces/u1/conversations/")) == keys, "a copy misses nothing"


async def test_append_that_a_crash_has_cut_is_overlooked_and_then_cut_off(data: Path, storage: FileStorage) -> None:
    await storage.append("log", [1, 2])
    path = data / "storage/log.jsonl"
    whole = _bytes(path)
    for rest in (b'3 \n4 \n{"half', b"3 \n", b"3", b"3 \n4"):
        edit(path, whole + rest)
        other = FileStorage(data)
        for reader in (storage, other):
            assert list(await reader.read("log")) == [1, 2], "all of an append or nothing"
        assert await other.append("log", [], if_length=2) == 2
        assert await other.append("log", ["new"], if_length=2) == 3
        assert list(await storage.read("log")) == [1, 2, "new"]
        await other.aclose()


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


async def test_disk_that_takes_no_more_leaves_the_old_and_recovers_by_itself(data: Path, storage: FileStorage) -> None:
    await storage.save("k", "old")
    await storage.append("log", [1])
    before = files_in(data)
    big = "x" * 200_000
    with largest_file(100_000):
        for doing in (storage.save("k", big), storage.append("log", [2, big]), storage.save("new", big)):
            with pytest.raises(StorageError, match="File too large"):
                await doing
    assert files_in(data) == before
    stored = await storage.load("k")
    assert stored is not None and (stored.value, stored.version) == ("old", 1)
    assert list(await storage.read("log")) == [1]
    assert await storage.append("log", [2, big], if_length=1) == 3
    assert await storage.save("k", big, if_version=1) == 2


async def test_full_disk_is_called_so_and_what_was_not_flushed_is_not_there(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await storage.append("log", [1])
    other = FileStorage(storage.tree.root.parent)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for doing in (storage.append("log", [2]), storage.save("k", 1)):
        with pytest.raises(StorageError, match="the disk is full. Free some room".replace(".", r"\.")):
            await doing
    assert "disk is full" in str(await storage.health())
    monkeypatch.undo()
    assert list(await storage.read("log")) == list(await other.read("log")) == [1]
    assert await storage.load("k") is None
    assert await other.append("log", [3]) == 2
    assert list(await storage.read("log")) == [1, 3]
    assert await storage.health() is None
    await other.aclose()


async def test_folder_that_cannot_be_made_is_told_and_works_once_it_can(data: Path, storage: FileStorage) -> None:
    edit(data, "a file where the folder should be")
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        await storage.save("k", 1)
    assert await storage.health() is not None
    await asyncio.to_thread(data.unlink)
    assert await storage.save("k", 1) == 1


async def test_lock_held_too_long_is_told_and_readers_go_on(data: Path, storage: FileStorage) -> None:
    await storage.save("k", 1)
    hold = (
        "import fcntl, sys, time, pathlib\n"
        "files = [open(p, 'r+') for p in pathlib.Path(sys.argv[1]).iterdir()]\n"
        "[fcntl.flock(f, fcntl.LOCK_EX) for f in files]\n"
        "print('held', flush=True)\ntime.sleep(60)\n"
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", hold, str(data / "storage/.locks"), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None and await holder.stdout.readline() == b"held\n"
    with pytest.raises(StorageError, match="locked for too long"):
        await storage.save("k", 2)
    stored = await storage.load("k")
    assert stored is not None and stored.value == 1
    holder.kill()
    await holder.wait()
    assert await storage.save("k", 2) == 2, "the end of a process frees its locks"


async def test_deleted_text_leaves_the_disk_and_empty_folders_go_with_it(data: Path, storage: FileStorage) -> None:
    for key in ("users/u1", "spaces/u1/conversations/s1", "spaces/u1/deep/er/note", "spaces/u2/note"):
        await storage.save(key, MARKER)
        await storage.append(key, [MARKER])
    # A process was killed while it wrote these.
    edit(data / "conversations/u1/.s1.json.new", MARKER)
    edit(data / "users/.u1.json.new", MARKER)
    assert await storage.delete("users/u1") is True
    assert await storage.delete_under("spaces/u1/") == 2
    assert sorted(path.name for path in holding(data, MARKER)) == ["note.json", "note.jsonl"]
    assert await storage.delete("spaces/u2/note") is True
    assert holding(data, MARKER) == []
    assert [path for path in files_in(data) if path] == []
    assert sorted(path.name for path in (data / "storage").iterdir()) == [".locks"]


async def test_files_of_others_in_the_folders_are_left_alone(data: Path, storage: FileStorage) -> None:
    await storage.save("users/u1", 1)
    for name in (".DS_Store", "notes.txt", "Thumbs.db", "UPPER.json", "%zz.json"):
        edit(data / "users" / name, "not ours")
    assert list(await storage.keys("")) == ["users/u1"]
    assert await storage.delete("users/u1") is True
    assert (data / "users" / "notes.txt").exists()


async def test_files_and_folders_are_for_their_owner_alone(data: Path, storage: FileStorage) -> None:
    await storage.save("users/u1", 1)
    await storage.append("spaces/u1/log", [1])
    assert modes_in(data) == {(True, 0o600), (False, 0o700)}


async def test_neighbours_come_and_go_while_folders_are_removed(data: Path) -> None:
    storage = FileStorage(data)

    async def work(worker: int) -> None:
        for step in range(6):
            await storage.save(f"shared/deep/{worker}", step)
            await storage.append(f"shared/deep/{worker}", [step])
            assert await storage.delete(f"shared/deep/{worker}") is True

    async def sweep() -> None:
        for _ in range(6):
            await storage.delete_under("other/")

    await asyncio.gather(sweep(), *(work(worker) for worker in range(10)))
    assert list(await storage.keys("")) == []
    await storage.aclose()


async def test_log_is_read_from_the_middle_without_the_rest(storage: FileStorage) -> None:
    await storage.append("log", list(range(1000)))
    for start in (0, 1, 63, 64, 65, 500, 999):
        for limit in (1, 64, 65, 1000):
            assert list(await storage.read("log", after=start, limit=limit)) == list(range(1000))[start:][:limit]


def test_names_are_readable_and_come_back() -> None:
    assert names_of("Plan B.pdf") == ("!plan%20!b%2epdf",)
    for text in ("", ".", "..", "%", "!a", "a/b"[0], "É", "é", "漢", "\x00", "con", "K" * 500, "é" * 300):
        names = names_of(text)
        assert all(len(name.encode()) < LONGEST + 10 and "." not in name and "/" not in name for name in names)
        assert "".join(str(text_of(name)) for name in names) == text
    for stranger in ("UP", "%zz", "%41", "a%", "!!", "é"):
        assert text_of(stranger) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"users_path": "./data/users"}, "set STORAGE=files"),
        ({"sessions_path": "./s", "storage": "sqlite"}, "belongs to the storage 'files'"),
        ({"conversations_path": "./c/conversations.json", "storage": "files"}, "it names a folder"),
    ],
)
def test_folders_are_refused_where_they_mean_nothing(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings.model_validate(wrong)


def test_hook_makes_nothing_before_the_first_use_and_changes_no_default(data: Path) -> None:
    settings = Settings.model_validate({"storage": "files", "users_path": str(data / "people")})
    storage: StorageBackend = agentic_storage_backends(settings, data)
    assert isinstance(storage, FileStorage)
    assert (storage.name, storage.rank, storage.tree.users) == ("files", 0, data / "people")
    assert not data.exists()


async def test_closed_storage_refuses_wakes_its_readers_and_leaves_no_thread(storage: FileStorage) -> None:
    reader = asyncio.create_task(storage.read("log", wait_s=60))
    await asyncio.sleep(0.1)
    await storage.aclose()
    with pytest.raises(StorageError, match="closed"):
        await asyncio.wait_for(reader, 10)
    with pytest.raises(StorageError, match="closed"):
        await storage.load("x")
    await asyncio.sleep(0.2)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("files-storage")]


async def test_conflicts_change_nothing(storage: FileStorage) -> None:
    results = await asyncio.gather(*(storage.append("log", [n], if_length=0) for n in range(8)), return_exceptions=True)
    assert results.count(1) == 1 and sum(isinstance(one, Conflict) for one in results) == 7
    with pytest.raises(Conflict):
        await storage.append("none", [1], if_length=3)


async def test_event_loop_is_never_blocked(storage: FileStorage) -> None:
    with blockbuster_ctx():
        await storage.save("x", "x" * 1_000_000)
        await asyncio.gather(*(storage.append("log", [n]) for n in range(30)))
        assert len(await storage.read("log")) == 30
        assert await storage.read("log", after=30, wait_s=0.05) == []
        assert len(await storage.list("")) == 1
        assert await storage.delete("x") is True
        assert await storage.health() is None
        await storage.aclose()
