"""Taking documents in: what goes wrong is told, what is cut short is gone on with, what is deleted leaves nothing."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentic.documents import ingestion, patience, readers, standing
from agentic.documents.intake import Intake
from agentic.documents.jobs import LONGEST_WAIT_S
from agentic.documents.orphans import Orphans
from agentic.documents.record import find
from agentic.errors import Conflict, NotFound, StorageError
from agentic.kernel import Kernel
from agentic.ports.documents import Page
from agentic.runtime.departures import erase
from agentic.runtime.spaces import of_plugin, of_user
from agentic.testing.memory_blobs import pieces_of
from tests import document_plugins
from tests.document_fixtures import MARKER, Office, comes_true, indexed_times, refusal, traces
from tests.document_plugins import LineIndexer, StoreIndexer


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for another try waits for an instant, and progress is written at once."""
    monkeypatch.setattr(ingestion, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(ingestion, "LONGEST_WAIT_S", 0.001)
    monkeypatch.setattr(standing, "LOOK_S", 0.05)


async def begin(office: Office, data: str, name: str = "a.txt") -> str:
    """Upload without waiting."""
    response = await office.ann.post("/api/files/upload", files={"file": (name, data)})
    assert response.status_code == 200, response.text
    file_id: str = response.json()["file_id"]
    return file_id


async def crash(kernel: Kernel) -> None:
    """End the work of a kernel as a kill does: it writes nothing more, and is not seen any more."""
    library = kernel.documents
    library.ingestion._stopping.update(library.ingestion._held)
    await library.ingestion.aclose()
    await kernel.storage.delete(f"servers/{library._presence.id}")
    library._presence._is_seen = False


# What goes wrong while a document is read


UNREADABLE = {
    "CRASH": "The process that read it broke down",
    "BUG": "It cannot be read (ValueError): it is damaged",
    "ENCRYPTED": "It is encrypted. Upload it without a password.",
    "MEMORY": "READER_MEMORY_MB",
    "BOMB": "It holds more than 1000000 characters of text (READER_MAX_CHARACTERS)",
    "DISK": "It cannot be read (OSError)",
    " \n\t ": "It holds no text.",
}


async def test_document_that_cannot_be_read_has_failed_with_its_reason(opened: Any) -> None:
    office: Office = await opened(reader_max_characters=1_000_000)
    for text, reason in UNREADABLE.items():
        answer = await office.upload(text)
        assert (answer["status"], reason in answer["error"]) == ("failed", True), answer
        assert "what the file holds" not in answer["error"]
        asked = of_user(office.kernel.documents.everything, office.people["ann"]).documents
        with pytest.raises(Conflict, match=r"The text of 'a\.txt' is not there"):
            await asked.pages(answer["file_id"])
    assert LineIndexer.calls == 0
    assert list((office.data / "reading").rglob("*.txt")) == []
    for shown in (await office.ann.get("/api/files/documents")).json()["documents"]:
        assert (await office.ann.delete(f"/api/files/documents/{shown['file_id']}")).status_code == 200
    assert (office.files, await office.keys()) == ([], [])


async def test_reader_that_hangs_is_ended(opened: Any) -> None:
    office: Office = await opened(reader_timeout=2)
    answer = await office.upload("HANG")
    assert (answer["status"], "READER_TIMEOUT" in answer["error"]) == ("failed", True)
    assert (await office.upload("well"))["status"] == "ready"


async def test_document_whose_reader_is_gone_has_failed_with_its_reason(office: Office) -> None:
    office.kernel.documents.ingestion._queue._free = 0
    file_id = await begin(office, "text")
    office.kernel.documents.readers._readers = {}
    office.kernel.documents.ingestion._queue._give()
    assert "install a plugin" in (await office.until(file_id, "failed"))["error"]


# What goes wrong while it is indexed


async def test_what_the_indexer_refuses_has_failed_with_its_reason(office: Office) -> None:
    answer = await office.upload("REFUSED")
    assert (answer["status"], answer["error"]) == ("failed", "There is nothing in it to index.")


async def test_indexer_with_a_bug_is_tried_three_times(office: Office) -> None:
    file_id = await begin(office, f"BROKEN {MARKER}")
    shown = await office.until(file_id, "failed")
    assert shown["error"] == "The indexer 'lines' failed (RuntimeError). The server's log says more."
    assert LineIndexer.calls == 3


@pytest.mark.parametrize("line", ["FOREVER", "STUBBORN"])
async def test_indexer_that_hangs_is_stopped_and_lets_others_go_on(
    opened: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    """Also one that does not heed that it is cancelled."""
    monkeypatch.setattr(patience, "GRACE_S", 0.1)
    monkeypatch.setattr(LineIndexer, "released", False)
    office: Office = await opened(index_timeout=1, documents_at_once=1)
    hanging = await begin(office, f"first\n{line}")
    other = await begin(office, "another document")
    failed = await office.until(hanging, "failed")
    assert "The indexer 'lines' made no progress for 1 seconds and was stopped" in failed["error"]
    assert "INDEX_TIMEOUT" in failed["error"]
    await office.until(other, "ready")
    receipt = (await office.ann.delete(f"/api/files/documents/{hanging}")).json()
    assert receipt["removed"]["bytes"] == len(f"first\n{line}")
    assert "came late" not in caplog.text
    LineIndexer.released = True
    if line == "STUBBORN":
        await comes_true(lambda: is_told(caplog, "came late: document=" + hanging))
    assert [key for key in await office.keys() if hanging in key] == []


async def is_told(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.text


def test_patience_is_renewed_by_progress_alone_and_longer_with_a_long_document() -> None:
    now = 0.0
    one = patience.Patience(10, [Page("x" * 6000), Page("x" * 4000)], clock=lambda: now)
    assert (one.seconds, one.left) == (15, 15)
    now = 14.0
    one.told(0.1)
    assert one.left == 15
    now = 20.0
    one.told(0.1)
    one.told(0.05)
    assert one.left == 9
    now = 100.0
    assert one.left == 0


async def test_what_is_away_is_waited_for_and_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineIndexer, "away", True)
    answer = await office.upload("AWAY")
    assert answer["status"] == "indexing"
    assert answer["error"] == "It waits: The embedding server cannot be reached."
    for _ in range(4):
        await office.kernel.documents.ingestion.look()
        await office.kernel.documents.settled(office.people["ann"], answer["file_id"])
        await asyncio.sleep(0.05)
    monkeypatch.setattr(LineIndexer, "away", False)
    shown = await office.until(answer["file_id"], "ready")
    assert (shown["error"], shown["chunks"]) == ("", 1)


@pytest.mark.parametrize("where", ["in the reader's process", "in the server"])
async def test_full_disk_is_waited_for_and_is_no_fault_of_the_document(
    office: Office, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    full, copy = office.data / "full", readers._copy

    async def copied(pieces: AsyncIterator[bytes], path: Path) -> bytes:
        if where == "in the server" and await asyncio.to_thread(full.exists):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return await copy(pieces, path)

    monkeypatch.setattr(readers, "_copy", copied)
    full.touch()
    answer = await office.upload("FULL of words")
    assert answer["status"] == "indexing"
    assert answer["error"].startswith(
        "It waits: The server's disk does not take what reading it needs: No space left on "
    )
    full.unlink()
    shown = await office.until(answer["file_id"], "ready")
    assert (shown["error"], shown["chunks"]) == ("", 1)


async def test_document_waits_where_no_process_could_be_started_to_read_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(office.kernel.documents.readers._pool, "_module", "agentic.no_such_module")
        answer = await office.upload("one line")
        assert (answer["status"], answer["error"]) == (
            "indexing",
            "It waits: No process could be started to read it. The log says more.",
        )
    shown = await office.until(answer["file_id"], "ready")
    assert (shown["error"], shown["chunks"]) == ("", 1)


async def test_clock_set_back_keeps_no_document_waiting(office: Office) -> None:
    jobs = office.kernel.documents.jobs
    longest = LONGEST_WAIT_S + 0.2
    for name, wait_s in (("soon", 100.0), ("by a clock a little ahead", longest), ("set back", 3600.0)):
        job = await jobs.begin("someone", name, "a.txt")
        await jobs.save(job, server="", not_before=time.time() + wait_s)
    assert [job.document_id async for job in jobs.free()] == ["set back"]


async def test_work_that_fails_at_once_is_not_begun_again_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    async def fail(*_: Any) -> None:
        nonlocal begun
        begun += 1
        raise StorageError("away")

    monkeypatch.setattr(ingestion.Ingestion, "_work", fail)
    watching = asyncio.create_task(office.kernel.documents.watch())
    await begin(office, "text")
    await asyncio.sleep(0.3)
    watching.cancel()
    assert 1 <= begun < 10


async def test_what_stays_away_is_given_up_in_the_end(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineIndexer, "away", True)
    file_id = await begin(office, "AWAY")
    assert (await office.until(file_id, "failed"))["error"] == "The embedding server cannot be reached."
    assert LineIndexer.calls == ingestion.MOST_WAITS + 1
    monkeypatch.setattr(LineIndexer, "away", False)
    document = await office.kernel.documents.index_anew(office.people["ann"], file_id)
    assert (document.status, document.error, document.chunks) == ("ready", "", 1)


async def test_storage_that_fails_for_a_while_costs_no_document(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = True
    put = office.kernel.blobs.put

    async def full(key: str, stream: Any) -> int:
        if failing and "/pages/" in key:
            raise StorageError("The disk is full.")
        return await put(key, stream)

    monkeypatch.setattr(office.kernel.blobs, "put", full)
    file_id = await begin(office, "text")
    await office.kernel.documents.settled(office.people["ann"], file_id)
    assert (await office.shown(file_id))["error"] == "It waits: The disk is full."
    failing = False
    await office.until(file_id, "ready")


# What is cut short


async def test_unfinished_work_is_gone_on_with_after_a_restart(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first: Office = await opened()
    file_id = await begin(first, "one\nFOREVER")
    await indexed_times(1)
    await crash(first.kernel)
    monkeypatch.setattr(LineIndexer, "_obey", _obedient)
    second: Office = await opened()
    shutil.rmtree(second.data / "reading", ignore_errors=True)
    reads = _counted(second, monkeypatch)
    shown = await second.until(file_id, "ready")
    assert shown["chunks"] == 2
    assert reads == [], "pages that are kept are not read again"


async def test_server_that_stops_leaves_its_work_to_others_as_if_untried(opened: Any) -> None:
    first: Office = await opened()
    second: Office = await opened()
    file_id = await begin(first, "one\nFOREVER")
    await indexed_times(1)
    await second.kernel.documents.ingestion.look()
    assert LineIndexer.calls == 1, "one that lives keeps its work"
    await first.kernel.documents.aclose()
    job = await second.kernel.documents.jobs.find(first.people["ann"].id, file_id)
    assert job is not None
    assert (job.server, job.tries) == ("", 0)
    await second.kernel.documents.ingestion.look()
    await indexed_times(2)
    receipt = await second.ann.delete(f"/api/files/documents/{file_id}")
    assert receipt.status_code == 200
    assert (second.files, await second.keys()) == ([], [])


async def test_document_that_brings_the_server_down_is_tried_three_times(opened: Any) -> None:
    office: Office = await opened()
    file_id = await begin(office, "one\nFOREVER")
    for number in range(ingestion.MOST_TRIES):
        await indexed_times(number + 1)
        await crash(office.kernel)
        await office.kernel.documents.ingestion.look()
    shown = await office.until(file_id, "failed")
    assert "The server ended 3 times" in shown["error"]
    assert LineIndexer.calls == ingestion.MOST_TRIES


async def test_document_that_brings_servers_down_drags_no_other_along(opened: Any) -> None:
    office: Office = await opened(documents_at_once=3)
    for name in ("a.txt", "b.txt", "c.txt"):
        await begin(office, "one\nFOREVER", name)
    await indexed_times(3)
    await crash(office.kernel)
    await office.kernel.documents.ingestion.look()
    await indexed_times(4)
    await crash(office.kernel)
    jobs = await office.kernel.documents.jobs.of_user(office.people["ann"].id)
    assert sorted(job.tries for job in jobs) == [1, 1, 2]
    assert max(jobs, key=lambda job: job.tries).name == "a.txt", "the oldest goes first"


async def test_upload_that_was_cut_short_by_a_crash_is_removed(office: Office) -> None:
    library, ann = office.kernel.documents, office.people["ann"]
    job = await library.jobs.begin(ann.id, "doc_" + "a" * 24, "half.txt")
    await of_user(library.everything, ann).blobs.put(f"uploads/{job.document_id}_half.txt", pieces_of(b"half"))
    await crash(office.kernel)
    await library.ingestion.look()
    await comes_true(office.is_idle)
    assert (office.files, await office.keys()) == ([], [])


async def test_what_crashed_readers_left_is_removed(opened: Any) -> None:
    office: Office = await opened()
    left = office.data / "reading" / "0badc0de" / "doc_x"
    await asyncio.to_thread(left.mkdir, parents=True)
    await asyncio.to_thread((left / "secret.txt").write_text, MARKER)
    other: Office = await opened()
    await other.kernel.documents._presence.show()
    lives = office.data / "reading" / other.kernel.documents._presence.id
    await asyncio.to_thread(lives.mkdir)
    await office.kernel.documents.readers.clear(office.kernel.documents._presence)
    assert [one.name for one in (office.data / "reading").iterdir()] == [lives.name]


async def test_one_users_many_documents_keep_nobody_waiting(opened: Any) -> None:
    office: Office = await opened(documents_at_once=1)
    for number in range(5):
        await begin(office, f"SLOW {number}\n" * 3)
    response = await office.bob.post("/api/files/upload?wait=true", files={"file": ("b.txt", b"quick")})
    assert response.json()["status"] == "ready"
    waiting = (await office.ann.get("/api/files/documents?status=indexing")).json()["total"]
    assert waiting >= 3


# What is deleted


@pytest.mark.parametrize("when", ["ready", "failed", "indexing"])
async def test_nothing_is_left_of_a_deleted_document(
    office: Office, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {"ready": "", "failed": "REFUSED ", "indexing": "FOREVER "}[when]
    file_id = await begin(office, f"one {MARKER}\n{text}{MARKER}")
    await office.until(file_id, when)
    if when == "indexing":
        await indexed_times(1)
    answer = await office.ann.delete(f"/api/files/documents/{file_id}")
    size = len(f"one {MARKER}\n{text}{MARKER}")
    pieces = 2 if when == "ready" else 0
    removed = {"bytes": size, "pages": 1 if when == "ready" else 0, "chunks": pieces, "indexers": {"lines": pieces}}
    assert answer.json() == {"file_id": file_id, "doc_id": file_id, "filename": "a.txt", "removed": removed}
    refusal(await office.ann.get(f"/api/files/documents/{file_id}"), 404)
    refusal(await office.ann.delete(f"/api/files/documents/{file_id}"), 404)
    assert (office.files, await office.keys()) == ([], [])
    assert [one for one in traces(office.data) if "agentic.db" not in one] == []


async def test_document_deleted_at_another_server_is_given_up_and_leaves_nothing(opened: Any) -> None:
    first: Office = await opened()
    second: Office = await opened()
    file_id = await begin(first, "one\nFOREVER")
    await indexed_times(1)
    answer = await second.ann.delete(f"/api/files/documents/{file_id}")
    assert answer.status_code == 200, answer.text
    assert (first.files, await first.keys()) == ([], [])


async def test_deletion_that_an_indexer_holds_up_is_told_and_done_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = (await office.upload("UNFORGETTABLE"))["file_id"]
    monkeypatch.setattr(LineIndexer, "away", True)
    message = refusal(await office.ann.delete(f"/api/files/documents/{file_id}"), 503)
    assert "The document is deleted, but not all of its index" in message
    refusal(await office.ann.get(f"/api/files/documents/{file_id}"), 404)
    monkeypatch.setattr(LineIndexer, "away", False)
    await office.kernel.documents.ingestion.look()
    await comes_true(office.is_idle)
    assert (office.files, await office.keys()) == ([], [])


async def test_documents_are_deleted_while_the_embedding_server_is_away(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_plugins, "LineIndexer", StoreIndexer)
    office: Office = await opened()
    file_id = (await office.upload("one"))["file_id"]
    assert await office.kernel.documents.everything.indexes.vector_store.scopes()
    monkeypatch.setattr(document_plugins.Words, "away", True)
    office.kernel.documents.everything.indexes.embedders._found = None
    assert (await office.ann.delete(f"/api/files/documents/{file_id}")).status_code == 200
    assert await office.kernel.documents.everything.indexes.vector_store.scopes() == []


async def test_work_given_up_twice_over_ends_without_a_word(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    library, ann = office.kernel.documents, office.people["ann"]
    record = await find(of_user(library.everything, ann).storage, (await office.upload())["file_id"])
    intake = Intake(library.everything, library.readers, library.indexers)
    at_end, let_go = asyncio.Event(), asyncio.Event()

    async def work(*_: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            at_end.set()
            await let_go.wait()

    monkeypatch.setattr(intake, "_work", work)
    taking = asyncio.create_task(intake.take(ann, record))
    # That the document is gone is seen first, and then its deletion stops the work, which takes its time to end.
    await office.ann.delete(f"/api/files/documents/{record.document.id}")
    await at_end.wait()
    taking.cancel()
    await asyncio.sleep(0)
    let_go.set()
    await asyncio.wait([taking])
    assert taking.cancelled()
    del taking
    gc.collect()
    assert told == []


async def test_two_deletions_at_once_remove_once(office: Office) -> None:
    file_id = (await office.upload("one"))["file_id"]
    path = f"/api/files/documents/{file_id}"
    answers = await asyncio.gather(*(office.ann.delete(path) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert (office.files, await office.keys()) == ([], [])


async def test_user_is_erased_with_everything(
    opened: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(document_plugins, "LineIndexer", StoreIndexer)
    office: Office = await opened()
    library, ann, bob = office.kernel.documents, office.people["ann"], office.people["bob"]
    await office.upload("one\ntwo", "a.txt")
    await begin(office, "FOREVER", "b.txt")
    theirs = await library.add(bob, "c.txt", pieces_of(b"bob's"))
    await library.settled(bob, theirs.id)
    stray = of_plugin(library.everything, ann, "other")
    await stray.storage.save("note", 1)
    await stray.texts().add("stray", ["text"])
    removed = {**await library.erase(ann.id), **await erase(library.everything, office.kernel.identity, ann.id)}
    assert (removed["documents"], removed["bytes"], removed["chunks"], removed["texts"]) == (2, 14, 2, 1)
    kept = await office.keys()
    assert kept
    assert not [key for key in kept if ann.id in key]
    assert [one for one in office.files if "c.txt" not in one and "pages" not in one] == office.files[:1]
    assert (await library.shelf(bob).get(theirs.id)).status == "ready"
    again = {**await library.erase(ann.id), **await erase(library.everything, office.kernel.identity, ann.id)}
    assert set(again.values()) == {0}
    assert caplog.text.count("All of a user's removed") == 1, "looks that find nothing more are not told"


async def test_upload_on_its_way_while_its_user_is_erased_is_not_kept(office: Office) -> None:
    library, ann = office.kernel.documents, office.people["ann"]

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 70_000
        await library.erase(ann.id)
        yield b"more"

    with pytest.raises(NotFound):
        await library.add(ann, "a.txt", slow())
    assert (office.files, await office.keys()) == ([], [])


async def test_leftovers_are_found_and_removed(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_plugins, "LineIndexer", StoreIndexer)
    office: Office = await opened()
    library, ann = office.kernel.documents, office.people["ann"]
    users = {one.id for one in office.people.values()}
    kept = (await office.upload("kept"))["file_id"]
    lost = (await office.upload("lost"))["file_id"]
    assert [one async for one in Orphans(library.everything, library.jobs, users).find()] == []
    await office.kernel.storage.delete(f"spaces/{ann.id}/documents/{lost}")
    nobody = library.everything.under("spaces/nobody", "nobody.plugin")
    await nobody.storage.save("note", 1)
    await nobody.texts().add("x", ["text"])
    found = [one async for one in Orphans(library.everything, library.jobs, users).find()]
    assert {(one.kind, lost in one.place) for one in found} == {
        ("document", True),
        ("document", False),
        ("log", True),
        ("file", True),
        ("vectors", True),
        ("texts", True),
        ("texts", False),
    }
    for one in found:
        await one.remove()
    assert [one async for one in Orphans(library.everything, library.jobs, users).find()] == []
    assert (await library.shelf(ann).get(kept)).status == "ready"
    assert len(await library.shelf(ann).pages(kept)) == 1


# What is indexed anew


async def test_document_is_indexed_anew_without_reading(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    file_id = (await office.upload("one\ntwo"))["file_id"]
    reads = _counted(office, monkeypatch)
    ann, library = office.people["ann"], office.kernel.documents
    at = (await library.shelf(ann).record(file_id)).indexed_at
    document = await library.index_anew(ann, file_id)
    assert (document.status, document.chunks, LineIndexer.calls) == ("ready", 2, 2)
    assert (await find(of_user(library.everything, ann).storage, file_id)).indexed_at > at
    assert reads == []
    with pytest.raises(NotFound):
        await library.index_anew(office.people["bob"], file_id)


async def _obedient(_indexer: LineIndexer, _line: str) -> None:
    return None


def _counted(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is read from now on."""
    reads: list[Any] = []
    read = office.kernel.documents.readers.read

    async def counted(record: Any, blobs: Any) -> int:
        reads.append(record.document.id)
        return await read(record, blobs)

    monkeypatch.setattr(office.kernel.documents.readers, "read", counted)
    return reads
