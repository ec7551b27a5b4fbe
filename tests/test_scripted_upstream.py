"""The scripted server of OpenAI's API keeps to it, as OpenAI's own client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from agentic.testing.openai import ScriptedModel, ScriptedUpstream, calls, errors_midstream, fails, says, streams

MODEL = "maker/chat-8b"
HELLO: Any = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
TOOL = {"type": "function", "function": {"name": "math", "parameters": {"type": "object"}}}
LOOSE = {"type": "object", "properties": {"city": {"type": "string"}}}
STRICT = {**LOOSE, "required": ["city"], "additionalProperties": False}
CALL = {"id": "c1", "type": "function", "function": {"name": "math", "arguments": "{}"}}


def form(schema: Any, strict: bool = True) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}


@pytest.fixture
def upstream() -> ScriptedUpstream:
    vectors = ScriptedModel("vectors", capabilities=("embedding",), context_length=5)
    plain = ScriptedModel("plain", capabilities=("completion",))
    return ScriptedUpstream([ScriptedModel(MODEL), vectors, plain], refuses=["logit_bias"], key="sk-1")


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with upstream.serve() as url, openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-1", max_retries=0) as one:
        yield one


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"model": "other"}, openai.NotFoundError, "does not exist"),
        ({"model": "vectors"}, openai.NotFoundError, "not a chat model"),
        ({"model": "plain", "tools": [TOOL]}, openai.BadRequestError, "does not support tools"),
        ({"logit_bias": {}}, openai.BadRequestError, "Unsupported parameter"),
        ({"messages": []}, openai.BadRequestError, "non-empty array"),
        ({"messages": [{"role": "user", "content": None}]}, openai.BadRequestError, "got null"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, openai.BadRequestError, "preceding"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [CALL]}, *HELLO["messages"]]},
            openai.BadRequestError,
            "must be followed",
        ),
        ({"response_format": {"type": "json_schema"}}, openai.BadRequestError, "Missing required"),
        ({"response_format": form(LOOSE)}, openai.BadRequestError, "Invalid schema"),
        ({"response_format": form({"$defs": {"a": LOOSE}})}, openai.BadRequestError, "Invalid schema"),
    ],
)
async def test_wrong_chats_are_refused_as_openai_does(
    client: openai.AsyncOpenAI, body: Any, error: type[openai.APIStatusError], message: str
) -> None:
    with pytest.raises(error, match=message):
        await client.chat.completions.create(**{**HELLO, **body})


async def test_a_wrong_key_and_a_wrong_path_are_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-2").models.list()
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        await client.files.list()


async def test_scripted_refusals_have_their_code_and_their_headers(
    upstream: ScriptedUpstream, client: openai.AsyncOpenAI
) -> None:
    upstream.script(fails(429, "slow", code="c", param="p", retry_after_s=7, headers={"X-More": "yes"}))
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(**HELLO)
    assert (caught.value.code, caught.value.param) == ("c", "p")
    assert (caught.value.response.headers["retry-after"], caught.value.response.headers["x-more"]) == ("7", "yes")


async def test_faults_of_a_path_come_before_everything(upstream: ScriptedUpstream, client: openai.AsyncOpenAI) -> None:
    upstream.faults["/v1/models"] = fails(500, "boom")
    with pytest.raises(openai.InternalServerError, match="boom"):
        await client.models.list()


async def test_an_error_in_mid_stream_is_an_error_for_the_client(
    upstream: ScriptedUpstream, client: openai.AsyncOpenAI
) -> None:
    upstream.script(errors_midstream("out of memory"))
    with pytest.raises(openai.APIError, match="out of memory"):
        _ = [part async for part in await client.chat.completions.create(**HELLO, stream=True)]


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_are_answered_whole_and_in_fragments(
    upstream: ScriptedUpstream, client: openai.AsyncOpenAI, stream: bool
) -> None:
    upstream.script(calls(("math", {"expression": "6*7"}), ("math", {}), text="Well.", thinking="hm"))
    if stream:
        async with client.chat.completions.stream(**HELLO, tools=[TOOL]) as events:
            answer: Any = await events.get_final_completion()
    else:
        answer = await client.chat.completions.create(**HELLO, tools=[TOOL])
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Well.")
    assert [call.function.arguments for call in choice.message.tool_calls] == ['{"expression": "6*7"}', "{}"]
    assert len({call.id for call in choice.message.tool_calls}) == 2


async def test_usage_is_streamed_to_those_who_ask_for_it(
    upstream: ScriptedUpstream, client: openai.AsyncOpenAI
) -> None:
    for options, expected in ((None, []), ({"include_usage": True}, [(3, 2)])):
        upstream.script(says("one two", prompt_tokens=3))
        more: Any = {"stream_options": options} if options else {}
        parts = [part async for part in await client.chat.completions.create(**HELLO, stream=True, **more)]
        used = [(part.usage.prompt_tokens, part.usage.completion_tokens) for part in parts if part.usage]
        assert used == expected


async def test_unscripted_answers_echo_or_fit_the_schema(client: openai.AsyncOpenAI) -> None:
    said = await client.chat.completions.create(**HELLO)
    assert said.choices[0].message.content == "You said: hello"
    for schema, strict in ((STRICT, True), (LOOSE, False)):
        fits = await client.chat.completions.create(**HELLO, response_format=form(schema, strict))
        assert fits.choices[0].message.content in ('{"city": "text"}', "{}")


async def test_streams_are_sent_as_they_are(upstream: ScriptedUpstream, client: openai.AsyncOpenAI) -> None:
    upstream.script(streams('data: {"choices": []}\n\n', "data: [DONE]\n\n"))
    assert len([part async for part in await client.chat.completions.create(**HELLO, stream=True)]) == 1


async def test_models_are_listed_in_their_order(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [MODEL, "vectors", "plain"]


async def test_embeddings_are_given_and_refused_as_openai_does(client: openai.AsyncOpenAI) -> None:
    given = await client.embeddings.create(model="vectors", input=["a", "b"], encoding_format="float")
    assert sorted(row.index for row in given.data) == [0, 1]
    for model, texts, message in (
        ("vectors", [""], "empty"),
        ("vectors", ["a " * 6], "context"),
        (MODEL, ["a"], "not support"),
    ):
        with pytest.raises(openai.BadRequestError, match=message):
            await client.embeddings.create(model=model, input=texts, encoding_format="float")
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="other", input=["a"], encoding_format="float")
