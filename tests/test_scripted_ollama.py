"""The scripted Ollama keeps to Ollama's API, also in how it fails."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import (
    ScriptedModel,
    ScriptedOllama,
    calls,
    cuts,
    errors_midstream,
    fails,
    hangs,
    says,
    sends,
)
from agentic.testing.scripted_answers import instance

HELLO = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hello"}]}


def client(server: ScriptedOllama) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://ollama")


async def chat(server: ScriptedOllama, **body: Any) -> list[dict[str, Any]]:
    async with client(server) as http:
        answer = await http.post("/api/chat", json={**HELLO, **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.split("\n") if line]


def text_of(lines: list[dict[str, Any]]) -> str:
    return "".join(line["message"]["content"] for line in lines)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"model": "llama9"}, 404, "model 'llama9' not found"),
        ({"model": ""}, 400, "model is required"),
        ({"model": "plain", "tools": [{"type": "function"}]}, 400, '"plain" does not support tools'),
        ({"think": True}, 400, '"qwen3:8b" does not support thinking'),
        ({"model": "vectors"}, 400, '"vectors" does not support chat'),
        ({"format": "xml"}, 400, 'invalid format: "xml"; expected "json" or a valid JSON Schema object'),
    ],
)
async def test_wrong_chats_are_refused_as_ollama_does(body: dict[str, Any], status: int, message: str) -> None:
    server = ScriptedOllama(
        [
            ScriptedModel("qwen3:8b"),
            ScriptedModel("plain", capabilities=("completion",)),
            ScriptedModel("vectors", capabilities=("embedding",)),
        ]
    )
    async with client(server) as http:
        answer = await http.post("/api/chat", json={**HELLO, **body})
    assert (answer.status_code, answer.json()) == (status, {"error": message})


async def test_arguments_of_earlier_calls_must_be_objects() -> None:
    earlier = {"role": "assistant", "tool_calls": [{"function": {"name": "math", "arguments": "{}"}}]}
    async with client(ScriptedOllama()) as http:
        answer = await http.post("/api/chat", json={**HELLO, "messages": [earlier]})
    assert answer.status_code == 400


async def test_broken_json_is_refused() -> None:
    async with client(ScriptedOllama()) as http:
        answer = await http.post("/api/chat", content=b"{")
    assert answer.status_code == 400


async def test_failure_is_an_error_body_with_its_status() -> None:
    server = ScriptedOllama()
    server.script(fails(503, "server busy, please try again.", retry_after_s=2))
    async with client(server) as http:
        answer = await http.post("/api/chat", json=HELLO)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == {"error": "server busy, please try again."}


async def test_error_in_mid_stream_is_a_line_and_nothing_follows() -> None:
    server = ScriptedOllama()
    server.script(errors_midstream("out of memory", after=2))
    lines = await chat(server)
    assert [line.get("done") for line in lines] == [False, False, None]
    assert lines[-1] == {"error": "out of memory"}


async def test_cut_in_process_leaves_the_last_line_out() -> None:
    server = ScriptedOllama()
    server.script(cuts(after=2))
    assert [line["done"] for line in await chat(server)] == [False, False]


@pytest.mark.parametrize("after", [0, 2])
async def test_cut_on_a_port_breaks_the_connection(after: int) -> None:
    server = ScriptedOllama()
    server.script(cuts(after=after))
    async with server.serve() as url, httpx.AsyncClient(base_url=url) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post("/api/chat", json=HELLO)


async def test_hang_ends_when_the_client_goes_and_is_told_once() -> None:
    server = ScriptedOllama()
    server.script(hangs(after=1))
    async with server.serve() as url, httpx.AsyncClient(base_url=url) as http:
        async with http.stream("POST", "/api/chat", json=HELLO) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            assert not await server.disconnected(0.05)
        assert await server.disconnected(1)
        assert not await server.disconnected(0.05)


async def test_client_that_stays_to_the_end_has_not_left() -> None:
    server = ScriptedOllama()
    async with server.serve() as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/api/chat", json=HELLO)
    assert not await server.disconnected(0.05)


async def test_scripts_are_played_in_order_then_the_function_then_the_echo() -> None:
    server = ScriptedOllama()
    server.script(says("first"), "second")
    assert [text_of(await chat(server)) for _ in range(3)] == ["first", "second", "You said: hello"]
    server.answer = lambda body: f"asked {len(body['messages'])}"
    assert text_of(await chat(server)) == "asked 1"


async def test_answer_is_streamed_in_pieces_and_closed_with_figures() -> None:
    server = ScriptedOllama()
    server.script(says("one two three", thinking="well", prompt_tokens=7))
    *pieces, last = await chat(server)
    assert [piece["message"].get("thinking", piece["message"]["content"]) for piece in pieces] == [
        "well",
        "one ",
        "two ",
        "three",
    ]
    assert (last["done"], last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == (True, "stop", 7, 4)


async def test_number_of_pieces_can_be_chosen() -> None:
    server = ScriptedOllama()
    server.script(says("abcdefgh", tokens=4), says("ab", tokens=3))
    assert [line["message"]["content"] for line in await chat(server)] == ["ab", "cd", "ef", "gh", ""]
    assert len(await chat(server)) == 4


async def test_calls_come_whole_in_a_line_each() -> None:
    server = ScriptedOllama()
    server.script(calls(("math", {"expression": "1+1"}), ("math", {"expression": "2+2"}), ids=False))
    first, second, _ = await chat(server)
    assert first["message"] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"index": 0, "name": "math", "arguments": {"expression": "1+1"}}}],
    }
    assert second["message"]["tool_calls"][0]["function"]["index"] == 1


async def test_without_streaming_it_is_one_object() -> None:
    server = ScriptedOllama()
    server.script(says("one two", thinking="hm"), calls(("math", {})), errors_midstream("late"))
    async with client(server) as http:
        told, called, failed = [await http.post("/api/chat", json={**HELLO, "stream": False}) for _ in range(3)]
    assert told.json()["message"] == {"role": "assistant", "content": "one two", "thinking": "hm"}
    assert called.json()["message"]["tool_calls"][0]["function"]["name"] == "math"
    assert failed.status_code == 500


async def test_no_messages_only_load_the_model() -> None:
    (line,) = await chat(ScriptedOllama(), messages=[])
    assert (line["done"], line["done_reason"], line["message"]["content"]) == (True, "load", "")


async def test_unscripted_answer_obeys_a_schema() -> None:
    schema = {
        "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "place": {"$ref": "#/$defs/place"},
            "items": {"type": "array", "items": {"anyOf": [{"const": 3}]}, "minItems": 1},
        },
        "required": ["kind", "place", "items"],
    }
    answer = json.loads(text_of(await chat(ScriptedOllama(), format=schema)))
    assert answer == {"kind": "a", "place": {"city": "text"}, "items": [3]}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}, "required": ["value"]}, {"value": 0}),
        (
            {
                "$defs": {
                    "tree": {"properties": {"left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}}}
                    | {"required": ["left"]}
                },
                "$ref": "#/$defs/tree",
            },
            {"left": None},
        ),
        ({"$defs": {"json": {"type": "array", "items": {"$ref": "#/$defs/json"}}}, "$ref": "#/$defs/json"}, []),
    ],
    ids=["itself", "tree", "list"],
)
async def test_unscripted_answer_to_a_schema_that_holds_itself_ends(schema: Any, answer: Any) -> None:
    assert json.loads(text_of(await chat(ScriptedOllama(), format=schema))) == answer


def test_schema_that_no_finite_value_fits_is_told() -> None:
    endless = {"properties": {"again": {"$ref": "#"}}, "required": ["again"]}
    with pytest.raises(ValueError, match="no finite value fits the schema: # always holds another of itself"):
        instance(endless)


async def test_raw_lines_are_sent_as_they_are() -> None:
    server = ScriptedOllama()
    server.script(sends("", "no json"))
    async with client(server) as http:
        answer = await http.post("/api/chat", json=HELLO)
    assert answer.text.startswith("\nno json\n{")


async def test_delay_is_kept() -> None:
    server = ScriptedOllama()
    server.script(says("a b", wait_s=0.03, delay_s=0.02))
    start = time.monotonic()
    await chat(server)
    assert time.monotonic() - start >= 0.06


async def test_models_are_listed_shown_and_pulled() -> None:
    server = ScriptedOllama([ScriptedModel("tiny", capabilities=("completion",), context_length=2048)])
    async with client(server) as http:
        assert (await http.get("/")).text == "Ollama is running"
        assert (await http.get("/api/version")).json() == {"version": "0.12.6"}
        assert (await http.get("/api/ps")).json() == {"models": []}
        shown = (await http.post("/api/show", json={"model": "tiny"})).json()
        assert (shown["capabilities"], shown["model_info"]["qwen3.context_length"]) == (["completion"], 2048)
        assert (await http.post("/api/show", json={"model": "big"})).status_code == 404
        pulled = await http.post("/api/pull", json={"model": "big"})
        assert json.loads(pulled.text.splitlines()[-1]) == {"status": "success"}
        names = [model["name"] for model in (await http.get("/api/tags")).json()["models"]]
        assert names == ["tiny:latest", "big:latest"]
        assert (await http.get("/api/nothing")).status_code == 404


async def test_embeddings_have_a_row_a_text() -> None:
    server = ScriptedOllama([ScriptedModel("vectors", capabilities=("embedding",), dimensions=4), ScriptedModel("x")])
    async with client(server) as http:
        both = (await http.post("/api/embed", json={"model": "vectors", "input": ["a b", "a b"]})).json()["embeddings"]
        refused = await http.post("/api/embed", json={"model": "x", "input": "a"})
    assert both[0] == both[1] and len(both[0]) == 4
    assert refused.status_code == 400


async def test_every_request_is_recorded() -> None:
    server = ScriptedOllama()
    async with client(server) as http:
        await http.get("/api/tags")
        await http.post("/api/chat", json=HELLO, headers={"Authorization": "Bearer x"})
    assert [request.path for request in server.requests] == ["/api/tags", "/api/chat"]
    assert server.chats == [HELLO]
    assert server.requests[1].headers["authorization"] == "Bearer x"


async def test_any_path_can_be_made_to_fail() -> None:
    server = ScriptedOllama()
    server.faults["/api/tags"] = fails(500, "disk")
    async with client(server) as http:
        assert (await http.get("/api/tags")).json() == {"error": "disk"}


def test_it_serves_code_that_is_not_async_and_comes_back_on_its_port() -> None:
    server = ScriptedOllama()
    with server.running() as url:
        assert httpx.get(url).text == "Ollama is running"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with server.running(int(url.rsplit(":", 1)[1])) as again:
        assert httpx.get(again).text == "Ollama is running"
