"""Files over HTTP: what a tool saves is stored, told, linked, served to its owner alone, and gone with its talk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.catalog.settings import read_settings
from agentic.errors import ConfigurationError
from agentic.kernel import Kernel, open_kernel
from agentic.server.app import create_app
from tests.http_fixtures import error_of, read_stream

PLUGINS = ("maker", "chat", "storage_sqlite", "blobs_files")
PNG = b"\x89PNG not really"


@dataclass
class House:
    """A server in this process, and its API as two users."""

    kernel: Kernel
    ann: httpx.AsyncClient
    bob: httpx.AsyncClient

    async def make(self, *calls: dict[str, Any], say: str = "Done.", **body: Any) -> httpx.Response:
        return await chat(self.ann, *calls, say=say, **body)

    @property
    def files(self) -> list[str]:
        """The files in the store's folder."""
        root = self.kernel.settings.data_dir / "files"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    async def keys(self) -> list[str]:
        """The keys of all documents that are kept for users' conversations."""
        found = await self.kernel.storage.list("spaces/", limit=1000)
        return [one.key for one in found if "/plugins/" not in one.key]


async def chat(api: httpx.AsyncClient, *calls: dict[str, Any], say: str = "Done.", **body: Any) -> httpx.Response:
    text = json.dumps({"calls": calls, "say": say})
    messages = [{"role": "user", "content": text}]
    return await api.post("/v1/chat/completions", json={"model": "agentic/maker", "messages": messages, **body})


@pytest.fixture
async def opened(maker: None, tmp_path: Path) -> AsyncIterator[Any]:
    """Opens a server with these plugins."""
    async with AsyncExitStack() as stack:

        async def open_house(*plugins: str) -> House:
            settings = await asyncio.to_thread(read_settings, data_dir=tmp_path / "data")
            kernel = await stack.enter_async_context(open_kernel(settings, only=plugins))
            transport = httpx.ASGITransport(app=await asyncio.to_thread(create_app, kernel))
            clients = []
            for name in ("ann", "bob"):
                user = await kernel.identity.users.add(name, "a password for tests", "user")
                key = await kernel.identity.keys.create(user.id, "tests")
                client = httpx.AsyncClient(
                    transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {key}"}
                )
                clients.append(await stack.enter_async_context(client))
            return House(kernel, *clients)

        yield open_house


@pytest.fixture
async def house(opened: Any) -> House:
    found: House = await opened(*PLUGINS)
    return found


def file_events(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [step["file"] for step in steps if step["type"] == "file_added"]


# What is refused


async def test_files_of_others_and_of_nobody_are_not_found(house: House) -> None:
    answer = await house.make({"name": "a.txt"})
    run_id = answer.headers["x-run-id"]
    assert (await house.ann.get(f"/api/runs/{run_id}/files/a.txt")).status_code == 200
    refused = await house.bob.get(f"/api/runs/{run_id}/files/a.txt")
    unknown = await house.ann.get(f"/api/runs/{run_id}/files/b.txt")
    assert (refused.status_code, refused.json()) == (unknown.status_code, unknown.json())
    assert error_of(refused.json())["code"] == "not_found"
    for path in (
        "run_00000000000000000000/files/a.txt",
        f"{run_id.upper()}/files/a.txt",
        f"{run_id}/files/..%2f..%2fa.txt",
        f"{run_id}/files/..%5ca.txt",
        f"{run_id}/files/%2e%2e",
        f"{run_id}/files/a.txt%00",
        f"{run_id}%2f..%2f{run_id}/files/a.txt",
        f"{run_id}/files/",
    ):
        assert (await house.ann.get(f"/api/runs/{path}")).status_code == 404, path
    without = httpx.AsyncClient(transport=house.ann._transport, base_url="http://test")
    assert (await without.get(f"/api/runs/{run_id}/files/a.txt")).status_code == 401


async def test_without_a_store_the_tool_is_told_and_the_rest_works(opened: Any) -> None:
    house: House = await opened("maker", "chat", "storage_sqlite")
    answer = await house.make({"name": "a.txt"}, say="{0}")
    assert answer.status_code == 200
    told = answer.json()["choices"][0]["message"]["content"]
    assert "No store of files is installed. Install a plugin that brings one." in told
    session_id, run_id = answer.headers["x-session-id"], answer.headers["x-run-id"]
    fetched = await house.ann.get(f"/api/runs/{run_id}/files/a.txt")
    assert error_of(fetched.json())["message"]
    assert (await house.make(say="And on.", session_id=session_id)).status_code == 200
    assert (await house.ann.get("/ready")).json()["files"] == {"state": "ok"}
    assert (await house.ann.delete(f"/api/conversations/{session_id}")).json()["files"] == 0


async def test_file_beyond_the_users_room_is_refused_to_the_tool_and_the_run_goes_on(house: House) -> None:
    await house.make({"name": "a.txt", "text": "x" * 600})
    await house.kernel.identity.users.set_limits("ann", {"storage_bytes": 1000})
    kept = [name for name in house.files if "/runs/" in name]
    answer = await house.make({"name": "b.txt", "text": "x" * 600}, {"name": "c.txt"}, say="{0}")
    told = answer.json()["choices"][0]["message"]["content"]
    assert "The file 'b.txt' was not kept: Your files may take 1000 bytes together" in told
    assert "Delete some first." in told
    assert [name for name in house.files if "/runs/" in name] == sorted(kept)
    run = (await house.ann.get(f"/api/runs/{answer.headers['x-run-id']}")).json()["events"]
    assert (run[-1]["type"], file_events(run)) == ("run_finished", [])
    # With room, and for whoever has no limit, files are made as before.
    await house.kernel.identity.users.set_limits("ann", {"storage_bytes": 10_000})
    assert len(file_events(await trace(house, await house.make({"name": "b.txt"})))) == 1


async def trace(house: House, answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of the run that gave this answer."""
    events: list[dict[str, Any]] = (await house.ann.get(f"/api/runs/{answer.headers['x-run-id']}")).json()["events"]
    return events


async def test_store_that_cannot_write_is_told_to_the_tool_and_by_ready(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/files").write_text("a file where the folder should be")
    house: House = await opened(*PLUGINS)
    answer = await house.make({"name": "a.txt"}, say="{0}")
    assert "The store of files failed" in answer.json()["choices"][0]["message"]["content"]
    assert str(tmp_path) not in answer.text
    ready = await house.ann.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["files"]["state"] != "ok"
    assert str(tmp_path) not in ready.text, "causes are for administrators"


@pytest.mark.parametrize("wanted", ["nope", "s3"])
async def test_store_that_is_not_installed_stops_the_start(maker: None, tmp_path: Path, wanted: str) -> None:
    settings = await asyncio.to_thread(read_settings, data_dir=tmp_path / "data", blobs=wanted)
    with pytest.raises(ConfigurationError) as failure:
        async with open_kernel(settings, only=PLUGINS):
            pytest.fail("it started")
    message = failure.value.message
    assert f"BLOBS={wanted}: there is no blob store of this name. Installed: files." in message
    assert "Example: BLOBS=files" in message


async def test_named_store_without_any_stops_the_start(maker: None, tmp_path: Path) -> None:
    settings = await asyncio.to_thread(read_settings, data_dir=tmp_path / "data", blobs="files")
    with pytest.raises(ConfigurationError, match="BLOBS=files: no blob store can be used"):
        async with open_kernel(settings, only=("maker", "storage_sqlite")):
            pytest.fail("it started")


# What is kept


@pytest.mark.parametrize(
    ("name", "media_type", "served_as"),
    [
        ("plot.png", "image/png", "image/png"),
        ("photo.JPG", "image/jpeg", "image/jpeg"),
        ("a.gif", "image/gif", "image/gif"),
        ("a.webp", "image/webp", "image/webp"),
        ("a.svg", "image/svg+xml", None),
        ("a.html", "text/html", None),
        ("a.pdf", "application/pdf", None),
        ("a.csv", "text/csv", None),
        ("noext", "text/html", None),
        ('Größe 1; x="y".txt', "text/plain", None),
    ],
)
async def test_file_is_served_as_it_was_made_and_runs_nowhere(
    house: House, name: str, media_type: str, served_as: str | None
) -> None:
    answer = await house.make({"name": name, "media_type": media_type, "text": PNG.decode("latin-1")})
    [file] = file_events(answer.json()["agentic"]["steps"])
    got = await house.ann.get(file["url"])
    assert got.status_code == 200
    assert got.content == PNG.decode("latin-1").encode()
    assert len(got.content) == file["size"]
    assert got.headers["content-type"] == (served_as or "application/octet-stream")
    place, _, told = got.headers["content-disposition"].partition("; filename*=UTF-8''")
    assert place == ("inline" if served_as else "attachment")
    assert told == file["url"].rpartition("/")[2]
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "private" in got.headers["cache-control"]


ODD = [
    *(
        "👍 宽.txt",
        "宽" * 200 + ".csv",
        "😀" * 300,
        ".hidden",
        "..",
        "CON",
        "nul.txt",
        " ",
        "x\n\ry",
        "index.html;type=x",
    ),
    *("a%2fb", "a+b&c=d#e?f.txt", "\u202egpj.exe", "\ud83d.txt", "a" * 500 + "." + "b" * 500),
    *("e\u0301.txt", "é.txt", "É.TXT"),
]


async def test_odd_names_lead_to_their_own_files_alone(house: House) -> None:
    answer = await house.make(*({"name": name, "text": f"{number}"} for number, name in enumerate(ODD)))
    files = file_events(answer.json()["agentic"]["steps"])
    assert len({file["url"] for file in files}) == len({file["name"] for file in files}) == len(ODD)
    got = [await house.ann.get(file["url"]) for file in files]
    assert {one.status_code for one in got} == {200}
    assert sorted(int(one.text) for one in got) == [*range(len(ODD))]
    assert {(await house.bob.get(file["url"])).status_code for file in files} == {404}


async def test_files_of_any_size_come_whole(house: House) -> None:
    sizes = [0, 1, 65_535, 65_536, 65_537]
    answer = await house.make(*({"name": "a.bin", "text": "x" * size} for size in sizes))
    files = file_events(answer.json()["agentic"]["steps"])
    got = [await house.ann.get(file["url"]) for file in files]
    assert {one.status_code for one in got} == {200}
    assert sorted(len(one.content) for one in got) == sorted(file["size"] for file in files) == sizes


async def test_big_file_comes_whole(house: House) -> None:
    answer = await house.make({"name": "big.txt", "text": "0123456789" * 150_000})
    [file] = file_events(answer.json()["agentic"]["steps"])
    assert (await house.ann.get(file["url"])).text == "0123456789" * 150_000


async def test_files_are_told_in_the_answer_the_stream_and_the_stored_run(house: House) -> None:
    calls = ({"name": "a.csv"}, {"name": "a.csv"}, {"name": "plot", "media_type": "image/png"})
    streamed = read_stream(await house.make(*calls, stream=True))
    steps = [chunk["agentic"] for chunk in streamed.chunks if "type" in chunk.get("agentic", {})]
    files = file_events(steps)
    assert sorted(file["name"] for file in files) == ["a-2.csv", "a.csv", "plot.png"]
    run_id = streamed.response.headers["x-run-id"]
    stored = (await house.ann.get(f"/api/runs/{run_id}")).json()["events"]
    assert file_events(stored) == files
    links = "\n".join(f"{'!' if f['name'] == 'plot.png' else ''}[{f['name']}]({f['url']})" for f in files)
    assert streamed.text == f"Done.\n\n{links}"
    session_id = streamed.response.headers["x-session-id"]
    talk = (await house.ann.get(f"/api/conversations/{session_id}")).json()["messages"]
    assert talk[-1]["content"] == streamed.text
    for file in files:
        assert (await house.ann.get(file["url"])).content == b"made"


async def test_files_lie_under_their_user_and_run_with_names_that_people_can_read(house: House) -> None:
    answer = await house.make({"name": "Plan B.txt"})
    user_id = (await house.ann.get("/api/auth/me")).json()["id"]
    run_id = answer.headers["x-run-id"]
    assert f"spaces/{user_id}/runs/{run_id}/!plan !b.txt" in house.files


# What is deleted


async def test_deleted_conversation_leaves_nothing_of_itself_and_all_of_the_others(house: House) -> None:
    kept = await house.make({"name": "kept.txt"})
    before = house.files, await house.keys()
    first = await house.make({"name": "a.txt"}, {"name": "plot.png", "media_type": "image/png"})
    session_id = first.headers["x-session-id"]
    second = await house.make({"name": "b.txt"}, session_id=session_id)
    theirs = await chat(house.bob, {"name": "bobs.txt"})
    of_bob = theirs.headers["x-session-id"]
    assert (await house.bob.delete(f"/api/conversations/{session_id}")).status_code == 404
    deleted = await house.ann.delete(f"/api/conversations/{session_id}")
    assert deleted.json() == {
        "session_id": session_id,
        "deleted": True,
        "messages": 4,
        "runs": 2,
        "files": 3,
        "kept_by_plugins": 3 + 3 + 1,
    }
    for answer in (first, second):
        for file in file_events(answer.json()["agentic"]["steps"]):
            assert (await house.ann.get(file["url"])).status_code == 404
    assert (await house.bob.delete(f"/api/conversations/{of_bob}")).status_code == 200
    assert (house.files, await house.keys()) == before
    [file] = file_events(kept.json()["agentic"]["steps"])
    assert (await house.ann.get(file["url"])).status_code == 200


@pytest.mark.parametrize("again", [False, True], ids=["first turn", "second turn"])
async def test_deleting_a_conversation_at_work_ends_its_run_and_leaves_nothing(house: House, again: bool) -> None:
    session: dict[str, str] = {}
    if again:
        session = {"session_id": (await house.make({"name": "first.txt"})).headers["x-session-id"]}
    asking = asyncio.create_task(house.make({"name": "a.txt", "hang": True}, **session))
    while not any("a.txt" in name for name in house.files):  # noqa: ASYNC110 - the tool tells only the store
        await asyncio.sleep(0.01)
    [live] = house.kernel.engine._running.values()
    deleted = await house.ann.delete(f"/api/conversations/{live.session_id}")
    assert (deleted.status_code, deleted.json()["files"]) == (200, 2 if again else 1)
    answer = await asyncio.wait_for(asking, 5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "cancelled")
    assert (await house.ann.get(f"/api/runs/{live.id}")).status_code == 404
    assert house.files == []
    assert await house.keys() == []
    assert (await house.ann.get("/api/conversations")).json()["conversations"] == []
