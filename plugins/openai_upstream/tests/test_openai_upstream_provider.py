"""What the provider sends, how it reads answers, and what it lists."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
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
from agentic.messages import ImagePart, TextPart
from agentic.testing.openai import (
    ScriptedModel,
    ScriptedUpstream,
    calls,
    errors_midstream,
    fails,
    says,
    streams,
)
from agentic_openai_upstream.provider import UpstreamProvider
from agentic_openai_upstream.refusals import Origin
from agentic_openai_upstream.settings import Upstream

KEY = "sk-of-these-tests"
TOOL = ToolSpec("travel", "Plan a way", {"type": "object", "properties": {"to": {"type": "string"}}})
STRICT: Json = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
LOOSE: Json = {"type": "object", "properties": {"city": {"type": "string"}}}


@contextlib.asynccontextmanager
async def served(server: ScriptedUpstream, **fields: Any) -> AsyncIterator[UpstreamProvider]:
    async with server.serve() as url:
        provider = UpstreamProvider("vllm", Upstream(**{"base_url": url, "api_key": KEY, "retry_s": 0, **fields}))
        try:
            yield provider
        finally:
            await provider.aclose()


def asks(text: str = "hello", *, model: str = "maker/chat-8b", **fields: Any) -> ModelRequest:
    return ModelRequest(model=model, messages=[Message("user", text)], **fields)


async def drain(provider: UpstreamProvider, request: ModelRequest | None = None) -> Sequence[ModelDelta]:
    return [delta async for delta in provider.stream(request or asks())]


async def answer(server: ScriptedUpstream, request: ModelRequest | None = None, **fields: Any) -> Sequence[ModelDelta]:
    async with served(server, **fields) as provider:
        return await drain(provider, request)


def scripted(*answers: Any, **options: Any) -> ScriptedUpstream:
    server = ScriptedUpstream(**options)
    server.script(*answers)
    return server


def text_of(deltas: Sequence[ModelDelta]) -> str:
    return "".join(delta.text for delta in deltas)


def chunk(delta: Json, finish: str | None = None, **more: Any) -> str:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}], **more})}\n\n"


def fragment(index: Any, call_id: str | None, name: str | None, arguments: Any) -> str:
    call = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
    call["function"] = {key: value for key, value in call["function"].items() if value is not None}
    return chunk({"tool_calls": [{key: value for key, value in call.items() if value is not None}]})


DONE = "data: [DONE]\n\n"


VLLM = "'max_completion_tokens' is too large: 512. This model's maximum context length is 8 tokens."
LLAMA = {"code": 400, "message": "request (9000 tokens) is too big", "type": "exceed_context_size_error"}


@pytest.mark.parametrize(
    "fault",
    [
        fails(400, "Your input is too long.", code="context_length_exceeded", param="messages"),
        fails(400, "This model's maximum context length is 8 tokens. However, you requested 9 tokens."),
        fails(400, VLLM, param="max_completion_tokens"),
        fails(400, "the request exceeds the available context size. try increasing the context size"),
        fails(400, "prompt is too long: 200001 tokens > 200000 maximum"),
        fails(500, "Context length exceeded: 9 of 8 tokens"),
        errors_midstream("The input is longer than the context window."),
        streams(f"data: {json.dumps({'error': LLAMA})}\n\n"),
    ],
)
async def test_a_prompt_beyond_the_context_is_the_fault_of_the_request(fault: Any) -> None:
    server = scripted(fault)
    with pytest.raises(ContextExceeded, match=r"^vllm refused the request: ") as caught:
        await answer(server, asks(sampling=Sampling(max_tokens=512)))
    error = caught.value
    assert (error.status, error.type, error.code) == (400, "invalid_request_error", "context_length_exceeded")
    assert error.param == "messages"
    assert len(server.chats) == 1


@pytest.mark.parametrize(
    "said", ["Invalid context: expected a list.", "maximum of 128 tools exceeded", "too long a name"]
)
async def test_what_is_refused_for_something_else_stays_the_servers(said: str) -> None:
    with pytest.raises(ModelError) as caught:
        await answer(scripted(fails(400, said)))
    assert (caught.value.status, caught.value.code) == (502, "model_error")


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (fails(401, f"Incorrect API key provided: {KEY}"), ModelError, r'\(401\): check api_key of "vllm"'),
        (fails(403, "no"), ModelError, r'\(403\): check api_key of "vllm"'),
        (fails(403, "no access", code="model_not_found"), ModelNotFound, "no access"),
        (fails(404, "The model does not exist"), ModelNotFound, "vllm has no model 'maker/chat-8b'"),
        (fails(404, ""), ModelError, "base_url"),
        (fails(302, "moved"), ModelError, "base_url"),
        (fails(413, "too large"), ModelError, "too large"),
        (fails(429, "slow down"), ModelUnavailable, "slow down"),
        (fails(429, "You exceeded your quota", code="insufficient_quota"), ModelError, "exceeded your quota"),
        (fails(500, f"boom with {KEY}"), ModelError, "boom with …"),
        (fails(502, ""), ModelError, "gives no reason"),
        (fails(503, "loading model"), ModelUnavailable, "loading model"),
        (errors_midstream("out of memory"), ModelError, "vllm failed: out of memory"),
        (streams('data: {"object": "error", "message": "out of memory"}\n\n', DONE), ModelError, "out of memory"),
        (streams('event: error\ndata: {"message": "overloaded"}\n\n'), ModelError, "overloaded"),
        (streams('error: {"message": "the slot is gone"}\n\n'), ModelError, "the slot is gone"),
        (streams('data: {"error": "in one word"}\n\n'), ModelError, "in one word"),
        (streams("data: <html>\n\n"), ModelError, "no JSON object"),
        (streams("data: [1]\n\n"), ModelError, "no JSON object"),
        (streams('data: {"choices": "none"}\n\n'), ModelError, "form"),
        (streams('data: {"choices": [{"delta": {"tool_calls": [1]}}]}\n\n'), ModelError, "form"),
        (streams("\n", "<html>Welcome</html>"), ModelError, "no JSON object"),
        (streams(), ModelError, "broke off"),
        (streams(chunk({"content": "half"})), ModelError, "broke off"),
        (streams(chunk({"content": "half"}), "data: [DONE]"), ModelError, "broke off"),
        (streams(chunk({"content": "half"}, "content_filter"), DONE), ModelError, "content filter"),
        (streams(chunk({"content": "half"}, "abort"), DONE), ModelError, "broke off its answer .*'abort'"),
        (streams(chunk({}, "error"), DONE), ModelError, "broke off its answer .*'error'"),
    ],
)
async def test_every_fault_has_its_error(fault: Any, error: type[ModelError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        await answer(scripted(fault))
    assert isinstance(caught.value, ModelError) == (error is not ModelNotFound)
    assert isinstance(caught.value, ModelUnavailable) == (error is ModelUnavailable)
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r} {vars(caught.value)}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    ['{"detail": "no such field"}', '{"detail": [{"loc": ["body"], "msg": "no such field"}]}',
     '{"object": "error", "message": "no such field"}', '[{"error": {"message": "no such field"}}]',
     '{"error": "no such field"}'],
)  # fmt: skip
async def test_reasons_are_found_in_every_form_in_which_servers_give_them(body: str) -> None:
    origin = Origin("vllm", Upstream(base_url="http://host"))
    assert "no such field" in str(origin.refusal(400, {}, body.encode(), {"model": "m"}))


async def test_a_key_that_is_wrong_is_told_and_not_shown() -> None:
    server = ScriptedUpstream(key="sk-another")
    async with served(server) as provider:
        with pytest.raises(ModelError) as caught:
            await drain(provider)
        health = await provider.health()
    assert "api_key" in caught.value.message and "api_key" in (health or "")
    assert KEY not in caught.value.message


async def test_a_model_that_is_not_listed_is_not_asked_for() -> None:
    server = ScriptedUpstream()
    with pytest.raises(ModelNotFound, match="no model 'other'; it lists maker/chat-8b"):
        await answer(server, asks(model="other"))
    assert server.chats == []


async def test_whole_conversation_is_sent_as_openai_writes_it() -> None:
    server = ScriptedUpstream(key=KEY)
    wanted = (ToolCall("c1", "travel", {"to": "Köln", "n": 2**70}), ToolCall("c2", "x", {}, "{"))
    messages = [
        Message("system", "Be brief."),
        Message("user", "Where to?"),
        Message("assistant", tool_calls=wanted),
        Message("tool", "by train", tool_call_id="c1", name="travel"),
        Message("tool", "what?", tool_call_id="c2", name="x"),
    ]  # fmt: skip
    sampling = Sampling(
        temperature=0.1, top_p=0.2, max_tokens=9, stop=("x",), seed=0, presence_penalty=1, frequency_penalty=2,
        effort="low",
    )  # fmt: skip
    request = ModelRequest(model="maker/chat-8b", messages=messages, tools=[TOOL], schema=STRICT, sampling=sampling)
    await answer(server, request, extra_body={"top_k": 4, "temperature": 0.9})
    function = {"name": "travel", "description": "Plan a way", "parameters": TOOL.parameters}
    made = [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "travel", "arguments": f'{{"to": "Köln", "n": {2**70}}}'},
        },
        {"id": "c2", "type": "function", "function": {"name": "x", "arguments": '{"malformed": "{"}'}},
    ]
    assert server.chats == [
        {
            "model": "maker/chat-8b",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Where to?"},
                {"role": "assistant", "content": None, "tool_calls": made},
                {"role": "tool", "content": "by train", "tool_call_id": "c1"},
                {"role": "tool", "content": "what?", "tool_call_id": "c2"},
            ],
            "tools": [{"type": "function", "function": function}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": STRICT, "strict": True},
            },
            "stream": True,
            "stream_options": {"include_usage": True},
            **{"temperature": 0.1, "top_p": 0.2, "max_tokens": 9, "stop": ["x"], "seed": 0, "presence_penalty": 1},
            **{"frequency_penalty": 2, "reasoning_effort": "low", "top_k": 4},
        }
    ]


async def test_pictures_go_between_the_words_to_models_that_the_settings_say_see() -> None:
    server = ScriptedUpstream([ScriptedModel("maker/chat-8b"), ScriptedModel("maker/see-VL-8b")])
    content = (TextPart("What is"), ImagePart("image/png", "iVBORw0KGgo="), TextPart("this?"))
    request = ModelRequest(model="maker/see-VL-8b", messages=[Message("user", content), Message("user", "Well?")])
    async with served(server, vision=["*-VL-*"]) as provider:
        assert [info.vision for info in await provider.models()] == [False, True]
        await drain(provider, request)
    assert server.chats[0]["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                {"type": "text", "text": "this?"},
            ],
        },
        {"role": "user", "content": "Well?"},
    ]


async def test_headers_of_the_settings_are_sent() -> None:
    server = ScriptedUpstream()
    await answer(server, headers={"OpenAI-Project": "p1"})
    assert {request.headers.get("openai-project") for request in server.requests} == {"p1"}
    assert {request.headers.get("authorization") for request in server.requests} == {f"Bearer {KEY}"}


async def test_text_thinking_and_usage_come_as_they_are_sent() -> None:
    deltas = await answer(scripted(says("It is 42. \u2028\u0085 é", thinking="Let me see.", tokens=7, prompt_tokens=5)))
    assert text_of(deltas) == "It is 42. \u2028\u0085 é"
    assert "".join(delta.thinking for delta in deltas) == "Let me see."
    assert deltas[-1] == ModelDelta(finish="stop", usage=Usage(5, 7))


async def test_calls_are_put_together_from_their_fragments() -> None:
    deltas = await answer(
        scripted(calls(("travel", {"to": "Köln"}), ("travel", {}), text="Well: ")), asks(tools=[TOOL])
    )
    assert text_of(deltas) == "Well: "
    assert deltas[-1].finish == "tool_calls"
    assert [(call.name, call.arguments) for call in deltas[-1].calls] == [("travel", {"to": "Köln"}), ("travel", {})]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([fragment(0, None, "a", "{}"), fragment(1, None, "b", "{}")], [("a", {}), ("b", {})]),
        ([fragment(0, "1", "a", '{"x"'), fragment(1, "2", "b", "{}"), fragment(0, None, None, ":1}")],
         [("a", {"x": 1}), ("b", {})]),
        ([fragment(0, "1", "a", '{"x"'), fragment(0, "1", "a", ":1}")], [("a", {"x": 1})]),
        ([fragment(0, "1", "a", "{}"), fragment(0, "2", "b", "{}")], [("a", {}), ("b", {})]),
        ([fragment(None, None, "a", '{"x"'), fragment(None, None, None, ":1}"), fragment(None, None, "b", "")],
         [("a", {"x": 1}), ("b", {})]),
        ([fragment(0, "1", "a", {"x": 1})], [("a", {"x": 1})]),
        ([fragment(0, "1", "a", None)], [("a", {})]),
        ([fragment(0, None, "a", '{"x":1}'), fragment(0, None, "a", '{"x":2}')], [("a", {"x": 1}), ("a", {"x": 2})]),
        ([fragment(0, None, "a", '{"x"'), fragment(0, None, "a", ":1}"), fragment(0, None, "a", "")],
         [("a", {"x": 1})]),
        ([fragment(0, "1", "a", ""), fragment(0, "2", None, '{"x"'), fragment(0, "3", None, ":1}")],
         [("a", {"x": 1})]),
        ([fragment(0, 7, "a", "{}")], [("a", {})]),
    ],
)  # fmt: skip
async def test_calls_of_every_server_are_understood(parts: list[str], expected: list[tuple[str, Json]]) -> None:
    (last,) = await answer(scripted(streams(*parts, chunk({}, "stop"), DONE)))
    assert [(call.name, call.arguments) for call in last.calls] == expected
    assert last.finish == "tool_calls"
    assert len({call.id for call in last.calls}) == len(expected)
    assert all(isinstance(call.id, str) and call.id for call in last.calls)


@pytest.mark.parametrize("words", ['{"to": ', "[1]", "to Köln", '{"to": NaN}', '{"to":' + "[" * 100_000])
async def test_arguments_that_are_no_object_are_kept_as_they_came(words: str) -> None:
    (last,) = await answer(scripted(streams(fragment(0, "1", "travel", words), chunk({}, "tool_calls"), DONE)))
    assert last.calls == (ToolCall("1", "travel", {}, malformed=words),)


@pytest.mark.parametrize(
    ("parts", "text", "thinking", "finish"),
    [
        ([chunk({"content": "a"}, "length"), DONE], "a", "", "length"),
        ([chunk({"content": "a"}, "stop")], "a", "", "stop"),
        ([chunk({"content": "a"}), DONE], "a", "", "stop"),
        ([chunk({"refusal": "I will not."}, "stop"), DONE], "I will not.", "", "stop"),
        ([chunk({"reasoning": "hm"}), chunk({"reasoning_content": "m"}, "stop"), DONE], "", "hmm", "stop"),
        ([chunk({"reasoning": "hm", "reasoning_content": "hm"}, "stop"), DONE], "", "hm", "stop"),
        ([chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                             {"type": "text", "text": "a"}]}, "stop"), DONE], "a", "hm", "stop"),
        ([": ping\n\n", chunk({"content": "a"}).replace("\n", "\r\n"), chunk({}, "eos"), DONE], "a", "", "stop"),
        (["\r\n", json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})], "a", "", "stop"),
        ([b'data: {"choices": [{"delta": {"content": "a\xc3"}, "finish_reason": "stop"}]}\n\n', DONE], "a\ufffd", "",
         "stop"),
        (["data: {}\n\n", 'data: {"choices": [{"finish_reason": "stop"}]}\n\n', DONE], "", "", "stop"),
    ],
)  # fmt: skip
async def test_answers_of_every_server_are_understood(parts: list[str], text: str, thinking: str, finish: str) -> None:
    deltas = await answer(scripted(streams(*parts)))
    assert text_of(deltas) == text
    assert "".join(delta.thinking for delta in deltas) == thinking
    assert [delta.finish for delta in deltas if delta.finish] == [finish] == [deltas[-1].finish]


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": 3.0, "completion_tokens": None}, Usage(3, 0)),
        ({"prompt_tokens": "3", "completion_tokens": -4}, Usage(0, 0)),
        (None, None),
    ],
)
async def test_tokens_are_counted_where_the_server_tells_a_number(counted: Any, usage: Usage | None) -> None:
    last = (await answer(scripted(streams(chunk({"content": "a"}, "stop", usage=counted), DONE))))[-1]
    assert last.usage == usage


async def test_a_server_that_knows_no_streams_is_understood() -> None:
    deltas = await answer(scripted(calls(("travel", {"to": "Köln"}), text="Well.", thinking="hm"), knows_streams=False))
    assert text_of(deltas) == "Well."
    assert deltas[-1].finish == "tool_calls"
    assert deltas[-1].calls[0].arguments == {"to": "Köln"}
    assert deltas[-1].usage is not None


@pytest.mark.parametrize("field", ["stream_options", "reasoning_effort"])
async def test_a_field_that_is_refused_is_left_out_from_then_on(field: str) -> None:
    server = ScriptedUpstream(refuses=[field])
    request = asks(sampling=Sampling(effort="low"))
    async with served(server) as provider:
        assert (await drain(provider, request))[-1].finish == "stop"
        assert (await drain(provider, request))[-1].finish == "stop"
    assert [field in body for body in server.chats] == [True, False, False]


async def test_a_model_that_wants_the_other_limit_gets_it_from_then_on() -> None:
    server = ScriptedUpstream(refuses=["max_tokens"])
    request = asks(sampling=Sampling(max_tokens=9))
    async with served(server) as provider:
        await drain(provider, request)
        await drain(provider, request)
    limits = [(body.get("max_tokens"), body.get("max_completion_tokens")) for body in server.chats]
    assert limits == [(9, None), (None, 9), (None, 9)]


async def test_a_limit_that_is_too_high_is_told_as_it_is() -> None:
    server = scripted(fails(400, "max_tokens is too large: 9", param="max_tokens", code="invalid_value"))
    with pytest.raises(ModelError, match="max_tokens is too large"):
        await answer(server, asks(sampling=Sampling(max_tokens=9)))
    assert len(server.chats) == 1


async def test_a_schema_that_cannot_be_strict_is_sent_again_as_it_is() -> None:
    server = ScriptedUpstream()
    async with served(server) as provider:
        await drain(provider, asks(schema=LOOSE))
        await drain(provider, asks(schema=STRICT))
    forms = [body["response_format"]["json_schema"] for body in server.chats]
    assert [(form["schema"], form["strict"]) for form in forms] == [(LOOSE, True), (LOOSE, False), (STRICT, True)]


async def test_a_server_that_refuses_everything_is_not_asked_for_ever() -> None:
    server = ScriptedUpstream(refuses=["stream_options", "max_tokens", "max_completion_tokens", "reasoning_effort"])
    with pytest.raises(ModelError, match="max_completion_tokens"):
        await answer(server, asks(sampling=Sampling(max_tokens=9, effort="low")))
    assert len(server.chats) == 2


async def test_a_model_that_refuses_tools_is_held_to_schemas_from_then_on() -> None:
    said = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    server = scripted(fails(400, said))
    async with served(server) as provider:
        with pytest.raises(ModelError, match="tool_mode"):
            await drain(provider, asks(tools=[TOOL]))
        assert [info.tool_mode for info in await provider.models()] == ["schema"]


async def test_a_fault_of_tool_messages_does_not_take_the_tools_away() -> None:
    server = scripted(fails(400, "messages with role 'tool' must be a response to a preceding message"))
    async with served(server) as provider:
        with pytest.raises(ModelError, match="role 'tool'"):
            await drain(provider, asks(tools=[TOOL]))
        assert [info.tool_mode for info in await provider.models()] == ["native"]


async def test_models_are_listed_with_what_is_known_of_them() -> None:
    names = ["vllm/own", "text-embedding-3-small", "whisper-1", "tts-1", "maker/chat-8b", "bge-m3"]
    server = ScriptedUpstream([ScriptedModel(name, context_length=4096) for name in names], shows_context=True)
    async with served(server) as provider:
        infos = {info.id: info for info in await provider.models()}
    assert list(infos) == names
    assert [name for name in names if infos[name].chat] == ["vllm/own", "maker/chat-8b"]
    assert [name for name in names if infos[name].default] == ["vllm/own"]
    assert {info.context for info in infos.values()} == {4096}
    assert infos["vllm/own"].aliases == ("own",)
    assert infos["maker/chat-8b"].tool_mode == "native" and infos["maker/chat-8b"].schema
    assert infos["maker/chat-8b"].changed > 0


async def test_settings_say_what_a_server_does_not() -> None:
    server = ScriptedUpstream([ScriptedModel(name) for name in ("a", "my-embedder-that-chats", "gpt-1", "gpt-2", "e")])
    fields = {
        "default_model": "my-embedder-that-chats", "models": ("gpt-*",), "tool_mode": "text", "json_schema": False,
        "context": 99, "embedding_model": "e",
    }  # fmt: skip
    async with served(server, **fields) as provider:
        infos = await provider.models()
    assert [info.id for info in infos if info.chat] == ["my-embedder-that-chats", "gpt-1", "gpt-2"]
    assert [info.id for info in infos if info.default] == ["my-embedder-that-chats"]
    assert {(info.tool_mode, info.schema, info.context) for info in infos} == {("text", False, 99)}


@pytest.mark.parametrize("listing", ['{"data": [{}]}', '{"data": 1}', "{}", '{"data": [{"id": 1}]}', '{"data": ["a"]}'])
async def test_a_listing_that_is_none_is_an_error(listing: str) -> None:
    server = ScriptedUpstream()
    server.faults["/v1/models"] = streams(listing)
    async with served(server) as provider:
        with pytest.raises(ModelError, match="form that is not OpenAI's"):
            await provider.models()


async def test_a_server_without_a_listing_has_the_models_that_the_settings_name() -> None:
    server = ScriptedUpstream([ScriptedModel("a"), ScriptedModel("b")])
    server.faults["/v1/models"] = fails(405, "Method Not Allowed")
    async with served(server, default_model="a", models=("b", "c*")) as provider:
        assert [info.id for info in await provider.models()] == ["a", "b"]
        assert (await drain(provider, asks(model="b")))[-1].finish == "stop"
        assert await provider.health() is None
    async with served(server) as provider:
        with pytest.raises(ModelError):
            await provider.models()


async def test_a_default_model_that_is_not_there_is_told_with_what_is() -> None:
    async with served(ScriptedUpstream(), default_model="typo") as provider:
        assert not [info for info in await provider.models() if info.default]
        told = (
            "vllm has no model 'typo'; it lists maker/chat-8b. Correct default_model of \"vllm\" in OPENAI_UPSTREAMS."
        )
        assert await provider.health() == told == provider.remedy("")
        assert provider.remedy("other") == "vllm: it lists maker/chat-8b."


async def test_a_server_without_models_for_chat_says_so() -> None:
    async with served(ScriptedUpstream([])) as provider:
        assert await provider.models() == []
        assert await provider.health() == "vllm offers no model that can chat; it lists no models."
