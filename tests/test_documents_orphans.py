"""What the doctor finds and removes of conversations, runs and work whose owner is gone."""

from __future__ import annotations

import asyncio

import pytest

from agentic.documents.orphans import Orphan, Orphans
from agentic.messages import Message
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import Conversations, Turn
from agentic.runtime.spaces import Scope, of_user
from agentic.testing.memory_blobs import pieces_of
from tests.document_fixtures import Office

GONE = "0" * 24
SERVER = "5e7fe700"


def run_id(number: int, server: str = SERVER) -> str:
    return f"run_{server}{number:012x}"


async def talk(mine: Scope, number: int) -> str:
    """A conversation with a run that has made a file."""
    conversations = Conversations(mine, "ann")
    session_id = conversations.new_id()
    message = Message("user", "hello")
    turn = Turn((message,), (message,), 0)
    await conversations.begin(session_id, turn, new=True, run_id=run_id(number))
    await mine.storage.append(f"runs/{run_id(number)}", [{"type": "run_started", "session_id": session_id}])
    await mine.storage.save(f"sessions/{session_id}/notes/one", {"kept": "by a plugin"})
    await mine.storage.save(f"summaries/{session_id}", {"text": "a summary"})
    await mine.blobs.put(f"runs/{run_id(number)}/made.txt", pieces_of(b"made"))
    return session_id


async def found(office: Office) -> list[Orphan]:
    library = office.kernel.documents
    users = {one.id for one in office.people.values()}
    return [one async for one in Orphans(library.everything, library.jobs, users).find()]


async def test_logs_and_files_of_a_conversation_that_is_gone_are_found_and_removed(office: Office) -> None:
    everything, ann = office.kernel.everything, office.people["ann"]
    mine = of_user(everything, ann)
    kept, lost = await talk(mine, 1), await talk(mine, 2)
    assert await found(office) == []
    # As a crash in the middle of a deletion leaves it: the head is gone, all else is there.
    log = await mine.storage.read(f"conversations/{lost}")
    await mine.storage.delete(f"conversations/{lost}")
    await mine.storage.append(f"conversations/{lost}", log)
    space = f"spaces/{ann.id}/"
    left = await found(office)
    assert {(one.kind, one.place.removeprefix(space)) for one in left} == {
        ("log", f"conversations/{lost}"),
        ("log", f"runs/{run_id(2)}"),
        ("document", f"sessions/{lost}/notes/one"),
        ("document", f"summaries/{lost}"),
        ("file", f"runs/{run_id(2)}/made.txt"),
    }
    for one in left:
        await one.remove()
    assert await found(office) == []
    keys = await mine.storage.keys("")
    assert [key for key in keys if lost in key or run_id(2) in key] == []
    assert len([key for key in keys if kept in key]) == 3
    assert await mine.blobs.size(f"runs/{run_id(1)}/made.txt") == 4
    assert await mine.blobs.size(f"runs/{run_id(2)}/made.txt") is None


async def test_log_of_a_document_that_is_gone_is_found_though_no_document_is_beside_it(office: Office) -> None:
    ann = office.people["ann"]
    file_id = (await office.upload("a line"))["file_id"]
    storage = office.kernel.storage
    await storage.append(f"spaces/{ann.id}/plugins/documents/left/doc_{'0' * 24}", ["a line"])
    [left] = await found(office)
    assert (left.kind, left.place.endswith(f"left/doc_{'0' * 24}")) == ("log", True)
    await left.remove()
    assert await found(office) == []
    assert (await office.shown(file_id))["status"] == "ready"


async def test_run_without_a_log_belongs_to_its_server_until_that_was_seen_to(office: Office) -> None:
    everything, ann = office.kernel.everything, office.people["ann"]
    mine, storage = of_user(everything, ann), everything.storage
    await mine.blobs.put(f"runs/{run_id(3)}/made.txt", pieces_of(b"made"))
    await mine.storage.save(f"runs/{run_id(4)}/request", {})
    await storage.save(f"servers/{SERVER}", {})
    assert await found(office) == [], "it may be at work, or is marked as cut at the next start"
    await storage.delete(f"servers/{SERVER}")
    await storage.save(f"open_runs/{run_id(4)}", {"user": {"id": ann.id}})
    assert [one.place.split("/")[-2:] for one in await found(office)] == [[run_id(3), "made.txt"]]
    await storage.delete(f"open_runs/{run_id(4)}")
    assert [one.kind for one in await found(office)] == ["document", "file"]


async def test_work_and_counts_of_users_that_are_gone_are_found(office: Office) -> None:
    storage, ann = office.kernel.storage, office.people["ann"]
    await storage.save(f"usage/{ann.id}", {"day": "2026-01-01", "tokens": 1})
    for key, value in {
        f"ingestion/nobody/doc_{'0' * 24}": {"name": "a.txt"},
        f"open_runs/{run_id(5)}": {"user": {"id": "nobody"}},
        "usage/nobody": {"day": "2026-01-01", "tokens": 1},
    }.items():
        await storage.save(key, value)
    left = await found(office)
    assert [one.place.split("/")[0] for one in left] == ["ingestion", "open_runs", "usage"]
    for one in left:
        await one.remove()
    assert await found(office) == []


async def test_conversation_whose_head_is_written_meanwhile_is_no_leftover(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = of_user(office.kernel.everything, office.people["ann"])
    await mine.storage.append(f"conversations/{GONE}", [{"role": "user", "content": "hello"}])
    kind = type(office.kernel.storage)
    load, writing = kind.load, asyncio.Lock()

    async def late(self: StorageBackend, key: str) -> object:
        found = await load(self, key)
        if key.endswith(GONE) and not writing.locked():
            await writing.acquire()
            await self.save(key, {"title": "hello", "created_at": "now"})
        return found

    monkeypatch.setattr(kind, "load", late)
    assert await found(office) == []
    assert writing.locked()
