"""The provider: what it sends, how it reads answers, what it lists."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest

from agentic import (
    ContextExceeded,
    Json,
    Message,
    ModelDelta,
    ModelError,
    ModelNotFound,
    ModelRequest,
    ModelUnavailable,
    Sampling,
    ToolCall,
    ToolSpec,
    Usage,
)
from agentic.testing.ollama import ScriptedModel, ScriptedOllama, calls, cuts, errors_midstream, fails, says, sends
from agentic_ollama.provider import OllamaProvider

SCHEMA: Json = {
    "$defs": {"unit": {"enum": ["km", "mi"]}},
    "type": "object",
    "properties": {
        "distance": {"type": "number", "minimum": 0, "default": 1.5},
        "unit": {"$ref": "#/$defs/unit"},
        "stops": {"type": "array", "items": {"type": "object", "properties": {"at": {"anyOf": [{"type": "null"}]}}}},
    },
    "required": ["distance"],
    "additionalProperties": False,
}
TOOL = ToolSpec("travel", "Plan a way", SCHEMA)

Provider = Callable[..., OllamaProvider]
Ask = Callable[..., Awaitable[Sequence[ModelDelta]]]


@pytest.fixture
def provider(clients: Any) -> Provider:
    """Makes the provider of a scripted server."""
    return partial(clients.make, OllamaProvider)


@pytest.fixture
def answer(provider: Provider) -> Ask:
    """Asks the provider of a scripted server."""

    async def answer(
        server: ScriptedOllama, request: ModelRequest | None = None, **settings: Any
    ) -> Sequence[ModelDelta]:
        return [delta async for delta in provider(server, **settings).stream(request or asks())]

    return answer


def asks(text: str = "hello", *, model: str = "qwen3:8b", **fields: Any) -> ModelRequest:
    return ModelRequest(model=model, messages=[Message("user", text)], **fields)


def text_of(deltas: Sequence[ModelDelta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (fails(400, "invalid options"), ModelError, "invalid options"),
        (fails(429, "slow down"), ModelUnavailable, "slow down"),
        (fails(500, "llama runner process has terminated"), ModelError, "llama runner process has terminated"),
        (fails(502, "bad gateway"), ModelError, "bad gateway"),
        (fails(503, "server busy, please try again."), ModelUnavailable, "server busy"),
        (fails(401, "unauthorized"), ModelError, "OLLAMA_API_KEY"),
        (fails(302, "moved"), ModelError, "OLLAMA_HOST"),
        (errors_midstream("out of memory"), ModelError, "out of memory"),
        (sends("<html>"), ModelError, "not JSON"),
        (sends("[1]"), ModelError, "is this Ollama"),
        (sends('{"message": "text"}'), ModelError, "form"),
        (sends('{"message": {"tool_calls": [1]}}'), ModelError, "form"),
    ],
)
async def test_every_fault_has_its_error(answer: Ask, fault: Any, error: type[ModelError], message: str) -> None:
    server = ScriptedOllama()
    server.script(fault)
    with pytest.raises(error, match=message) as caught:
        await answer(server)
    assert type(caught.value) is error


async def test_retry_after_is_passed_on(answer: Ask) -> None:
    server = ScriptedOllama()
    server.script(fails(503, "busy", retry_after_s=7))
    with pytest.raises(ModelUnavailable) as caught:
        await answer(server)
    assert caught.value.retry_after_s == 7


async def test_retry_after_may_be_a_date(answer: Ask) -> None:
    server = ScriptedOllama()
    server.script(fails(503, "busy", headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    with pytest.raises(ModelUnavailable) as caught:
        await answer(server)
    assert caught.value.retry_after_s == 0


async def test_model_that_is_not_pulled_is_told_with_the_command(answer: Ask) -> None:
    with pytest.raises(ModelNotFound, match="ollama pull llama9"):
        await answer(ScriptedOllama(), asks(model="llama9"))


async def test_model_removed_since_it_was_listed_is_not_found(provider: Provider) -> None:
    server = ScriptedOllama()
    ollama = provider(server)
    await ollama.models()
    server.models.clear()
    with pytest.raises(ModelNotFound, match="ollama pull qwen3:8b"):
        _ = [delta async for delta in ollama.stream(asks())]


async def test_answer_without_its_last_line_is_an_error_after_what_came(provider: Provider) -> None:
    server = ScriptedOllama()
    server.script(cuts(after=1))
    seen: list[str] = []
    with pytest.raises(ModelError, match="broke off"):
        async for delta in provider(server).stream(asks()):
            seen.append(delta.text)
    assert "".join(seen) == "word1 "


async def test_model_that_refuses_tools_is_remembered_as_one_without(provider: Provider) -> None:
    server = ScriptedOllama()
    ollama = provider(server)
    assert [info.tool_mode for info in await ollama.models()] == ["native"]
    server.script(fails(400, "registry.ollama.ai/library/qwen3:8b does not support tools"))
    with pytest.raises(ModelError, match="cannot call tools"):
        _ = [delta async for delta in ollama.stream(asks(tools=[TOOL]))]
    assert [info.tool_mode for info in await ollama.models()] == ["schema"]
    server.models["qwen3:8b"] = ScriptedModel("qwen3:8b", version=2)
    assert [info.tool_mode for info in await ollama.models()] == ["native"]


@pytest.mark.parametrize(
    "said",
    ["the input length exceeds the context length", "prompt too long; exceeded max context length by 812 tokens"],
)
async def test_a_prompt_beyond_the_context_is_the_fault_of_the_request(answer: Ask, said: str) -> None:
    server = ScriptedOllama()
    server.script(fails(400, said))
    with pytest.raises(ContextExceeded, match=said) as caught:
        await answer(server)
    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")


async def test_blank_lines_are_skipped(answer: Ask) -> None:
    server = ScriptedOllama()
    server.script(sends("", "  ", '{"message": {"content": "hi"}, "done": false}'))
    assert text_of(await answer(server)) == "hi"


async def test_text_that_looks_like_line_ends_is_kept_whole(answer: Ask) -> None:
    server = ScriptedOllama()
    odd = "a\u0085b\u2028c\u2029d\x1ce\r\nf😀"
    server.script(says(odd, tokens=3))
    assert text_of(await answer(server)) == odd


async def test_text_thinking_usage_and_finish_are_read(answer: Ask) -> None:
    server = ScriptedOllama()
    server.script(says("one two", thinking="hm, well", tokens=5, prompt_tokens=11))
    deltas = await answer(server)
    assert (text_of(deltas), "".join(delta.thinking for delta in deltas)) == ("one two", "hm, well")
    assert (deltas[-1].finish, deltas[-1].usage) == ("stop", Usage(11, 5))
    assert not any(delta.finish for delta in deltas[:-1])


async def test_answer_cut_at_its_length_says_so(answer: Ask) -> None:
    server = ScriptedOllama()
    server.script(says("one", done_reason="length"))
    assert (await answer(server))[-1].finish == "length"


async def test_loading_a_model_is_an_empty_answer(answer: Ask) -> None:
    deltas = await answer(ScriptedOllama(), ModelRequest(model="qwen3:8b", messages=[]))
    assert [(delta.text, delta.finish) for delta in deltas] == [("", "stop")]


@pytest.mark.parametrize("ids", [True, False])
async def test_calls_are_read_with_an_id_each(answer: Ask, ids: bool) -> None:
    server = ScriptedOllama()
    server.script(calls(("travel", {"distance": 2**70}), ("travel", {}), text="Let me see.", ids=ids))
    deltas = await answer(server, asks(tools=[TOOL]))
    called = [call for delta in deltas for call in delta.calls]
    assert [(call.name, call.arguments) for call in called] == [("travel", {"distance": 2**70}), ("travel", {})]
    assert len({call.id for call in called}) == 2 and all(call.id for call in called)
    assert (text_of(deltas), deltas[-1].finish) == ("Let me see.", "tool_calls")


async def test_equal_ids_of_two_calls_are_told_apart(answer: Ask) -> None:
    server = ScriptedOllama()
    line = '{"message": {"tool_calls": [{"id": "c", "function": {"name": "travel", "arguments": null}}]}}'
    server.script(sends(line, line))
    first, second = [call for delta in await answer(server) for call in delta.calls]
    assert first.id == "c" != second.id
    assert (first.arguments, first.malformed) == ({}, "")


async def test_arguments_that_are_no_object_are_kept_as_malformed(answer: Ask) -> None:
    server = ScriptedOllama()
    server.script(
        sends(
            '{"message": {"tool_calls": [{"function": {"name": "a", "arguments": "{oops"}}]}}',
            '{"message": {"tool_calls": [{"function": {"name": "b", "arguments": [1]}}]}}',
        )
    )
    called = [call for delta in await answer(server) for call in delta.calls]
    assert [(call.arguments, call.malformed) for call in called] == [({}, "{oops"), ({}, "[1]")]


async def test_tool_schemas_arrive_whole(answer: Ask) -> None:
    server = ScriptedOllama()
    await answer(server, asks(tools=[TOOL]))
    function = {"name": "travel", "description": "Plan a way", "parameters": SCHEMA}
    assert server.chats[0]["tools"] == [{"type": "function", "function": function}]


async def test_conversation_is_sent_as_ollama_wants_it(answer: Ask) -> None:
    server = ScriptedOllama()
    call = ToolCall("call_1", "travel", {"distance": 2**70})
    messages = [
        Message("system", "Be brief."),
        Message("user", "How far?"),
        Message("assistant", "", tool_calls=(call, ToolCall("call_2", "travel", {}, malformed="{oops"))),
        Message("tool", "12 km", tool_call_id="call_1", name="travel"),
    ]
    await answer(server, ModelRequest(model="qwen3:8b", messages=messages))
    assert server.chats[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How far?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "function": {"index": 0, "name": "travel", "arguments": {"distance": 2**70}}},
                {"id": "call_2", "function": {"index": 1, "name": "travel", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "12 km", "tool_name": "travel", "tool_call_id": "call_1"},
    ]


async def test_what_is_not_asked_for_is_not_sent(answer: Ask) -> None:
    server = ScriptedOllama()
    await answer(server)
    message = {"role": "user", "content": "hello"}
    assert server.chats == [{"model": "qwen3:8b", "messages": [message], "stream": True, "options": {"num_ctx": 16384}}]


async def test_settings_apply_and_the_request_wins(answer: Ask) -> None:
    server = ScriptedOllama()
    settings = {"ollama_temperature": 0.1, "ollama_top_p": 0.2, "ollama_top_k": 3, "ollama_num_ctx": 9000}
    sampling = Sampling(
        temperature=0, max_tokens=50, stop=("END",), seed=1, presence_penalty=0.4, frequency_penalty=0.5
    )
    await answer(server, asks(sampling=sampling), **settings)
    assert server.chats[0]["options"] == {
        "temperature": 0,
        "top_p": 0.2,
        "top_k": 3,
        "num_ctx": 9000,
        "num_predict": 50,
        "stop": ["END"],
        "seed": 1,
        "presence_penalty": 0.4,
        "frequency_penalty": 0.5,
    }


@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), (None, None)],
)
async def test_effort_becomes_think_for_models_that_think(answer: Ask, effort: str | None, think: Any) -> None:
    server = ScriptedOllama([ScriptedModel("thinker", capabilities=("completion", "thinking")), ScriptedModel("plain")])
    for model in ("thinker", "plain"):
        await answer(server, asks(model=model, sampling=Sampling(effort=effort)))
    assert [body.get("think") for body in server.chats] == [think, None]


async def test_schema_becomes_the_format(answer: Ask) -> None:
    server = ScriptedOllama()
    deltas = await answer(server, asks(schema=SCHEMA))
    assert server.chats[0]["format"] == SCHEMA
    assert json.loads(text_of(deltas)) == {"distance": 1.5}


async def test_models_are_listed_with_what_they_can_do(provider: Provider) -> None:
    server = ScriptedOllama(
        [
            ScriptedModel(
                "small", capabilities=("completion",), context_length=2048, modified_at="2026-01-01T00:00:00Z"
            ),
            ScriptedModel("thinker:4b", capabilities=("completion", "tools", "thinking"), context_length=131072),
            ScriptedModel("vectors", capabilities=("embedding",), modified_at="2026-09-01T00:00:00+02:00"),
        ]
    )
    small, thinker, vectors = await provider(server).models()
    assert (small.id, small.tool_mode, small.schema, small.context) == ("small:latest", "schema", True, 2048)
    assert (thinker.tool_mode, thinker.thinking, thinker.context) == ("native", True, 16384)
    assert (vectors.chat, vectors.default) == (False, False)
    assert small.changed == 1767225600
    assert (small.default, thinker.default) == (False, True)


async def test_default_is_the_named_model_with_latest_implied(provider: Provider) -> None:
    server = ScriptedOllama([ScriptedModel("qwen3"), ScriptedModel("newer", modified_at="2026-10-01T00:00:00Z")])
    assert [info.id for info in await provider(server, ollama_model="qwen3").models() if info.default] == [
        "qwen3:latest"
    ]
    assert [info.id for info in await provider(server).models() if info.default] == ["newer:latest"]


async def test_named_model_that_is_not_pulled_leaves_no_default(provider: Provider) -> None:
    infos = await provider(ScriptedOllama(), ollama_model="llama9").models()
    assert [(info.id, info.default) for info in infos] == [("qwen3:8b", False)]


async def test_models_are_asked_about_once_until_they_change(provider: Provider) -> None:
    server = ScriptedOllama()
    ollama = provider(server)
    for _ in range(2):
        await ollama.models()
    assert [request.path for request in server.requests].count("/api/show") == 1
    server.models["qwen3:8b"] = ScriptedModel("qwen3:8b", version=2)
    await ollama.models()
    assert [request.path for request in server.requests].count("/api/show") == 2


async def test_model_that_cannot_be_shown_is_left_out_of_the_list(provider: Provider) -> None:
    server = ScriptedOllama()
    server.faults["/api/show"] = fails(500, "corrupt manifest")
    assert await provider(server).models() == []


async def test_server_too_old_to_tell_capabilities_is_taken_to_chat(provider: Provider) -> None:
    server = ScriptedOllama([ScriptedModel("old", capabilities=())])
    (old,) = await provider(server).models()
    assert (old.chat, old.tool_mode, old.default) == (True, "schema", True)


async def test_listing_of_another_form_is_an_error(provider: Provider, odd_ollama: Any) -> None:
    server = odd_ollama()
    server.bodies = dict.fromkeys(["/api/tags", "/api/version"], b'{"models": [{"id": "gpt"}]}')
    ollama = provider(server)
    with pytest.raises(ModelError, match="form"):
        await ollama.models()
    assert "OLLAMA_HOST" in (await ollama.health() or "")


async def test_page_of_another_server_is_not_taken_for_a_missing_model(provider: Provider) -> None:
    server = ScriptedOllama()
    server.faults["/api/tags"] = fails(404, "")
    with pytest.raises(ModelError, match="is this Ollama"):
        await provider(server).models()


@pytest.mark.parametrize(
    ("version", "fault"),
    [("0.4.7", "update"), ("", "OLLAMA_HOST"), ("0.5.0-rc1", None), ("0.0.0", None), ("1.0", None)],
)
async def test_health_tells_of_servers_too_old_or_strange(provider: Provider, version: str, fault: str | None) -> None:
    told = await provider(ScriptedOllama(version=version)).health()
    assert told is None if fault is None else fault in (told or "")


async def test_context_is_never_more_than_the_model_was_trained_for(provider: Provider) -> None:
    server = ScriptedOllama([ScriptedModel("small", context_length=2048), ScriptedModel("large")])
    infos = await provider(server, ollama_num_ctx=32768).models()
    assert [info.context for info in infos] == [2048, 32768]


def test_remedy_for_a_missing_model_is_the_pull_command(provider: Provider) -> None:
    server = ScriptedOllama()
    assert provider(server).remedy("ollama/llama9:70b") == "Run: ollama pull llama9:70b"
    assert provider(server, ollama_model="mistral").remedy("") == "Run: ollama pull mistral"
    assert provider(server).remedy("") == "Run: ollama pull qwen3:8b"
    assert provider(server).remedy("x; rm -rf ~") == ""
