"""A kernel with documents in this process, over SQLite and a folder, and its API as two users."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic import Principal
from agentic.catalog.settings import read_settings
from agentic.kernel import Kernel, open_kernel
from agentic.server.app import create_app
from tests.document_plugins import LineIndexer
from tests.http_fixtures import error_of, install

PLUGINS = ("documents", "chat", "storage_sqlite", "blobs_files")
MARKER = "xyzzy-marker"


@dataclass
class Office:
    """A server in this process, its users' API, and what it has on the disk."""

    kernel: Kernel
    ann: httpx.AsyncClient
    bob: httpx.AsyncClient
    people: dict[str, Principal]

    async def upload(self, data: bytes | str = "one line", name: str = "a.txt", **more: Any) -> dict[str, Any]:
        """Upload as ann, and wait until it was tried to take it in."""
        response = await self.ann.post("/api/files/upload?wait=true", files={"file": (name, data)}, **more)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def shown(self, file_id: str) -> dict[str, Any]:
        response = await self.ann.get(f"/api/files/documents/{file_id}")
        assert response.status_code == 200, response.text
        shown: dict[str, Any] = response.json()
        return shown

    async def until(self, file_id: str, status: str, within_s: float = 20) -> dict[str, Any]:
        """The document once it has this status; what was left for later is looked for."""
        async with asyncio.timeout(within_s):
            while (shown := await self.shown(file_id))["status"] != status:
                await self.kernel.documents.ingestion.look()
                await asyncio.sleep(0.02)
        if status != "indexing":
            # Its entry goes after its record is written.
            await comes_true(self.is_idle)
        return shown

    async def is_idle(self) -> bool:
        """Whether nothing is left to do for ann."""
        return not await self.kernel.documents.jobs.of_user(self.people["ann"].id)

    @property
    def data(self) -> Path:
        return self.kernel.settings.data_dir

    @property
    def files(self) -> list[str]:
        """The names of all files of the store of files, of which there are none in between."""
        return sorted(path.name for path in (self.data / "files").rglob("*") if path.is_file())

    async def keys(self) -> list[str]:
        """The keys of everything kept in storage but for users and servers."""
        found = await self.kernel.storage.list("", limit=1000)
        return [one.key for one in found if one.key.startswith(("spaces/", "ingestion/"))]


async def comes_true(check: Callable[[], Awaitable[bool]], within_s: float = 30) -> None:
    """Wait until it does."""
    async with asyncio.timeout(within_s):
        while True:
            if await check():
                return
            await asyncio.sleep(0.02)


async def indexed_times(times: int) -> None:
    """Wait until indexing was begun so often."""

    async def is_so() -> bool:
        return LineIndexer.calls >= times

    await comes_true(is_so)


def refusal(response: httpx.Response, status: int) -> str:
    """The message of a refusal in the one shape."""
    assert response.status_code == status, response.text
    message: str = error_of(response.json())["message"]
    return message


def traces(folder: Path, text: str = MARKER) -> list[str]:
    """The files that hold a text."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin on a path of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LineIndexer, "away", False)
    monkeypatch.setattr(LineIndexer, "calls", 0)
    path = install(tmp_path, "documents", "from tests.document_plugins import *\n")
    monkeypatch.syspath_prepend(str(path))
    yield path
    sys.modules.pop("fake_documents", None)


@pytest.fixture
async def opened(site: Path, data: Path, keys: dict[str, str]) -> AsyncIterator[Any]:
    """Opens a server over the data folder, one after another or several at once."""
    async with AsyncExitStack() as stack:

        async def open_office(*plugins: str, **settings: Any) -> Office:
            given = {"data_dir": data, "reader_timeout": 20, **settings}
            read = await asyncio.to_thread(lambda: read_settings(**given))
            kernel = await stack.enter_async_context(open_kernel(read, only=plugins or PLUGINS))
            transport = httpx.ASGITransport(app=await asyncio.to_thread(create_app, kernel))
            clients, people = [], {}
            for name in ("ann", "bob"):
                user = await kernel.identity.users.find(name)
                assert user is not None
                headers = {"Authorization": f"Bearer {keys[name]}"}
                client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=60)
                clients.append(await stack.enter_async_context(client))
                people[name] = Principal(user.id, name)
            return Office(kernel, *clients, people)

        yield open_office


@pytest.fixture
async def office(opened: Any) -> Office:
    found: Office = await opened()
    return found
