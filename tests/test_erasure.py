"""What is deleted is gone from the disk: the data folder is searched, over both stores of vectors and every storage."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.catalog.settings import read_settings
from agentic.documents.orphans import Orphans
from agentic.kernel import Kernel, open_kernel
from agentic.ports.vectors import Vectors, VectorStore
from agentic.server.app import create_app
from agentic.testing.killed_writers import files_with
from agentic.testing.ollama import calls, says
from agentic.testing.postgres import postgres_programs, running_postgres
from tests.document_fixtures import comes_true
from tests.http_fixtures import SharedOllama

PLUGINS = ("maker", "react", "ollama", "rag", "embed_minilm", "readers_text", "blobs_files")
TEXT, SAID, NAME, MADE = "zyxwv-document", "zyxwv-talk", "zyxwv-name", "zyxwv-made"
"""Markers: in a document's text, in what is said and made in conversations, in a file's name, in a file of a run."""
WORD = "zyxwv"
"""All that an index of words need hold of them."""
PARAGRAPH = f"The {TEXT} says that the notice period is three months to the end of a quarter. " * 3
AGAIN = f"{PARAGRAPH} This one is uploaded later, about the colour of the third door on the left. "


@dataclass
class Traces:
    """The rows that ann's documents have in the store of vectors, in bytes."""

    rows: list[bytes] = field(default_factory=list)

    def watch(self, store: VectorStore, user_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep what is added for this user from now on."""
        collection = store.collection

        def watched(scope: str, **more: Any) -> Vectors:
            vectors = collection(scope, **more)
            add = vectors.add

            async def kept(doc_id: str, numbers: Sequence[int], rows: Any) -> None:
                if scope.startswith(user_id):
                    self.rows += [row.tobytes() for row in rows]
                await add(doc_id, numbers, rows)

            vectors.add = kept  # type: ignore[method-assign]
            return vectors

        monkeypatch.setattr(store, "collection", watched)


@dataclass
class House:
    """A server in this process, as two users see it."""

    kernel: Kernel
    ann: httpx.AsyncClient
    bob: httpx.AsyncClient
    ann_id: str
    postgres: str | None
    traces: Traces = field(default_factory=Traces)

    async def upload(self, api: httpx.AsyncClient, text: str, name: str) -> str:
        answer = (await api.post("/api/files/upload?wait=true", files={"file": (name, text.encode())})).json()
        assert answer["status"] == "ready", answer
        file_id: str = answer["file_id"]
        return file_id

    async def talk(self, text: str, agent: str) -> str:
        body = {"model": f"agentic/{agent}", "messages": [{"role": "user", "content": text}]}
        answer = await self.ann.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-session-id"]

    async def places(self, *markers: str | bytes) -> list[str]:
        """Where any of these is found: files of the data folder, and tables of the database."""
        wanted = [one.encode() if isinstance(one, str) else one for one in markers]
        found = await files_with(self.kernel.settings.data_dir, *wanted)
        if self.postgres is not None:
            rows = await dumped(self.postgres)
            found += ["the database" for one in wanted if one in rows or one.hex().encode() in rows]
        return found

    async def is_gone(self, *markers: str | bytes) -> None:
        """Wait until none is found: a write-ahead log is cut within seconds."""

        async def gone() -> bool:
            return await self.places(*markers) == []

        try:
            await comes_true(gone)
        except TimeoutError:
            left = {str(one)[:40]: places for one in markers if (places := await self.places(one))}
            pytest.fail(f"still there: {left}")


async def dumped(url: str) -> bytes:
    """All that queries find in a database; bytes are written in hexadecimal digits there."""
    programs = await asyncio.to_thread(postgres_programs)
    assert programs is not None
    dumping = await asyncio.create_subprocess_exec(
        programs / "pg_dump", "--data-only", "--inserts", url, stdout=asyncio.subprocess.PIPE
    )
    found, _ = await dumping.communicate()
    assert dumping.returncode == 0
    return found


@pytest.fixture
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str | None]:
    """The address of a PostgreSQL, where the storage is one."""
    if request.node.callspec.params["storage"] != "postgres":
        yield None
        return
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres() as server:
        monkeypatch.setenv("POSTGRES_URL", server.url)
        yield server.url


@pytest.fixture
async def opened(
    maker: None,
    database: str | None,
    shared_ollama: tuple[SharedOllama, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:

        async def open_house(vectors: str, storage: str) -> House:
            monkeypatch.setenv("OLLAMA_HOST", shared_ollama[1])
            monkeypatch.setenv("OLLAMA_MODEL", "qwen3:8b")
            given: Mapping[str, Any] = {
                "data_dir": tmp_path / "data",
                "storage": storage,
                "vector_db_type": vectors,
                "text_index": "postgres" if storage == "postgres" else "sqlite",
                "log_file": tmp_path / "data" / "app.log",
                "after_untrusted": "allow",
            }
            settings = await asyncio.to_thread(lambda: read_settings(**given))
            stores = ("postgres",) if storage == "postgres" else (f"storage_{storage}", "texts_sqlite")
            only = (*PLUGINS, *stores, f"vectors_{vectors}")
            kernel = await stack.enter_async_context(open_kernel(settings, only=only))
            transport = httpx.ASGITransport(app=await asyncio.to_thread(create_app, kernel))
            clients, ids = [], []
            for name in ("ann", "bob"):
                user = await kernel.identity.users.add(name, "a password for tests", "user")
                headers = {"Authorization": f"Bearer {await kernel.identity.keys.create(user.id, 'tests')}"}
                client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=60)
                clients.append(await stack.enter_async_context(client))
                ids.append(user.id)
            return House(kernel, *clients, ids[0], database)

        yield open_house


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("vectors", "storage"),
    # Stores of vectors and storages know nothing of each other, so that each of both is in one pair. Full text lies
    # in PostgreSQL where the storage does.
    [("faiss", "sqlite"), ("chroma", "files"), ("faiss", "postgres")],
)
async def test_what_is_deleted_is_gone_from_every_file(
    opened: Any,
    ollama: SharedOllama,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    vectors: str,
    storage: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    house: House = await opened(vectors, storage)
    others = await house.upload(house.bob, "What bob has stays: the lighthouse is open on Sundays.", "stays.txt")
    store = house.kernel.everything.indexes.vector_store
    assert store is not None
    house.traces.watch(store, house.ann_id, monkeypatch)
    file_id = await house.upload(house.ann, PARAGRAPH, f"{NAME}.txt")
    session_id = await talk_about_it(house, ollama)
    for marker in (TEXT, SAID, NAME, MADE):
        assert await house.places(marker), "the marker is found where it is"
    rows = house.traces.rows
    assert rows and await house.places(*rows)

    # A conversation goes with its runs, their files, and what they quote of documents.
    assert (await house.ann.delete(f"/api/conversations/{session_id}")).json()["runs"] == 1
    for one in (await house.ann.get("/api/conversations")).json()["conversations"]:
        await house.ann.delete(f"/api/conversations/{one['session_id']}")
    await house.is_gone(SAID, MADE)
    assert await house.places(TEXT)

    receipt = (await house.ann.delete(f"/api/files/documents/{file_id}")).json()["removed"]
    assert (receipt["bytes"], receipt["chunks"]) == (len(PARAGRAPH), 1)
    await house.is_gone(TEXT, NAME, WORD)
    if vectors == "faiss":
        await house.is_gone(*rows)
    keeping = {"vectors": vectors == "chroma", "storage": storage == "postgres", "texts": storage == "postgres"}
    assert set(receipt.get("notes", {})) == {kind for kind, keeps in keeping.items() if keeps}

    await house.upload(house.ann, AGAIN, f"{NAME}.txt")
    await talk_about_it(house, ollama)
    assert await house.places(TEXT) and await house.places(SAID)
    await house.kernel.departures.delete("ann")
    await house.is_gone(TEXT, SAID, NAME, MADE, WORD, *rows)

    users = {user.id for user in await house.kernel.identity.users.list()}
    library = house.kernel.documents
    assert [one async for one in Orphans(library.everything, library.jobs, users).find()] == []
    found = (await house.bob.post("/api/files/search", json={"query": "When is the lighthouse open?"})).json()
    assert [one["file_id"] for one in found["passages"]] == [others]
    for marker in (TEXT, SAID, NAME, MADE):
        assert marker not in caplog.text, "logs hold nobody's content"


async def talk_about_it(house: House, ollama: SharedOllama) -> str:
    """A conversation that quotes the document, and one that makes a file; the id of the first."""
    ollama.script(calls(("rag_retrieval", {"query": "notice period"})), says(f"Three months, {SAID}."))
    session_id = await house.talk(f"How long is it, {SAID}?", "react")
    [run] = [one for one in (await house.ann.get(f"/api/conversations/{session_id}")).json()["messages"]][-1:]
    trace = await house.ann.get(f"/api/runs/{run['run_id']}")
    assert TEXT in trace.text, "the run quotes the document"
    wanted = {"calls": [{"name": "made.txt", "text": MADE}], "say": f"Here it is, {SAID}."}
    await house.talk(json.dumps(wanted), "maker")
    return session_id
