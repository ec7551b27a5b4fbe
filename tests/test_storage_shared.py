"""Servers on one PostgreSQL and one S3 are one, with indexes on servers too; and storage moves to another storage."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from agentic import StorageError
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.cli.main import app
from agentic.runtime import copying
from agentic.runtime.copying import Copied, copy_storage, finish
from agentic.testing.blobs import pieces_of
from agentic.testing.postgres import postgres_programs, running_postgres
from agentic.testing.s3 import ACCESS_KEY, SECRET_KEY, running_s3
from agentic.testing.server import PASSWORD, running_server
from agentic.testing.storage import KEYS, VALUES
from agentic_blobs_files.store import FileBlobs
from agentic_storage_files.backend import FileStorage
from agentic_storage_sqlite.backend import SqliteStorage
from tests.http_fixtures import Api, SharedOllama, install


@pytest.fixture
def own(shared_ollama: tuple[SharedOllama, str], ollama: SharedOllama) -> dict[str, str]:
    """The environment of servers of this test's own, but for their folders."""
    return {"OLLAMA_HOST": shared_ollama[1], "SECRET_KEY": "0123456789abcdef0123456789abcdef"}


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, str]]:
    """Settings of one PostgreSQL and one S3, which the tests of this file share."""
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres() as postgres, running_s3() as s3:
        yield {
            "STORAGE": "postgres",
            "POSTGRES_URL": postgres.url,
            "BLOBS": "s3",
            "S3_BUCKET": s3.make_bucket(),
            "S3_ENDPOINT": s3.endpoint,
            "S3_ACCESS_KEY_ID": ACCESS_KEY,
            "S3_SECRET_ACCESS_KEY": SECRET_KEY,
        }


@pytest.fixture
def shared(own: dict[str, str], stores: dict[str, str]) -> dict[str, str]:
    """The environment of servers that share all but indexes."""
    return {**own, **stores}


@pytest.fixture
def shared_indexes(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of indexes that servers share: full text in that PostgreSQL, and vectors on a Chroma server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    command = [Path(sys.executable).with_name("chroma"), "run", "--host", "127.0.0.1", "--port", port]
    with (tmp_path / "chroma.log").open("wb") as log:
        chroma = subprocess.Popen([*command, "--path", tmp_path / "chroma"], stdout=log, stderr=log)
    yield {
        "TEXT_INDEX": "postgres",
        "VECTOR_DB_TYPE": "chroma",
        "CHROMA_HOST": "127.0.0.1",
        "CHROMA_PORT": port,
    }
    chroma.kill()
    chroma.wait()


@pytest.mark.timeout(300)
def test_two_servers_see_the_same_users_conversations_and_files(
    shared: dict[str, str], ollama: SharedOllama, tmp_path: Path
) -> None:
    path = [install(tmp_path, "maker", "from tests.file_maker import *\n"), Path(__file__).parents[1]]
    places = [tmp_path / name / "data" for name in ("one", "two")]
    for place in places:
        place.parent.mkdir()
    with (
        running_server(shared, data_dir=places[0], path=path) as one,
        running_server(shared, data_dir=places[1], path=path) as two,
    ):
        key = one.add_user("ann")
        with Api(one, key) as here, Api(two, key) as there:
            session_id = here.chat("remember the number 7").headers["x-session-id"]
            assert there.conversation(session_id)[0]["content"] == "remember the number 7"
            assert there.chat("which number?", session_id=session_id).status_code == 200
            assert len(here.conversation(session_id)) == 4
            listed = [found.get("/api/conversations").json()["conversations"] for found in (here, there)]
            assert listed[0] == listed[1] and [c["session_id"] for c in listed[0]] == [session_id]
            wanted = json.dumps({"calls": [{"name": "a.txt", "text": "painted here"}], "say": "{0}"})
            made = here.chat(wanted, model="agentic/maker").json()["choices"][0]["message"]["content"]
            assert there.get(made.removeprefix("made ")).text == "painted here"
            login = {"username": "ann", "password": PASSWORD}
            token = there.post("/api/auth/login", json=login).json()["access_token"]
            assert_indexes_are_shared_or_missed(here, there, shared, places[0], path)
            # Shut out on one server, a token is refused by the other.
            one.run("users", "disable", "ann")
            refused = there.get("/api/conversations", headers={"Authorization": f"Bearer {token}"})
            assert refused.status_code == 401
    kept = [file for file in kept_in(tmp_path) if file.suffix in (".db", ".jsonl") or file.name == "a.txt"]
    assert [file for file in kept if file.parent.name != "texts"] == [], (
        "no server keeps anything of its own but indexes"
    )


@pytest.mark.timeout(300)
def test_servers_without_a_folder_in_common_find_what_each_has_taken_in(
    shared: dict[str, str], shared_indexes: dict[str, str], tmp_path: Path
) -> None:
    """Chroma starts meanwhile: a server needs it for the first time when it indexes."""
    environment = {**shared, **shared_indexes, "POSTGRES_SCHEMA": "elsewhere"}
    places = [tmp_path / name / "data" for name in ("one", "two")]
    for place in places:
        place.parent.mkdir()
    asked = {"query": "How long is the notice period?"}
    with (
        running_server(environment, data_dir=places[0]) as one,
        running_server(environment, data_dir=places[1]) as two,
        Api(one, one.add_user("ann")) as here,
        Api(two, here.key) as there,
        Api(two, two.add_user("bob")) as stranger,
    ):
        wait_for_chroma(shared_indexes)
        contract = upload(here, "contract.txt", b"The notice period is three months to a quarter's end.")
        assert files_found(there, asked) == files_found(here, asked) == [contract]
        assert files_found(stranger, asked) == []
        light = upload(there, "light.txt", b"The lighthouse is open on Sundays from ten to four.")
        assert files_found(here, {"query": "When is the lighthouse open?"})[0] == light
        removed = there.delete(f"/api/files/documents/{contract}").json()["removed"]
        assert set(removed["notes"]) == {"storage", "texts", "vectors"}
        assert contract not in files_found(here, asked)
    kept = [str(path.relative_to(tmp_path)) for place in places for path in kept_in(place)]
    assert [path for path in kept if "texts" in path or "vector" in path or "chroma" in path or ".db" in path] == []


def wait_for_chroma(settings: dict[str, str]) -> None:
    address = f"http://{settings['CHROMA_HOST']}:{settings['CHROMA_PORT']}/api/v2/heartbeat"
    until = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(address, timeout=30).is_success
            return
        except httpx.TransportError:
            assert time.monotonic() < until, "chroma run did not come up"
            time.sleep(0.1)


def upload(api: Api, name: str, text: bytes) -> str:
    uploaded = api.post("/api/files/upload?wait=true", files={"file": (name, text)}).json()
    assert uploaded["status"] == "ready", uploaded
    file_id: str = uploaded["file_id"]
    return file_id


def assert_indexes_are_shared_or_missed(
    here: Api, there: Api, shared: dict[str, str], folder: Path, path: list[Path]
) -> None:
    """What one server indexes in its folder is found by one that shares it, and missed, with a word, by the other."""
    text = b"The notice period is three months to the end of a quarter."
    uploaded = here.post("/api/files/upload?wait=true", files={"file": ("contract.txt", text)}).json()
    assert uploaded["status"] == "ready", uploaded
    asked = {"query": "How long is the notice period?"}
    missed = there.post("/api/files/search", json=asked)
    assert missed.status_code == 409, missed.text
    assert "1 of 1 documents are not in the indexes" in missed.json()["error"]["message"]
    assert "VECTOR_DB_TYPE=chroma with CHROMA_HOST, and TEXT_INDEX=postgres" in missed.text
    assert there.get(f"/api/files/documents/{uploaded['file_id']}/content").content == text
    with running_server(shared, data_dir=folder, path=path) as beside, Api(beside, here.key) as api:
        assert files_found(api, asked) == files_found(here, asked) == [uploaded["file_id"]]
        # An index in memory follows what the other one does to the folder.
        more = b"The lighthouse is open on Sundays from ten to four."
        second = here.post("/api/files/upload?wait=true", files={"file": ("light.txt", more)}).json()["file_id"]
        assert files_found(api, {"query": "When is the lighthouse open?"})[0] == second
        assert api.delete(f"/api/files/documents/{uploaded['file_id']}").status_code == 200
        assert uploaded["file_id"] not in files_found(here, asked)


def files_found(api: Api, asked: dict[str, str]) -> list[str]:
    found = api.post("/api/files/search", json=asked)
    assert found.status_code == 200, found.text
    return [one["file_id"] for one in found.json()["passages"]]


def kept_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.timeout(300)
def test_what_a_server_keeps_moves_to_another_storage(
    own: dict[str, str], ollama: SharedOllama, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with running_server(own, data_dir=data) as server:
        key = server.add_user("ann")
        with Api(server, key) as api:
            session_id = api.chat("keep this").headers["x-session-id"]
            before = api.conversation(session_id)
        refused = server.run("storage", "copy", "--to", "files")
        assert refused.returncode == 1
        assert "1 servers are at work on the storage sqlite. End them" in refused.stderr
        server.stop()
        copied = server.run("storage", "copy", "--to", "files")
        assert copied.returncode == 0, copied.stderr
        assert "Now set STORAGE=files, and start the server." in copied.stderr
    with running_server({**own, "STORAGE": "files"}, data_dir=data) as server, Api(server, key) as api:
        assert api.conversation(session_id) == before
        assert api.chat("and this", session_id=session_id).status_code == 200
    [log] = (data / "conversations").rglob("*.jsonl")
    assert "and this" in log.read_text("utf-8"), "people can read it"


def test_copy_that_is_cut_off_among_the_files_is_gone_on_with_and_used_by_nobody_until_then(
    stores: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a server wrote to half a copy, the rest of the copy would remove."""
    monkeypatch.chdir(tmp_path)
    settings = {**stores, "STORAGE": "sqlite", "BLOBS": "files", "S3_PREFIX": "moved/", "DATA_DIR": f"{tmp_path}/data"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def agentic(*arguments: str, code: int = 0, **changed: str) -> str:
        done = CliRunner().invoke(app, arguments, input=f"{PASSWORD}\n", env=changed)
        assert done.exit_code == code, done.output
        return done.output

    agentic("users", "add", "ann")
    file = tmp_path / "data" / "files" / "spaces" / "1" / "a"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"kept")
    command = ("storage", "copy", "--to", "files", "--blobs-to", "s3")
    assert "does not answer" in agentic(*command, code=1, S3_ENDPOINT="http://127.0.0.1:1")
    said = "a copy of sqlite that is not at its end. Run the same 'agentic storage copy --to files' again"
    for refused in (("users", "add", "bob"), ("serve",)):
        assert said in agentic(*refused, code=1, STORAGE="files")
    assert "Now set STORAGE=files and BLOBS=s3" in agentic(*command)
    assert "ann" in agentic("users", "list", STORAGE="files")


def test_copy_of_files_alone_that_is_cut_off_is_used_by_nobody_until_it_is_gone_on_with(
    stores: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**stores, "STORAGE": "sqlite", "BLOBS": "files", "S3_PREFIX": "alone/", "DATA_DIR": f"{tmp_path}/data"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def agentic(*arguments: str, code: int = 0, **changed: str) -> str:
        done = CliRunner().invoke(app, arguments, env=changed)
        assert done.exit_code == code, done.output
        return done.output

    asyncio.run(_keep(FileBlobs(tmp_path / "data" / "files")))
    command = ("storage", "copy", "--blobs-to", "s3")
    with monkeypatch.context() as cut:
        cut.setattr(copying, "_compare_file", _cut)
        assert "the line was cut" in agentic(*command, code=1)
    said = "s3 holds a copy that is not at its end. Run the same 'agentic storage copy --blobs-to s3' again"
    for refused in (("users", "list"), ("serve",)):
        assert said in agentic(*refused, code=1, BLOBS="s3")
    agentic("users", "list")
    assert "Now set BLOBS=s3" in agentic(*command)
    agentic("users", "list", BLOBS="s3")


async def _keep(store: FileBlobs) -> None:
    await store.put("spaces/u1/a", pieces_of(b"kept"))
    await store.aclose()


async def _cut(*_: object) -> None:
    raise StorageError("the line was cut")


async def test_copy_there_and_back_gives_what_was_there(tmp_path: Path) -> None:
    first, files, last = (
        SqliteStorage(tmp_path / "first.db"),
        FileStorage(tmp_path / "files"),
        SqliteStorage(tmp_path / "last.db"),
    )
    for key in [*KEYS, "users/ann", "spaces/1/conversations/s", "spaces/1/sessions/s/plugin/k"]:
        await first.save(key, VALUES)
        await first.append(key, VALUES * 40)
    copied = Copied()
    for source, target in ((first, files), (files, last)):
        await copy_storage(source, target, copied, lambda _key: None)
        await finish(target)
    keys = list(await first.keys(""))
    assert list(await last.keys("")) == keys
    for key in keys:
        assert await last.load(key) == await first.load(key)
        assert list(await last.read(key)) == list(await first.read(key))
    assert copied.documents == 2 * len(keys)
    for storage in (first, files, last):
        await storage.aclose()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say where to: --to NAME"),
        (("--to", "sqlite"), "that is where it is copied from. Name another one"),
        (("--to", "nowhere"), "--to=nowhere: there is no storage backend of this name. Installed:"),
        (("--to", "postgres"), "Set POSTGRES_URL"),
        (("--blobs-to", "s3"), "Set S3_BUCKET"),
    ],
)
def test_copy_to_what_is_not_there_says_what_to_do(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    done = CliRunner().invoke(app, ["storage", "copy", *arguments])
    assert done.exit_code == 1
    assert said in done.output


def test_folders_of_the_tree_are_refused_where_another_storage_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERS_PATH", "./data/users")
    plugin = next(plugin for plugin in load(read_settings()).plugins if plugin.name == "storage_files")
    assert plugin.state == "quarantined"
    assert "USERS_PATH: it belongs to the storage" in str(plugin) and "set STORAGE=" in str(plugin)
    monkeypatch.setenv("STORAGE", "files")
    plugin = next(plugin for plugin in load(read_settings()).plugins if plugin.name == "storage_files")
    assert plugin.state == "active"
