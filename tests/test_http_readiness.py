"""/ready answers soon, whatever is silent or broken behind it, and asks no more than it must."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from agentic import ModelInfo, StorageError
from agentic.models.directory import Directory
from agentic.server import health
from agentic.server.health import Readiness
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ScriptedProvider

SILENT_S = 30.0


class Server(ScriptedProvider):
    """A model server that was configured; what is silent of it answers when nobody waits any more."""

    configured = True

    def __init__(self, name: str, *, silent: str = "") -> None:
        super().__init__(name=name)
        self.silent = silent
        self.checked = 0

    async def health(self) -> str | None:
        self.checked += 1
        if self.silent in ("health", "all"):
            await asyncio.sleep(SILENT_S)
        return None

    async def models(self) -> list[ModelInfo]:
        if self.silent in ("models", "all"):
            await asyncio.sleep(SILENT_S)
        return [ModelInfo(id="m", default=True)]


class Storage(MemoryStorage):
    """A storage that is silent, or fails, when asked for its health."""

    def __init__(self, fault: Exception | None = None, *, silent: bool = False) -> None:
        super().__init__()
        self.fault, self.silent, self.checked = fault, silent, 0

    async def health(self) -> str | None:
        self.checked += 1
        if self.silent:
            await asyncio.sleep(SILENT_S)
        if self.fault is not None:
            raise self.fault
        return None


def readiness_of(*providers: Server, storage: Any = None) -> Readiness:
    by_name = {provider.name: provider for provider in providers}
    catalog = SimpleNamespace(plugins=[], model_providers=lambda: by_name)
    kernel: Any = SimpleNamespace(
        catalog=catalog, directory=Directory(by_name), storage=storage or Storage(), blobs=Storage()
    )
    return Readiness(kernel)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LIMIT_S", 0.2)
    monkeypatch.setattr(health, "FRESH_S", 0.3)


async def test_silent_model_server_is_told_within_the_limit() -> None:
    began = time.monotonic()
    report = await readiness_of(Server("away", silent="all")).report()
    assert time.monotonic() - began < 1
    assert report["status"] == "not_ready"
    assert report["models"] == {"away": {"state": "failed", "cause": "no answer within 0.2 s"}}
    assert report["storage"] == {"state": "ok"}


async def test_one_silent_server_does_not_hide_one_that_answers() -> None:
    report = await readiness_of(Server("here"), Server("away", silent="health")).report()
    assert report["status"] == "ready"
    assert {name: part["state"] for name, part in report["models"].items()} == {"here": "ok", "away": "failed"}


async def test_models_that_are_not_listed_in_time_are_a_notice() -> None:
    report = await readiness_of(Server("here", silent="models")).report()
    assert report["status"] == "ready"
    assert report["notices"] == ["The model server did not list its models within 0.2 s."]


async def test_silent_storage_is_told_within_the_limit() -> None:
    report = await readiness_of(Server("here"), storage=Storage(silent=True)).report()
    assert (report["status"], report["storage"]["cause"]) == ("not_ready", "no answer within 0.2 s")


@pytest.mark.parametrize("fault", [StorageError("the disk is full"), RuntimeError("a bug")])
async def test_storage_whose_check_breaks_is_a_failed_part(fault: Exception) -> None:
    report = await readiness_of(Server("here"), storage=Storage(fault)).report()
    assert report["status"] == "not_ready"
    assert report["storage"] == {"state": "failed", "cause": f"the health check failed: {type(fault).__name__}"}


async def test_many_callers_at_once_ask_the_parts_once() -> None:
    storage, server = Storage(), Server("here")
    readiness = readiness_of(server, storage=storage)
    await asyncio.gather(*(readiness.report() for _ in range(50)))
    await readiness.report()
    assert (storage.checked, server.checked) == (1, 1)
    await asyncio.sleep(0.35)
    await readiness.report()
    assert (storage.checked, server.checked) == (2, 2)


async def test_caller_who_leaves_takes_the_answer_from_nobody() -> None:
    readiness = readiness_of(Server("away", silent="all"))
    leaving = asyncio.create_task(readiness.report())
    staying = asyncio.create_task(readiness.report())
    await asyncio.sleep(0.05)
    leaving.cancel()
    assert (await staying)["status"] == "not_ready"


async def test_route_answers_503_without_causes_to_strangers() -> None:
    app = Starlette(routes=health.ROUTES)
    app.state.readiness = readiness_of(Server("away", silent="all"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["models"] == {"away": {"state": "failed"}}
