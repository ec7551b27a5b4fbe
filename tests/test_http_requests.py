"""What is refused, and what is taken: logins, paths, bodies, and every field of a chat completion."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import says
from agentic.testing.server import Server
from tests.http_fixtures import Api, SharedOllama, chat_body, error_of

CHAT = "/v1/chat/completions"


def allowed(*names: str, mode: str = "auto") -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic YTpi"}])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CHAT),
        ("GET", "/v1/models"),
        ("GET", "/v1/no/such/path"),
        ("GET", "/api/conversations"),
        ("DELETE", "/api/conversations/000000000000000000000000"),
        ("GET", "/api/runs/run_0"),
        ("PUT", "/api/nothing"),
        ("GET", "/api/auth/me"),
    ],
)
def test_strangers_are_refused_on_every_path(server: Server, method: str, path: str, headers: dict[str, str]) -> None:
    answer = httpx.request(method, server.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert error_of(answer.json())["code"] == "invalid_api_key"


def test_strangers_are_refused_before_their_body_is_looked_at(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 900000\r\n\r\n{{"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_unknown_path_has_the_shape_of_an_error(ann: Api) -> None:
    answer = ann.get("/v1/nothing")
    assert answer.status_code == 404
    assert error_of(answer.json())["type"] == "invalid_request_error"


def test_wrong_method_has_the_shape_of_an_error(ann: Api) -> None:
    answer = ann.get(CHAT)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert error_of(answer.json())["type"] == "invalid_request_error"


def test_too_large_body_is_refused(ann: Api) -> None:
    answer = ann.chat("x" * 1_000_001)
    assert answer.status_code == 413
    assert "MAX_BODY_MB" in error_of(answer.json())["message"]


def test_too_large_body_of_unknown_length_is_refused(ann: Api) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"messages": [{"role": "user", "content": "'
        for _ in range(20):
            yield b"x" * 60_000
        yield b'"}]}'

    answer = ann.post(CHAT, content=pieces())
    assert answer.status_code == 413
    assert error_of(answer.json())["code"] == "payload_too_large"
    assert ann.get("/v1/models").status_code == 200


def test_body_just_below_the_limit_is_taken(ann: Api, ollama: SharedOllama) -> None:
    ollama.script("Long indeed.")
    assert ann.chat("x" * 900_000).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b'"text"',
        b"null",
        b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}',
        b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
        rb'{"messages": [{"role": "user", "content": "\ud800"}]}',
        rb'{"messages": [{"role": "user", "content": "\udc00 x"}]}',
        b'{"messages": NaN}',
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"metadata": ' + b"[" * 600 + b"]" * 600 + b', "messages": [{"role": "user", "content": "x"}]}',
    ],
    ids=[
        "empty", "no JSON", "array", "string", "null", "invalid UTF-8", "surrogate in UTF-8", "lone surrogate",
        "lone low surrogate", "NaN", "very deep", "deep",
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_read_are_refused(ann: Api, body: bytes) -> None:
    answer = ann.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert error_of(answer.json())["type"] == "invalid_request_error"


def test_schema_nested_too_deeply_is_refused(ann: Api) -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"properties": {"a": deep}}
    tool = {"type": "function", "function": {"name": "look", "parameters": deep}}
    answer = ann.chat(tools=[tool])
    assert answer.status_code == 400
    assert "nested" in error_of(answer.json())["message"]


@pytest.mark.parametrize("arguments", ["[" * 100_000, "{", "no JSON"])
def test_call_that_a_model_wrote_wrongly_may_be_sent_back(ann: Api, arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": arguments}}
    history = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "1", "content": "ok"}]
    answer = ann.chat([{"role": "user", "content": "hello"}, *history])
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"functions": [{"name": "look"}]}, "functions"),
        ({"function_call": {"name": "look"}}, "function_call"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"verbosity": "low"}, "verbosity"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 10**30}, "seed"),
        ({"stop": 5}, "stop"),
        ({"stop": ["ok", 5]}, "stop.1"),
        ({"stop": ""}, "stop"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream_options": []}, "stream_options"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}},
            "response_format.json_schema.schema",
        ),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "bad name"}}]}, "tools.0.function.name"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "ring"}}}, "tool_choice.type"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"tools": [TOOL], "tool_choice": allowed("other")}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": allowed(mode="none")}, "tool_choice.allowed_tools.mode"),
        ({"tools": [TOOL], "tool_choice": allowed()}, "tool_choice.allowed_tools.tools"),
        ({"user": 5}, "user"),
        ({"metadata": {"a": 5}}, "metadata.a"),
        ({"session_id": 5}, "session_id"),
        ({"model": 5}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/a.png"}}]}]},
            "messages.0.content.0.image_url.url",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "messages.0.tool_calls.0.function"),
    ],
)  # fmt: skip
def test_field_that_cannot_be_honoured_is_named(ann: Api, fields: dict[str, Any], param: str) -> None:
    answer = ann.chat(**fields)
    assert answer.status_code == 400, answer.text
    error = error_of(answer.json())
    assert error["param"] == param
    assert error["message"].startswith(param.split(".", maxsplit=1)[0])


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]},
        {"n": None, "logprobs": None, "top_logprobs": None, "logit_bias": None, "audio": None, "prediction": None},
        {"functions": [], "function_call": "auto", "service_tier": "auto", "verbosity": "medium", "store": False},
        {"temperature": None, "top_p": None, "max_tokens": None, "max_completion_tokens": None, "stop": None},
        {"seed": None, "response_format": None, "tools": None, "tool_choice": None, "parallel_tool_calls": None},
        {"stream": None, "stream_options": None, "user": None, "metadata": None, "reasoning_effort": None},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "response_format": {"type": "text"}},
        {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0, "stop": []},
        {"user": "someone", "metadata": {"a": "b"}, "safety_identifier": "x", "prompt_cache_key": "y"},
        {"no_such_field": {"a": [1, 2]}, "extra_body": 5},
        {"session_id": None},
    ],
)
def test_default_values_and_unknown_keys_are_taken(ann: Api, fields: dict[str, Any]) -> None:
    answer = ann.chat(**fields)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "You said: hello"


def test_sampling_reaches_the_model(ann: Api, ollama: SharedOllama) -> None:
    wishes = {"temperature": 0.3, "top_p": 0.9, "max_tokens": 99, "stop": "END", "seed": 7}
    assert ann.chat(**wishes, presence_penalty=0.5, frequency_penalty=0.25).status_code == 200
    options = ollama.chats[-1]["options"]
    asked = {name: options[name] for name in ("temperature", "top_p", "num_predict", "stop", "seed")}
    assert asked == {"temperature": 0.3, "top_p": 0.9, "num_predict": 99, "stop": ["END"], "seed": 7}
    assert (options["presence_penalty"], options["frequency_penalty"]) == (0.5, 0.25)


def test_max_completion_tokens_goes_before_max_tokens(ann: Api, ollama: SharedOllama) -> None:
    assert ann.chat(max_tokens=10, max_completion_tokens=20).status_code == 200
    assert ollama.chats[-1]["options"]["num_predict"] == 20


def test_answer_that_was_cut_off_says_so(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(says("only so", done_reason="length"), says("only so", done_reason="length"))
    assert ann.chat(max_tokens=2).json()["choices"][0]["finish_reason"] == "length"
    assert ann.chat_stream(max_tokens=2).finish == "length"


def test_text_parts_and_developer_messages_are_taken(ann: Api, ollama: SharedOllama) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    messages = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}]
    assert ann.chat(messages).status_code == 200
    sent = [(message["role"], message["content"]) for message in ollama.chats[-1]["messages"]]
    assert sent == [("system", "Be kind."), ("user", "one two")]


def test_response_format_holds_the_model_to_its_schema(ann: Api, ollama: SharedOllama) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": SCHEMA}}
    answer = ann.chat(response_format=wanted)
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"a": 0}
    assert ollama.chats[-1]["format"] == SCHEMA


@pytest.mark.parametrize(
    "model", ["gpt-9", "agentic/nobody", "agentic/chat@nothing", "", "ollama/", "../x", "agentic/"]
)
def test_unknown_model_is_not_found(ann: Api, model: str) -> None:
    answer = ann.chat(model=model)
    if model in ("", "agentic/"):
        assert answer.status_code == 200
        return
    assert answer.status_code == 404, answer.text
    assert error_of(answer.json())["code"] == "model_not_found"
    assert ann.get(f"/v1/models/{model}").status_code == 404


@pytest.mark.parametrize(
    "model", ["agentic", "agentic/chat", "agentic/react", "qwen3:8b", "agentic/chat@toolless", "toolless"]
)
def test_known_models_answer(ann: Api, model: str) -> None:
    answer = ann.chat(model=model)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == model


def test_every_listed_model_can_be_had_by_its_id(ann: Api) -> None:
    listed = ann.get("/v1/models").json()
    assert listed["object"] == "list"
    ids = [model["id"] for model in listed["data"]]
    assert ids[0] == "agentic"
    assert {"agentic/chat", "agentic/react", "qwen3:8b", "toolless:latest"} <= set(ids)
    for model in listed["data"]:
        assert ann.get(f"/v1/models/{model['id']}").json() == model
        assert model["object"] == "model"


def test_query_that_makes_no_sense_has_the_shape_of_an_error(ann: Api) -> None:
    answer = ann.get("/api/conversations", params={"limit": "many"})
    assert answer.status_code == 422
    assert error_of(answer.json())["param"] == "limit"


def test_body_needs_no_content_type(ann: Api) -> None:
    answer = ann.post(CHAT, content=json.dumps(chat_body("hello", {})), headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200
