"""Responses over two servers with one storage, and where storage fails: the application in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from agentic import Run
from agentic.errors import StorageError
from agentic.runtime.run import LiveRun
from agentic.server.dialects.responses import ResponseWriter
from agentic.server.sse import lasting_chunks
from tests.kernel_in_memory import ALICE
from tests.killed_kernels import Server, killed
from tests.served_users import Served


def response(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "agentic", "input": text, **more}


def beside(one: Served) -> Served:
    """Another server over the same storage."""
    other = Served()
    for name in ("_documents", "_logs", "_waiting"):
        setattr(other.storage, name, getattr(one.storage, name))
    return other


@pytest.fixture
def office() -> Served:
    return Served()


async def test_what_another_server_makes_is_seen_here_and_neither_streamed_nor_ended(office: Served) -> None:
    here = await office.add("ann")
    there = beside(office).api(await office.token("ann"))
    begun = (await here.post("/v1/responses", json=response("wait", background=True))).json()
    path = f"/v1/responses/{begun['id']}"
    assert (await there.get(path)).json()["status"] == "queued"
    for answer in (await there.get(path, params={"stream": "true"}), await there.post(f"{path}/cancel")):
        assert answer.status_code == 409, answer.text
        assert "Another server" in answer.json()["error"]["message"]
    office.release.set()
    stream = await here.get(path, params={"stream": "true"})
    assert "event: response.completed" in stream.text
    assert (await there.get(path)).json()["status"] == "completed"
    assert "event: response.completed" in (await there.get(path, params={"stream": "true"})).text


async def test_response_that_cannot_be_stored_is_not_promised(office: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    api = await office.add("ann")

    async def full(*_: Any, **__: Any) -> int:
        raise StorageError("the disk is full")

    monkeypatch.setattr(office.storage, "append", full)
    for more in ({}, {"background": True}, {"background": True, "stream": True}, {"stream": True}):
        answer = await api.post("/v1/responses", json=response("hello", **more))
        assert answer.status_code == 503, (more, answer.text)
        assert answer.json()["error"]["code"] in ("storage_unavailable", "cancelled")
    kept_nowhere = await api.post("/v1/responses", json=response("hello", store=False))
    assert kept_nowhere.status_code == 200


async def test_turns_of_one_conversation_wait_for_one_another(office: Served) -> None:
    api = await office.add("ann")
    first = (await api.post("/v1/responses", json=response("wait", background=True))).json()
    refused = await api.post("/v1/responses", json=response("and", previous_response_id=first["id"], store=False))
    assert refused.status_code == 409
    office.release.set()
    second = await api.post("/v1/responses", json=response("and", previous_response_id=first["id"]))
    assert second.json()["output"][0]["content"][0]["text"] == "Said to ann: and"
    assert second.json()["agentic"]["session_id"] == first["agentic"]["session_id"]


@pytest.mark.parametrize("scopes", [["read"], ["files"]])
async def test_key_needs_the_scope_for_what_it_asks(office: Served, scopes: list[str]) -> None:
    api = await office.add("ann")
    kept = (await api.post("/v1/responses", json=response("hello"))).json()["id"]
    made = await api.post("/api/keys", json={"name": "k", "scopes": scopes})
    key: httpx.AsyncClient = office.api(made.json()["key"])
    looked = await key.get(f"/v1/responses/{kept}")
    assert looked.status_code == (200 if scopes == ["read"] else 403)
    for answer in (
        await key.post("/v1/responses", json=response("hello")),
        await key.post(f"/v1/responses/{kept}/cancel"),
        await key.delete(f"/v1/responses/{kept}"),
    ):
        assert answer.status_code == 403


async def test_run_that_goes_on_after_a_restart_is_read_along() -> None:
    hung, release = asyncio.Event(), asyncio.Event()

    async def act(run: Run) -> None:
        if run.restored is None:
            run.say("Void. ")
            await run.checkpoint({"step": 1})
            hung.set()
            await asyncio.Event().wait()
        await release.wait()
        run.say("Done.")

    first = Server(act)
    asked = {"store": True, "background": True}
    live = await killed(first, hung, lasting=True, asked=asked)
    second = Server(act, first)
    await second.restart.look()
    again = second.house.engine.at_work(ALICE)[live.id]
    reading = asyncio.create_task(read_along(again, ResponseWriter(live.id, asked, "agentic")))
    await asyncio.sleep(0)
    release.set()
    told = await asyncio.wait_for(reading, 10)
    assert told.startswith("event: response.created\n")
    assert "event: response.completed\n" in told
    assert '"delta":"Done."' in told


async def read_along(live: LiveRun, writer: ResponseWriter) -> str:
    return b"".join([chunk async for chunk in lasting_chunks(live, writer)]).decode()
