"""The stream of a chat completion, to the letter of the design: chunks, steps, annotations, usage, headers, pings."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.kernel import open_kernel
from agentic.server import sse
from agentic.server.app import create_app
from agentic.testing.ollama import ScriptedOllama, calls, fails, says, sends
from agentic.testing.server import PASSWORD
from tests.http_fixtures import Api, SharedOllama, chat_body, error_of, read_stream

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def test_stream_begins_with_the_role_and_ends_with_the_reason(ann: Api, ollama: SharedOllama) -> None:
    ollama.script("It is so.")
    streamed = ann.chat_stream()
    first, *middle, last = streamed.chunks
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["delta"] for chunk in middle] == [{"content": w} for w in ("It ", "is ", "so.")]
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in streamed.chunks}) == 1
    assert all(chunk["choices"][0]["index"] == 0 for chunk in streamed.chunks)
    assert not any("usage" in chunk for chunk in streamed.chunks)


def test_stream_and_whole_answer_carry_their_headers(ann: Api) -> None:
    streamed, whole = ann.chat_stream().response, ann.chat()
    for response in (streamed, whole):
        assert len(response.headers["x-session-id"]) == 24
        assert response.headers["x-run-id"].startswith("run_")
        assert response.headers["x-agent"] == "chat"
        assert response.headers["x-content-type-options"] == "nosniff"
    assert streamed.headers["cache-control"] == "no-cache"
    assert streamed.headers["x-accel-buffering"] == "no"
    assert whole.headers["content-type"] == "application/json"


def test_whole_answer_has_the_shape_of_openais(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(says("It is so.", tokens=3, prompt_tokens=11))
    response = ann.chat()
    body = response.json()
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    assert isinstance(body["created"], int)
    assert body["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    assert body["session_id"] == response.headers["x-session-id"]
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", "It is so.")
    assert "tool_calls" not in choice["message"]
    assert body["agentic"]["run_id"] == response.headers["x-run-id"]
    assert body["agentic"]["agent"] == "chat"


def test_usage_comes_in_a_chunk_of_its_own_where_it_was_asked_for(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(says("It is so.", prompt_tokens=11))
    chunks = ann.chat_stream(stream_options={"include_usage": True}).chunks
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks[:-1])


@pytest.mark.parametrize("options", [None, {"include_usage": False}, {}])
def test_no_usage_comes_unasked(ann: Api, options: dict[str, bool] | None) -> None:
    assert not any("usage" in chunk for chunk in ann.chat_stream(stream_options=options).chunks)


def test_steps_of_the_server_travel_as_reasoning_and_never_as_tool_calls(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), text="I look. "), "It is 324 m.")
    streamed = ann.chat_stream("How high is the tower?", model="agentic/react")
    assert streamed.text.split() == "I look. It is 324 m.".split()
    assert streamed.finish == "stop"
    assert not any("tool_calls" in delta for delta in streamed.deltas)
    thought = "".join(delta.get("reasoning_content", "") for delta in streamed.deltas)
    assert "lookup(" in thought
    assert "tower: 324 m" in thought
    steps = [chunk["agentic"] for chunk in streamed.chunks if "type" in chunk.get("agentic", {})]
    kinds = [step["type"] for step in steps]
    assert kinds[:2] == ["tool_call_started", "tool_call_finished"]
    assert steps[0]["plugin"] == "lookup"
    assert streamed.response.headers["x-agent"] == "react"


def test_thinking_travels_as_reasoning(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(says("Done.", thinking="Let me think."), says("Done.", thinking="Let me think."))
    streamed = ann.chat_stream()
    assert streamed.text == "Done."
    assert "".join(delta.get("reasoning_content", "") for delta in streamed.deltas) == "Let me think."
    assert ann.chat().json()["choices"][0]["message"]["reasoning_content"] == "Let me think."


def test_sources_are_annotations(ann: Api, ollama: SharedOllama) -> None:
    script = (calls(("lookup", {"what": "tower"})), "It is 324 m.")
    ollama.script(*script, *script)
    whole = ann.chat("How high?", model="agentic/react").json()["choices"][0]["message"]["annotations"]
    assert whole == [
        {
            "type": "url_citation",
            "url_citation": {
                "url": "https://tower.example/height",
                "title": "The tower",
                "start_index": 4,
                "end_index": 9,
            },
        }
    ]
    streamed = ann.chat_stream("How high?", model="agentic/react")
    assert streamed.deltas[-1]["annotations"] == whole
    assert not any("annotations" in delta for delta in streamed.deltas[:-1])


def test_calls_of_the_clients_tools_are_streamed_to_it(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), ("weather", {"town": "Paris"}), text="One moment."))
    streamed = ann.chat_stream("Tower and weather?", model="agentic/react", tools=[WEATHER])
    assert streamed.finish == "tool_calls"
    (call,) = [call for delta in streamed.deltas for call in delta.get("tool_calls", ())]
    assert (call["index"], call["type"], call["function"]["name"]) == (0, "function", "weather")
    assert json.loads(call["function"]["arguments"]) == {"town": "Paris"}
    assert call["id"]
    assert streamed.text == "One moment."


def test_several_calls_of_the_clients_tools_are_counted(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("weather", {"town": "Paris"}), ("weather", {"town": "Oslo"})))
    streamed = ann.chat_stream(tools=[WEATHER])
    handed = [call for delta in streamed.deltas for call in delta.get("tool_calls", ())]
    assert [call["index"] for call in handed] == [0, 1]
    assert len({call["id"] for call in handed}) == 2


def test_client_that_wants_no_tool_gets_none(ann: Api, ollama: SharedOllama) -> None:
    assert ann.chat(tools=[WEATHER], tool_choice="none", model="agentic").status_code == 200
    assert "tools" not in ollama.chats[-1]


def test_line_breaks_of_other_alphabets_are_escaped(ann: Api, ollama: SharedOllama) -> None:
    text = "one\u2028two\u2029three\u0085four"
    ollama.script(text, text)
    streamed = ann.chat_stream()
    assert streamed.text == text
    assert not any(mark in streamed.response.text for mark in "\u2028\u2029\u0085")
    assert ann.chat().json()["choices"][0]["message"]["content"] == text


def test_text_of_any_alphabet_comes_as_it_is(ann: Api, ollama: SharedOllama) -> None:
    text = 'Grüße, 世界! 🙂 \\ "quoted" \x00 \t data: [DONE]\n\nend'
    ollama.script(text, text)
    assert ann.chat_stream().text == text
    assert ann.chat().json()["choices"][0]["message"]["content"] == text


def test_answer_without_a_word_is_told_as_none(ann: Api, ollama: SharedOllama) -> None:
    ollama.script("", "")
    streamed = ann.chat_stream()
    assert (streamed.text, streamed.finish) == ("The model gave no answer.", "stop")
    assert streamed.deltas[0]["role"] == "assistant"
    assert ann.chat().json()["choices"][0]["message"]["content"] == "The model gave no answer."


def test_model_that_is_asked_by_its_own_name_may_say_nothing(ann: Api, ollama: SharedOllama) -> None:
    ollama.script("", "")
    streamed = ann.chat_stream(model="qwen3:8b")
    assert (streamed.text, streamed.finish) == ("", "stop")
    assert ann.chat(model="qwen3:8b").json()["choices"][0]["message"]["content"] == ""


@asynccontextmanager
async def app_over(ollama: ScriptedOllama, folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process over a scripted Ollama, and a client of it that is signed in."""
    async with ollama.serve() as url:
        patch.chdir(folder)
        patch.setenv("OLLAMA_HOST", url)
        patch.setenv("DATA_DIR", str(folder / "data"))
        async with open_kernel() as kernel:
            await kernel.identity.users.add("ann", PASSWORD, "admin")
            app = await asyncio.to_thread(create_app, kernel)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agentic", timeout=20) as http,
            ):
                signed_in = await http.post("/api/auth/login", json={"username": "ann", "password": PASSWORD})
                http.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
                yield http


def short(patch: pytest.MonkeyPatch, *, hold: float, ping: float) -> None:
    patch.setattr(sse, "HOLD_S", hold)
    patch.setattr(sse, "PING_S", ping)
    patch.setattr(sse, "TICK_S", 0.05)


async def ask(http: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await http.post("/v1/chat/completions", json=chat_body("hello", {"stream": True, **fields}))


async def test_slow_answer_begins_with_pings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, hold=0.2, ping=0.1)
    ollama = ScriptedOllama()
    ollama.script(says("At last.", wait_s=0.7))
    async with app_over(ollama, tmp_path, monkeypatch) as http:
        asked_at = time.monotonic()
        response = await ask(http)
        took_s = time.monotonic() - asked_at
    assert response.text.startswith(": ping\n\n: ping\n\n")
    assert 3 <= response.text.count(": ping") <= took_s / 0.1
    assert read_stream(response).text == "At last."


async def test_silence_in_mid_answer_is_filled_with_pings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, hold=5, ping=0.15)
    ollama = ScriptedOllama()
    ollama.script(says("Still here.", delay_s=0.5))
    async with app_over(ollama, tmp_path, monkeypatch) as http:
        response = await ask(http)
    assert response.text.startswith("data: ")
    assert ": ping" in response.text
    assert read_stream(response).text == "Still here."


async def test_failure_after_the_status_went_out_is_an_error_in_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, hold=0.2, ping=0.1)
    monkeypatch.setenv("OLLAMA_TIMEOUT", "0.6")
    ollama = ScriptedOllama()
    ollama.script(says("Too late.", wait_s=5))
    async with app_over(ollama, tmp_path, monkeypatch) as http:
        streamed = read_stream(await ask(http))
    assert streamed.text == ""
    assert streamed.error is not None
    assert streamed.error["code"] == "model_timeout"


async def test_failure_while_the_status_is_held_back_is_that_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, hold=5, ping=0.1)
    ollama = ScriptedOllama()
    ollama.script(fails(503, "busy", retry_after_s=2.5))
    async with app_over(ollama, tmp_path, monkeypatch) as http:
        response = await ask(http)
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert error_of(response.json())["code"] == "model_unavailable"


async def test_words_that_come_together_with_a_failure_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ollama = ScriptedOllama()
    async with app_over(ollama, tmp_path, monkeypatch) as http:
        for _ in range(5):
            line = '{"message": {"content": "A beginning"}, "done": false}\n{"error": "out of memory"}'
            ollama.script(sends(line))
            streamed = read_stream(await ask(http))
            assert streamed.text == "A beginning"
            assert streamed.error is not None


async def test_bug_is_told_in_the_shape_of_errors_and_with_nosniff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://chat.example.org")

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret words")

    async with app_over(ScriptedOllama(), tmp_path, monkeypatch) as http:
        monkeypatch.setattr("agentic.server.routes_chat.to_run_request", broken)
        transport = http._transport
        assert isinstance(transport, httpx.ASGITransport)
        transport.raise_app_exceptions = False
        response = await http.post(
            "/v1/chat/completions", json=chat_body("hello", {}), headers={"Origin": "https://chat.example.org"}
        )
    assert response.status_code == 500
    assert error_of(response.json())["type"] == "server_error"
    assert "secret words" not in response.text
    assert response.headers["connection"] == "close"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["access-control-allow-origin"] == "https://chat.example.org"
