"""The engine's dialect: a request as its body, its server-sent events as deltas, its errors in plain words."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from agentic import Json, Message, ModelDelta, ModelError, ModelRequest, Usage

SYSTEM = "Answer in plain English."
"""Given where a conversation has no system message: without one the model answers with nonsense, and with the usual
"helpful assistant" it falls into French. English is the one language that it has."""

TEMPERATURE = 0.2
TOP_P = 0.9
MAX_TOKENS = 1024
CUT = "The embedded model's answer was cut off; ask again."


def body(request: ModelRequest) -> Json:
    """The request as the engine's OpenAI-compatible endpoint reads it, streamed and with its usage."""
    sampling = request.sampling
    optional = {
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    data: Json = {
        "messages": messages(request.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": TEMPERATURE if sampling.temperature is None else sampling.temperature,
        "top_p": TOP_P if sampling.top_p is None else sampling.top_p,
        "max_tokens": MAX_TOKENS if sampling.max_tokens is None else sampling.max_tokens,
        **{name: value for name, value in optional.items() if value is not None},
    }
    if request.schema is not None:
        schema = {"name": "answer", "schema": request.schema, "strict": True}
        data["response_format"] = {"type": "json_schema", "json_schema": schema}
    return data


def encode(data: Json) -> bytes:
    """JSON in UTF-8; lone surrogates, which UTF-8 and the engine do not know, become question marks."""
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")


def messages(conversation: Sequence[Message]) -> list[Json]:
    """The conversation in the three roles that the model's template knows; always led by a system message."""
    shown = [_plain(message) for message in conversation]
    if not any(message["role"] == "system" for message in shown):
        shown.insert(0, {"role": "system", "content": SYSTEM})
    return shown


def _plain(message: Message) -> Json:
    if message.role == "tool":
        label = f" ({message.name})" if message.name else ""
        return {"role": "user", "content": f"Observation{label}:\n{message.text}"}
    calls = [f"Called {call.name} with {json.dumps(call.arguments)}" for call in message.tool_calls]
    return {"role": message.role, "content": "\n".join(filter(None, [message.text, *calls]))}


async def deltas(chunks: AsyncIterator[bytes], *, schema: bool) -> AsyncGenerator[ModelDelta]:
    """Deltas from the bytes of an event stream, the last with ``finish`` and ``usage``.

    Raises ModelError for an error event, for what is no event, for a stream that ends too soon, and, with ``schema``,
    for JSON that was cut at the token limit.
    """
    finish, usage = "", None
    async with aclosing(_events(chunks)) as events:
        async for event in events:
            usage = _usage(event) or usage
            for choice in event.get("choices", ()):
                text = choice.get("delta", {}).get("content")
                if text:
                    yield ModelDelta(text=text)
                finish = choice.get("finish_reason") or finish
    if not finish:
        raise ModelError(CUT)
    if schema and finish == "length":
        raise ModelError("The embedded model's JSON was cut at the token limit; raise max_tokens or ask for less.")
    yield ModelDelta(finish=finish, usage=usage)


async def _events(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Json]:
    """Every event up to ``[DONE]``.

    Lines are split at line feeds alone: the engine leaves U+2028 and its like as they are within a line.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            field, _, value = line.strip().partition(b":")
            if field not in (b"data", b"error"):
                continue
            if value.strip() == b"[DONE]":
                return
            yield _event(value)
    raise ModelError(CUT)


def _event(value: bytes) -> Json:
    try:
        event = json.loads(value)
    except ValueError as error:
        raise ModelError("The embedded engine sent something that is no JSON; ask again.") from error
    if not isinstance(event, dict):
        raise ModelError("The embedded engine sent something that is no event; ask again.")
    if "error" in event:
        raise refusal(event["error"])
    return event


def _usage(event: Json) -> Usage | None:
    counts = event.get("usage")
    return Usage(counts["prompt_tokens"], counts["completion_tokens"]) if counts else None


def refusal(error: Any) -> ModelError:
    """The engine's error object as a ModelError that tells the user what to change."""
    if not isinstance(error, dict):
        return ModelError(f"The embedded engine failed: {error}")
    if error.get("type") == "exceed_context_size_error":
        return ModelError(
            f"The conversation has {error.get('n_prompt_tokens')} tokens and the embedded model reads at most "
            f"{error.get('n_ctx')}: shorten it, or use Ollama with a bigger model."
        )
    message = str(error.get("message", "no reason given"))
    if "JSON schema error" in message:
        return ModelError(f"The embedded engine cannot follow this JSON Schema: {message.partition('error ')[2]}")
    return ModelError(f"The embedded engine failed: {message}")


def read_refusal(content: bytes) -> ModelError:
    """The error in the body of an answer that is no stream."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return ModelError("The embedded engine failed and gave no reason; ask again.")
    return refusal(error)
