"""The openai client for Python works unchanged, sync and async, streamed and whole."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from agentic.testing.ollama import calls, cuts, errors_midstream, fails, says
from agentic.testing.server import PASSWORD, Server
from tests.http_fixtures import SharedOllama

HELLO: Any = [{"role": "user", "content": "hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string"}},
            "required": ["town"],
            "additionalProperties": False,
        },
    },
}


class Thing(BaseModel):
    name: str
    size: int


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, openai.InternalServerError), (503, openai.InternalServerError), (404, openai.NotFoundError)],
)
def test_failure_is_the_clients_own_error(client: openai.OpenAI, ollama: SharedOllama, status: int, kind: Any) -> None:
    ollama.script(fails(status, "no luck"))
    with pytest.raises(kind):
        client.chat.completions.create(model="agentic/chat", messages=HELLO)


def test_wrong_key_is_an_authentication_error(server: Server) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.models.list()
        assert caught.value.code == "invalid_api_key"


def test_unknown_model_and_wrong_field_are_told_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="agentic", messages=HELLO, n=2)
    assert wrong.value.param == "n"


@pytest.mark.parametrize("fault", [errors_midstream("out of memory", after=2), cuts(after=2)], ids=["error", "cut"])
def test_failure_in_mid_stream_is_raised_after_the_words(
    client: openai.OpenAI, ollama: SharedOllama, fault: Any
) -> None:
    ollama.script(fault)
    words = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="agentic/chat", messages=HELLO, stream=True):
            words.append(chunk.choices[0].delta.content or "")
    assert "".join(words) == "word1 word2 "
    assert caught.value.code == "model_error"


def test_retry_of_the_client_heals_a_busy_server(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(fails(503, "busy", retry_after_s=1), "At last.")
    answer = client.with_options(max_retries=1).chat.completions.create(model="agentic/chat", messages=HELLO)
    assert answer.choices[0].message.content == "At last."


def test_key_from_a_login_works_as_well(server: Server, keys: dict[str, str], ollama: SharedOllama) -> None:
    import httpx

    login = httpx.post(f"{server.url}/api/auth/login", json={"username": "bob", "password": PASSWORD})
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=login.json()["access_token"]) as client:
        assert client.models.retrieve("agentic/chat").owned_by == "agentic"


def test_whole_answer(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="agentic", messages=HELLO)
    answer = raw.parse()
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    going_on = client.chat.completions.create(
        model="agentic/chat",
        messages=[{"role": "user", "content": "again"}],
        extra_body={"session_id": raw.headers["x-session-id"]},
    )
    assert going_on.choices[0].message.content == "You said: again"


def test_streamed_answer(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="agentic", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "You said: hello"
    assert chunks[-1].usage is not None


def test_stream_helper_gathers_text_steps_and_calls(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), ("weather", {"town": "Oslo"}), text="Wait. "))
    with client.chat.completions.stream(model="agentic/react", messages=HELLO, tools=[WEATHER]) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert {"content.delta", "tool_calls.function.arguments.done"} <= kinds
    assert message.content == "Wait. "
    (call,) = message.tool_calls or ()
    assert json.loads(call.function.arguments) == {"town": "Oslo"}
    assert call.function.parsed_arguments == {"town": "Oslo"}


def test_conversation_with_a_tool_of_the_client(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(calls(("weather", {"town": "Oslo"})), "Sunny in Oslo.")
    messages = list(HELLO)
    asked = client.chat.completions.create(model="agentic", messages=messages, tools=[WEATHER]).choices[0]
    assert asked.finish_reason == "tool_calls"
    assert asked.message.tool_calls is not None
    messages += [asked.message, {"role": "tool", "tool_call_id": asked.message.tool_calls[0].id, "content": "sunny"}]
    told = client.chat.completions.create(model="agentic", messages=messages, tools=[WEATHER]).choices[0]
    assert told.message.content == "Sunny in Oslo."
    assert [message["role"] for message in ollama.chats[-1]["messages"] if message["role"] != "system"] == [
        "user",
        "assistant",
        "tool",
    ]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_tool_that_must_be_called_is_called(client: openai.OpenAI, ollama: SharedOllama, choice: Any) -> None:
    ollama.script('{"thought": "", "calls": [{"action": "weather", "input": {"town": "Oslo"}}]}')
    answer = client.chat.completions.create(model="agentic", messages=HELLO, tools=[WEATHER], tool_choice=choice)
    assert answer.choices[0].message.tool_calls is not None
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"
    assert ollama.chats[-1]["format"]["properties"]["calls"]["minItems"] == 1


@pytest.mark.parametrize("model", ["agentic", "agentic/chat", "agentic/react"])
def test_parsed_answer(client: openai.OpenAI, ollama: SharedOllama, model: str) -> None:
    ollama.answer = lambda body: '{"name": "ball", "size": 3}' if body.get("format") else says("A ball.")
    answer = client.chat.completions.parse(model=model, messages=HELLO, response_format=Thing)
    assert answer.choices[0].message.parsed == Thing(name="ball", size=3)
    with client.chat.completions.stream(model=model, messages=HELLO, response_format=Thing) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Thing(name="ball", size=3)


async def test_async_client(aclient: openai.AsyncOpenAI, ollama: SharedOllama) -> None:
    whole = await aclient.chat.completions.create(model="agentic", messages=HELLO)
    assert whole.choices[0].message.content == "You said: hello"
    text = ""
    async for chunk in await aclient.chat.completions.create(model="agentic", messages=HELLO, stream=True):
        text += chunk.choices[0].delta.content or ""
    assert text == "You said: hello"
    async with aclient.chat.completions.stream(model="agentic", messages=HELLO) as stream:
        async for _ in stream:
            pass
        assert (await stream.get_final_completion()).choices[0].message.content == "You said: hello"
    ollama.script('{"name": "ball", "size": 3}')
    parsed = await aclient.chat.completions.parse(model="agentic/chat", messages=HELLO, response_format=Thing)
    assert parsed.choices[0].message.parsed == Thing(name="ball", size=3)


async def test_async_client_lists_models(aclient: openai.AsyncOpenAI) -> None:
    assert "agentic" in [model.id async for model in aclient.models.list()]


async def test_closing_the_stream_stops_the_model(aclient: openai.AsyncOpenAI, ollama: SharedOllama) -> None:
    ollama.script(says("word " * 200, delay_s=0.1))
    stream = await aclient.chat.completions.create(model="agentic/chat", messages=HELLO, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    assert await ollama.disconnected(timeout=1)


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_are_all_that_the_model_sees_of_the_clients(
    client: openai.OpenAI, ollama: SharedOllama, mode: Any
) -> None:
    other: Any = {"type": "function", "function": {"name": "another_tool", "parameters": {"type": "object"}}}
    choice: Any = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": mode, "tools": [{"type": "function", "function": {"name": "weather"}}]},
    }
    by_schema = '{"thought": "", "calls": [{"action": "weather", "input": {"town": "Kiel"}}]}'
    ollama.script(by_schema if mode == "required" else calls(("weather", {"town": "Kiel"})))
    answer = client.chat.completions.create(
        model="agentic/chat", messages=HELLO, tools=[other, WEATHER], tool_choice=choice
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls or ()] == ["weather"]
    assert "another_tool" not in json.dumps(ollama.chats[-1])
