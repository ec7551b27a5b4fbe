"""A client that goes away stops its model call within a second, and its run is recorded as cancelled."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from agentic.testing.ollama import calls, hangs, says
from tests.http_fixtures import Api, SharedOllama, chat_body, eventually

LONG = says("word " * 200, delay_s=0.1)


def newest_run(api: Api) -> list[str]:
    """The kinds of the events of the newest conversation's run, and how it ended."""
    newest = api.get("/api/conversations", params={"limit": 1}).json()["conversations"][0]
    run_id = api.conversation(newest["session_id"])[0]["run_id"]
    found = api.get(f"/api/runs/{run_id}")
    return [event.get("reason", event["type"]) for event in found.json()["events"]] if found.status_code == 200 else []


async def leave_in_mid_stream(api: Api, *, model: str = "agentic/chat") -> tuple[str, str]:
    """Read the first words of a stream, go, and return the ids of session and run."""
    async with httpx.AsyncClient(base_url=api.base_url, headers=api.headers) as http:
        body = chat_body("hello", {"stream": True, "model": model})
        async with http.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if '"content":"word ' in line:
                    break
            return response.headers["x-session-id"], response.headers["x-run-id"]


async def leave_before_the_answer(api: Api, *, stream: bool) -> None:
    """Ask, and go while the server still waits for the model."""
    async with httpx.AsyncClient(base_url=api.base_url, headers=api.headers) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/v1/chat/completions", json=chat_body("hello", {"stream": stream}), timeout=0.4)


async def test_leaving_a_stream_stops_the_model(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(LONG)
    session_id, run_id = await leave_in_mid_stream(ann)
    left_at = time.monotonic()
    assert await ollama.disconnected(timeout=1)
    assert time.monotonic() - left_at < 1
    assert await asyncio.to_thread(eventually, lambda: ann.get(f"/api/runs/{run_id}").status_code == 200)
    last = ann.get(f"/api/runs/{run_id}").json()["events"][-1]
    assert (last["type"], last["reason"]) == ("run_finished", "cancelled")
    question, answer = ann.conversation(session_id)
    assert question["content"] == "hello"
    assert answer["content"].startswith("word ")
    assert answer["incomplete"] is True


async def test_leaving_a_whole_answer_stops_the_model(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(LONG)
    await leave_before_the_answer(ann, stream=False)
    assert await ollama.disconnected(timeout=1)
    assert await asyncio.to_thread(eventually, lambda: "cancelled" in newest_run(ann))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_leaving_before_the_first_word_stops_the_model(ann: Api, ollama: SharedOllama, stream: bool) -> None:
    ollama.script(hangs(after=0))
    await leave_before_the_answer(ann, stream=stream)
    assert await ollama.disconnected(timeout=0.8)
    assert await asyncio.to_thread(eventually, lambda: "cancelled" in newest_run(ann))


async def test_leaving_after_a_tool_step_stops_the_model(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"})), LONG)
    _, run_id = await leave_in_mid_stream(ann, model="agentic/react")
    assert await ollama.disconnected(timeout=1)
    assert await asyncio.to_thread(eventually, lambda: ann.get(f"/api/runs/{run_id}").status_code == 200)
    assert ann.get(f"/api/runs/{run_id}").json()["events"][-1]["reason"] == "cancelled"


async def test_leaving_while_queued_behind_another_turn_leaves_that_turn_alone(ann: Api, ollama: SharedOllama) -> None:
    first = ann.chat()
    session_id = first.headers["x-session-id"]
    ollama.script(says("one two three four", delay_s=0.3))
    async with httpx.AsyncClient(base_url=ann.base_url, headers=ann.headers, timeout=10) as http:
        body = chat_body("second", {"session_id": session_id})
        answering = asyncio.create_task(http.post("/v1/chat/completions", json=body))
        await asyncio.sleep(0.2)
        with pytest.raises(httpx.ReadTimeout):
            third = chat_body("third", {"session_id": session_id})
            await http.post("/v1/chat/completions", json=third, timeout=0.3)
        answer = await answering
    assert answer.json()["choices"][0]["message"]["content"] == "one two three four"


async def test_a_cancelled_answer_is_gone_on_with(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(LONG, "And on.")
    session_id, run_id = await leave_in_mid_stream(ann)
    assert await asyncio.to_thread(eventually, lambda: ann.get(f"/api/runs/{run_id}").status_code == 200)
    assert ann.chat("go on", session_id=session_id).json()["choices"][0]["message"]["content"] == "And on."
    sent = ollama.chats[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"].startswith("word ")
