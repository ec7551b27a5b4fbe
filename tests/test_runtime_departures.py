"""Deleting users: everything of theirs goes, at all servers, whatever is under way, and nobody else's does."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy
import pytest

from agentic.errors import NotFound, StorageError
from agentic.identity.identity import Identity
from agentic.ports.space import Principal
from agentic.ports.storage import StorageBackend
from agentic.runtime.departures import DEPARTED, Departures, erase
from agentic.runtime.indexes import Embedders, Indexes
from agentic.runtime.spaces import of_plugin
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_indexes import MemoryTextIndex, MemoryVectorStore
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import House
from tests.scopes import scope_over
from tests.served_users import SECRET, Served, chat, no_documents


@pytest.fixture
def served() -> Served:
    return Served()


async def one(data: bytes) -> Any:
    yield data


def identity_over(storage: StorageBackend) -> Identity:
    return Identity(storage, secret=SECRET, token_hours=1, rounds=4)


async def everything_of(served: Served) -> str:
    """All keys and values that are stored, logs among them."""
    logs = [await served.storage.read(key) for key in served.storage._logs]
    blobs = [blob.key for blob in await served.blobs.list("")]
    return str([await served.storage.list("", limit=10_000), list(served.storage._logs), logs, blobs])


async def lived(served: Served, name: str, marker: str) -> str:
    """A user with a bit of everything; returns the id."""
    async with await served.add(name) as api:
        assert (await api.post("/v1/chat/completions", json=chat(marker))).status_code == 200
        assert (await api.post("/api/keys", json={"name": marker})).status_code == 201
    user = await served.identity.user(name)
    await served.identity.outsiders.link(user, "https://x.org", marker)
    await served.identity.users.set_limits(name, {"tokens_per_day": 1000})
    await served.identity.meter.spend(await served.identity.authenticate(await served.token(name)), 5)
    space = of_plugin(served.house.everything, Principal(user.id, name), "notes")
    await space.storage.save("note", marker)
    await space.blobs.put("note.txt", one(marker.encode()))
    return user.id


async def test_everything_of_a_deleted_user_is_gone_and_counted_and_nobody_elses(served: Served) -> None:
    ben, ann = await lived(served, "ben", "MARKER-BEN"), await lived(served, "ann", "MARKER-ANN")
    before = await everything_of(served)
    assert "MARKER-BEN" in before
    async with await served.add("root", "admin") as root:
        answer = await root.delete("/api/admin/users/ben")
        assert answer.status_code == 200, answer.text
        receipt = answer.json()
        assert (await root.delete("/api/admin/users/ben")).status_code == 404
    assert (receipt["username"], receipt["deleted"]) == ("ben", True)
    assert (receipt["keys"], receipt["links"], receipt["files"]) == (1, 1, 1)
    assert receipt["records"] >= 3
    after = await everything_of(served)
    for trace in ("MARKER-BEN", "'ben'"):
        assert trace not in after
    # Only the sign by which other servers know is left, and it says no more than that.
    assert after.count(ben) == 1
    assert (await served.storage.list(DEPARTED))[0].value == {}
    assert after.count("MARKER-ANN") == before.count("MARKER-ANN")
    assert await served.identity.users.get(ann)


async def test_a_new_user_of_the_name_inherits_nothing(served: Served) -> None:
    old = await lived(served, "ben", "MARKER-BEN")
    await served.departures.delete("ben")
    async with await served.add("ben") as ben:
        assert (await ben.get("/api/auth/me")).json()["id"] != old
        assert (await ben.get("/api/conversations")).json()["conversations"] == []
        assert (await ben.get("/api/keys")).json() == {"keys": []}
    await served.departures.look()
    assert await served.identity.users.find("ben")


async def test_runs_at_work_are_ended_and_leave_nothing_behind(served: Served) -> None:
    async with await served.add("ben") as ben:
        asking = asyncio.create_task(ben.post("/v1/chat/completions", json=chat("wait MARKER-BEN")))
        await served.begun.wait()
        await served.departures.delete("ben")
        assert (await asking).status_code == 503
    assert "MARKER-BEN" not in await everything_of(served)


async def test_another_server_ends_its_runs_and_clears_up_after_them(served: Served) -> None:
    command = Departures(House([]).engine, served.house.everything, served.identity, 60, no_documents)
    async with await served.add("ben") as ben:
        asking = asyncio.create_task(ben.post("/v1/chat/completions", json=chat("wait MARKER-BEN")))
        await served.begun.wait()
        await command.delete("ben")
        assert not asking.done()
        await served.departures.look()
        assert (await asking).status_code == 503
    assert "MARKER-BEN" not in await everything_of(served)


async def test_another_server_ends_the_runs_of_users_that_a_command_disabled(served: Served) -> None:
    async with await served.add("ben") as ben:
        asking = asyncio.create_task(ben.post("/v1/chat/completions", json=chat("wait")))
        await served.begun.wait()
        await served.identity.users.set_disabled("ben", True)
        await served.departures.look()
        assert (await asking).status_code == 503


async def test_a_deletion_that_was_cut_off_is_brought_to_its_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(served, "ben", "MARKER-BEN")

    async def fail(_prefix: str) -> int:
        raise StorageError("the disk is away")

    with monkeypatch.context() as broken:
        broken.setattr(served.blobs, "delete_under", fail)
        with pytest.raises(StorageError):
            await served.departures.delete("ben")
        await served.departures.look()
    [ben] = await served.identity.users.list()
    assert ben.disabled, "whoever is being deleted cannot come in"
    await served.departures.look()
    assert "MARKER-BEN" not in await everything_of(served)
    assert await served.identity.users.list() == []


async def test_the_sign_goes_once_no_server_can_have_missed_it(served: Served) -> None:
    await served.add("ben")
    await served.departures.delete("ben")
    await served.departures.look()
    assert await served.storage.list(DEPARTED)
    later = Departures(served.house.engine, served.house.everything, served.identity, -1, no_documents)
    await later.look()
    assert await served.storage.list(DEPARTED) == []


async def test_an_unknown_user_cannot_be_deleted(served: Served) -> None:
    with pytest.raises(NotFound):
        await served.departures.delete("nobody")
    assert await everything_of(served) == "[[], [], [], []]"


async def test_the_watch_outlives_what_fails(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStorage):
        async def list(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("a bug")

    broken = Departures(served.house.engine, scope_over(Broken(), MemoryBlobs()), served.identity, 60, no_documents)
    await broken.look()
    assert "[Departures] Not looked through" in caplog.text


async def test_vectors_and_texts_of_all_plugins_are_dropped_and_those_of_others_stay() -> None:
    vectors, texts, row = MemoryVectorStore(), MemoryTextIndex(), numpy.array([[1.0, 0.0]], "float32")
    everything = scope_over(MemoryStorage(), indexes=Indexes(Embedders({}), vectors, texts))
    for scope in ("u1.notes", "u1.rag", "u11.notes", "u2.notes"):
        await texts.collection(scope).add("d", ["some text", "more"])
        await vectors.collection(scope, embedder="e", dimensions=2).add("d", [0], row)
    removed = await erase(everything, identity_over(everything.storage), "u1")
    assert (removed["texts"], removed["vectors"]) == (4, 2)
    assert sorted(await texts.scopes()) == sorted(await vectors.scopes()) == ["u11.notes", "u2.notes"]
    assert not any((await erase(everything, identity_over(everything.storage), "u1")).values())


async def test_open_runs_of_the_user_are_not_gone_on_with() -> None:
    storage = MemoryStorage()
    for run_id, user_id in (("r1", "u1"), ("r2", "u2")):
        await storage.save(f"open_runs/{run_id}", {"user": {"id": user_id}})
    await erase(scope_over(storage, MemoryBlobs()), identity_over(storage), "u1")
    assert [stored.key for stored in await storage.list("open_runs/")] == ["open_runs/r2"]
