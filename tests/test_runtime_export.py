"""An export holds everything that is a user's, nothing that is another's, and no secret."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agentic.errors import BadRequest, NotFound, StorageError
from agentic.ports.space import Principal
from agentic.runtime.conversations import Conversations
from agentic.runtime.export import export
from agentic.runtime.spaces import of_plugin
from tests.served_users import PASSWORD, Served, chat


@pytest.fixture
def served() -> Served:
    return Served()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def one(data: bytes) -> Any:
    yield data


async def test_an_export_is_whole_and_holds_no_secret(served: Served, tmp_path: Path) -> None:
    async with await served.add("ben") as ben, await served.add("ann") as ann:
        answer = await ben.post("/v1/chat/completions", json=chat("hello"))
        assert (await ann.post("/v1/chat/completions", json=chat("a secret of ann's"))).status_code == 200
        key = (await ben.post("/api/keys", json={"name": "laptop"})).json()
        session_id, run_id = answer.headers["x-session-id"], answer.headers["x-run-id"]
        conversation = (await ben.get(f"/api/conversations/{session_id}")).json()
        events = (await ben.get(f"/api/runs/{run_id}")).json()["events"]
    user = await served.identity.user("ben")
    space = of_plugin(served.house.everything, Principal(user.id, "ben"), "notes")
    await space.storage.save("a:b/c", {"text": "noted"})
    await space.blobs.put("dir/a\\b%.txt", one(b"bytes"))
    counts = await export(served.house.everything, served.identity, "ben", tmp_path / "ben.zip")
    assert counts == {"conversations": 1, "runs": 1, "files": 1, "records": 1}
    with zipfile.ZipFile(tmp_path / "ben.zip") as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert set(found) == {
        "profile.json",
        f"conversations/{session_id}.json",
        f"runs/{run_id}.json",
        "files/plugins/notes/dir/a%5Cb%25.txt",
        "records/plugins/notes/a%3Ab/c.json",
    }
    assert json.loads(found[f"conversations/{session_id}.json"]) == conversation
    assert json.loads(found[f"runs/{run_id}.json"])["events"] == events
    assert found["files/plugins/notes/dir/a%5Cb%25.txt"] == b"bytes"
    profile = json.loads(found["profile.json"])
    assert (profile["user"]["name"], profile["keys"][0]["id"]) == ("ben", key["id"])
    everything = b"\n".join(found.values()).decode()
    for secret in (key["key"], "$2b$", PASSWORD, "a secret of ann's", "ann"):
        assert secret not in everything


async def test_an_unknown_user_leaves_no_file(served: Served, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await export(served.house.everything, served.identity, "nobody", tmp_path / "x.zip")
    assert names_in(tmp_path) == []


async def test_a_file_that_is_there_or_a_folder_that_is_not_is_refused(served: Served, tmp_path: Path) -> None:
    await served.add("ben")
    (tmp_path / "there.zip").write_text("mine")
    for target in (tmp_path / "there.zip", tmp_path / "no/such.zip"):
        with pytest.raises(BadRequest) as refused:
            await export(served.house.everything, served.identity, "ben", target)
        assert refused.value.param == "to"
    assert (tmp_path / "there.zip").read_text() == "mine"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StorageError("the disk is away")])
async def test_an_export_that_fails_leaves_no_half_of_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await served.add("ben")
    user = await served.identity.user("ben")
    await of_plugin(served.house.everything, Principal(user.id, "ben"), "notes").blobs.put("a", one(b"x"))

    async def fail(*_: Any) -> Any:
        raise error
        yield b""

    monkeypatch.setattr(served.blobs, "open", fail)
    with pytest.raises(StorageError):
        await export(served.house.everything, served.identity, "ben", tmp_path / "ben.zip")
    assert names_in(tmp_path) == []


async def test_what_is_deleted_while_an_export_is_written_is_left_out_of_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await served.add("ben") as ben:
        asked = [(await ben.post("/v1/chat/completions", json=chat("hello"))).headers for _ in range(2)]
    gone, kept = (headers["x-session-id"] for headers in asked)
    ben_there = Principal((await served.identity.user("ben")).id, "ben")
    space = of_plugin(served.house.everything, ben_there, "notes")
    for name in ("a", "b"):
        await space.blobs.put(name, one(b"bytes"))
    read, listed = Conversations.read, served.blobs.list

    async def read_late(self: Conversations, session_id: str) -> Any:
        if session_id == gone:
            await served.house.engine.delete_conversation(gone, ben_there)
        return await read(self, session_id)

    async def listed_early(*arguments: Any, **options: Any) -> Any:
        found = await listed(*arguments, **options)
        await space.blobs.delete("a")
        return found

    monkeypatch.setattr(Conversations, "read", read_late)
    monkeypatch.setattr(served.blobs, "list", listed_early)
    counts = await export(served.house.everything, served.identity, "ben", tmp_path / "ben.zip")
    assert counts == {"conversations": 1, "runs": 1, "files": 1, "records": 0}
    with zipfile.ZipFile(tmp_path / "ben.zip") as archive:
        names = archive.namelist()
    assert f"conversations/{kept}.json" in names
    assert [name for name in names if name.startswith("files/")] == ["files/plugins/notes/b"]
