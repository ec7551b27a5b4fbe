"""Requests to the engine's dialect and back, and every stream that is not as it should be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agentic import Message, ModelDelta, ModelError, ModelRequest, Sampling, ToolCall, Usage
from agentic_llamacpp import wire

HELLO = b'data: {"choices": [{"finish_reason": null, "delta": {"content": "Hello"}}]}\n\n'
STOP = b'data: {"choices": [{"finish_reason": "stop", "delta": {}}]}\n\n'
LENGTH = STOP.replace(b"stop", b"length")
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}\n\n'
DONE = b"data: [DONE]\n\n"


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(*chunks: bytes, schema: bool = False) -> list[ModelDelta]:
    return [delta async for delta in wire.deltas(stream(*chunks), schema=schema)]


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ((HELLO,), "cut off"),
        ((HELLO, STOP), "cut off"),
        ((HELLO, DONE), "cut off"),
        ((HELLO, b'data: {"choices": [{"del'), "cut off"),
        ((HELLO, b"data: {oops\n\n"), "no JSON"),
        ((HELLO, b"data: 7\n\n"), "no event"),
        ((HELLO, b'data: {"error": {"message": "out of slots"}}\n\n'), "failed: out of slots"),
        ((HELLO, b'error: {"error": {"message": "out of slots"}}\n\n'), "failed: out of slots"),
        ((HELLO, b'data: {"error": "gone"}\n\n'), "failed: gone"),
    ],
)
async def test_a_stream_that_is_not_whole_is_an_error(chunks: tuple[bytes, ...], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        await read(*chunks)


async def test_json_cut_at_the_token_limit_is_an_error() -> None:
    with pytest.raises(ModelError, match="cut at the token limit"):
        await read(HELLO, LENGTH, USAGE, DONE, schema=True)


async def test_plain_text_cut_at_the_token_limit_says_so() -> None:
    assert (await read(HELLO, LENGTH, USAGE, DONE))[-1].finish == "length"


async def test_the_last_delta_carries_finish_and_usage() -> None:
    assert await read(HELLO, STOP, USAGE, DONE) == [
        ModelDelta(text="Hello"),
        ModelDelta(finish="stop", usage=Usage(7, 3)),
    ]


async def test_events_may_be_cut_anywhere_and_lines_end_at_line_feeds_alone() -> None:
    odd = 'data: {"choices": [{"delta": {"content": "a\u2028b\u0085é"}}]}\r\n\r\n: ping\n\n'.encode()
    whole = odd + STOP + USAGE + DONE
    deltas = await read(*(whole[place : place + 1] for place in range(len(whole))))
    assert deltas[0].text == "a\u2028b\u0085é"


def test_too_long_a_prompt_tells_both_numbers() -> None:
    refusal = b'{"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 6021, "n_ctx": 4096}}'
    assert "6021 tokens" in wire.read_refusal(refusal).message
    assert "at most 4096" in wire.read_refusal(refusal).message


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}"])
def test_a_refusal_without_a_reason_is_an_error_all_the_same(content: bytes) -> None:
    assert "gave no reason" in wire.read_refusal(content).message


def test_a_system_message_is_always_sent() -> None:
    assert wire.messages([Message("user", "hi")])[0] == {"role": "system", "content": wire.SYSTEM}
    own = wire.messages([Message("system", "Be rude."), Message("user", "hi")])
    assert [message["content"] for message in own] == ["Be rude.", "hi"]


def test_tool_messages_are_shown_as_observations() -> None:
    call = ToolCall("1", "math", {"expression": "1+1"})
    conversation = [Message("assistant", tool_calls=(call,)), Message("tool", "2", tool_call_id="1", name="math")]
    assert wire.messages(conversation)[1:] == [
        {"role": "assistant", "content": 'Called math with {"expression": "1+1"}'},
        {"role": "user", "content": "Observation (math):\n2"},
    ]


def test_every_sampling_setting_reaches_the_engine() -> None:
    sampling = Sampling(
        temperature=0, top_p=0.5, max_tokens=9, stop=("x",), seed=0, presence_penalty=0.1, frequency_penalty=0.2
    )
    body = wire.body(ModelRequest(model="m", messages=[], sampling=sampling))
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop"]) == (0, 0.5, 9, ["x"])
    assert (body["seed"], body["presence_penalty"], body["frequency_penalty"]) == (0, 0.1, 0.2)


def test_what_is_not_asked_for_is_left_to_our_own_settings() -> None:
    body = wire.body(ModelRequest(model="m", messages=[]))
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (wire.TEMPERATURE, wire.TOP_P, wire.MAX_TOKENS)
    assert not {"stop", "seed", "presence_penalty", "response_format"} & body.keys()
