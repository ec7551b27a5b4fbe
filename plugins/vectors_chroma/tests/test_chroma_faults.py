"""What the store does when its server is away, its folder is at fault, or it is closed; and what a drop leaves."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest
from chromadb.api.models.Collection import Collection

from agentic import StorageError
from agentic.testing.killed_writers import files_with
from agentic_vectors_chroma import agentic_vector_stores
from agentic_vectors_chroma.connection import Connection
from agentic_vectors_chroma.holding import LOCK
from agentic_vectors_chroma.settings import Settings
from agentic_vectors_chroma.store import ChromaStore

ROWS = numpy.eye(16, dtype=numpy.float32)


def on_server(port: int, **more: Any) -> ChromaStore:
    return ChromaStore(Connection(Settings(chroma_host="127.0.0.1", chroma_port=port, **more), Path("unused")))


FIRST_OF_NUMPY = """
import builtins, pathlib, sys
from agentic_vectors_chroma.connection import Connection
from agentic_vectors_chroma.settings import Settings

names, load = [], builtins.__import__


def recorded(name, *more):
    if name.partition(".")[0] == "numpy":
        names.append(name)
    return load(name, *more)


builtins.__import__ = recorded
Connection(Settings(), pathlib.Path(sys.argv[1])).use(lambda client: None)
print(names[0])
"""


def test_numpy_is_there_as_a_whole_before_chroma_names_a_part_of_it(tmp_path: Path) -> None:
    # A part named first, while another thread imports numpy, leaves both with a numpy that was cut short.
    command = [sys.executable, "-c", FIRST_OF_NUMPY, str(tmp_path / "chroma")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["numpy"]


async def test_server_that_is_away_is_named_and_recovered_from(server: Any) -> None:
    store, other = on_server(server.port), on_server(server.port)
    vectors = store.collection("away", embedder="e", dimensions=16)
    await vectors.add("doc", [0], ROWS[:1])
    server.stop()
    for doing in (vectors.search(ROWS[0], 5), vectors.add("doc", [1], ROWS[:1]), other.scopes()):
        with pytest.raises(StorageError, match=rf"127.0.0.1:{server.port}.*CHROMA_HOST"):
            await doing
    assert "does not answer" in str(await store.health())
    await asyncio.to_thread(server.start)
    assert [hit.number for hit in await vectors.search(ROWS[0], 5)] == [0]
    await store.drop("away")
    await store.aclose()
    await other.aclose()


async def test_server_that_hangs_is_not_waited_for_without_end(server: Any) -> None:
    store = on_server(server.port, chroma_timeout=1)
    assert await store.health() is None
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        store._connection._client._server._api_url = f"http://127.0.0.1:{silent.getsockname()[1]}/api/v2"
        with pytest.raises(StorageError, match="does not answer"):
            await store.scopes()
    await store.aclose()


async def test_add_that_fails_midway_leaves_the_old_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
    vectors = store.collection("s", embedder="e", dimensions=16)
    await vectors.add("doc", [7], ROWS[:1])
    adding = Collection.add

    def fails(self: Collection, *args: Any, **more: Any) -> None:
        adding(self, *args, **more)
        raise ConnectionError("cut")

    with monkeypatch.context() as patched:
        patched.setattr(Collection, "add", fails)
        with pytest.raises(StorageError, match="does not answer"):
            await vectors.add("doc", range(16), ROWS)
    assert [hit.number for hit in await vectors.search(ROWS[0], 50)] == [7]
    await store.aclose()


@pytest.mark.parametrize("count", [20, 1500], ids=["queued", "indexed"])
async def test_dropped_scope_leaves_no_byte_in_the_folder(tmp_path: Path, count: int) -> None:
    store = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
    array = numpy.random.default_rng(0).standard_normal((count, 16), dtype=numpy.float32)
    array /= numpy.linalg.norm(array, axis=1, keepdims=True)
    await store.collection("stays", embedder="e", dimensions=16).add("doc", [0], ROWS[:1])
    await store.collection("s", embedder="e", dimensions=16).add("marked-document", range(count), array)
    marks = (b"marked-document", array[3].tobytes(), array[count - 1].tobytes())
    for mark in marks:
        assert await files_with(tmp_path, mark)
    assert await store.drop("s") == count
    assert await files_with(tmp_path, *marks) == []
    assert len(await store.collection("stays", embedder="e", dimensions=16).search(ROWS[0], 5)) == 1
    await store.aclose()


async def test_new_index_file_holds_nothing_of_the_process_memory(tmp_path: Path) -> None:
    """Chroma writes memory that it has not filled."""
    store = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
    for number in range(10):
        await store.collection(f"s{number}", embedder="e", dimensions=16).add("doc", [0], ROWS[:1])
    files = [path for name in ("data_level0.bin", "length.bin") for path in (tmp_path / "chroma").glob(f"*/{name}")]
    assert len(files) == 40
    assert {byte for path in files for byte in await asyncio.to_thread(path.read_bytes)} == {0}
    await store.aclose()
    # As a crash leaves it between Chroma's write and ours.
    await asyncio.to_thread(files[0].write_bytes, b"a text in memory")
    reopened = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
    assert await reopened.health() is None
    assert {byte for path in files for byte in await asyncio.to_thread(path.read_bytes)} == {0}
    # Chroma makes an empty index anew where it first looks into one.
    for number in range(10):
        assert len(await reopened.collection(f"s{number}", embedder="e", dimensions=16).search(ROWS[0], 5)) == 1
    assert {byte for path in files for byte in await asyncio.to_thread(path.read_bytes)} == {0}
    await reopened.aclose()


HOLDER = """
import asyncio, os, pathlib, sys, numpy
from agentic_vectors_chroma.connection import Connection
from agentic_vectors_chroma.settings import Settings
from agentic_vectors_chroma.store import ChromaStore

async def main():
    store = ChromaStore(Connection(Settings(), pathlib.Path(sys.argv[1])))
    vectors = store.collection("s", embedder="e", dimensions=16)
    await vectors.add("doc", [0], numpy.eye(16, dtype=numpy.float32)[:1])
    forked = os.fork()
    if not forked:
        # Outlives its parent, until its input ends.
        sys.stdin.read()
        os._exit(0)
    print(forked, flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def test_second_process_is_refused_until_the_first_is_gone_however_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "chroma"
    command = [sys.executable, "-W", "ignore", "-c", HOLDER, str(folder)]
    holder = await asyncio.to_thread(subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None and holder.stdout is not None
    assert int(await asyncio.to_thread(holder.stdout.readline))
    store = ChromaStore(Connection(Settings(), folder))
    vectors = store.collection("s", embedder="e", dimensions=16)
    for doing in (vectors.search(ROWS[0], 5), vectors.add("other", [1], ROWS[:1]), store.scopes(), store.drop("s")):
        with pytest.raises(
            StorageError, match=r"Chroma \(chroma\) is in use by another process.*CHROMA_HOST"
        ) as refused:
            await doing
        assert str(tmp_path) not in refused.value.message
    assert "in use" in str(await store.health())
    holder.kill()
    await asyncio.to_thread(holder.wait)
    assert [hit.doc_id for hit in await vectors.search(ROWS[0], 5)] == ["doc"]
    holder.stdin.close()
    holder.stdout.close()
    await store.aclose()


async def test_closed_store_lets_other_processes_at_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "chroma"
    first, second = (ChromaStore(Connection(Settings(), folder)) for _ in range(2))
    for store in (first, second):
        assert await store.health() is None
    looking = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    for store, free in ((first, False), (second, True)):
        await store.aclose()
        looked = await asyncio.create_subprocess_exec(
            sys.executable, "-c", looking, str(folder / LOCK), stderr=asyncio.subprocess.DEVNULL
        )
        assert (await looked.wait() == 0) is free


async def test_folder_that_cannot_be_made_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    store = ChromaStore(Connection(Settings(), tmp_path / "file" / "chroma"))
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        await store.scopes()
    await store.aclose()


async def test_closed_store_refuses_and_leaves_no_thread(tmp_path: Path) -> None:
    store = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
    assert await store.health() is None
    await store.aclose()
    with pytest.raises(StorageError, match="closed"):
        await store.scopes()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("chroma_")]


async def test_vector_of_another_length_is_refused(tmp_path: Path) -> None:
    store = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
    with pytest.raises(ValueError, match="shape"):
        await store.collection("s", embedder="e", dimensions=16).search(numpy.zeros(8), 5)


def test_hook_opens_nothing_before_the_first_use(tmp_path: Path) -> None:
    store = agentic_vector_stores(Settings(), tmp_path / "data")
    assert isinstance(store, ChromaStore)
    assert (store.name, store.rank) == ("chroma", 0)
    assert store._connection.folder == tmp_path / "data" / "chroma"
    assert list(tmp_path.iterdir()) == []
