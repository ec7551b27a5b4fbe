"""The least that does the same work: FastAPI, the ollama client and a loop. No login, no storage, no routing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import ollama
import orjson
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

app = FastAPI()
client = ollama.AsyncClient(host=os.environ["OLLAMA_HOST"])
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}


def add(a: int, b: int) -> str:
    """The sum."""
    return str(a + b)


async def steps(model: str, messages: list[Any], stream: bool) -> AsyncIterator[str]:
    """Pieces of the answer; tool calls are run in between."""
    while True:
        calls: list[Any] = []
        if stream:
            async for part in await client.chat(model=model, messages=messages, tools=[ADD], stream=True):
                calls += part.message.tool_calls or []
                if part.message.content:
                    yield part.message.content
        else:
            answer = await client.chat(model=model, messages=messages, tools=[ADD])
            calls = list(answer.message.tool_calls or [])
            yield answer.message.content or ""
        if not calls:
            return
        messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        for call in calls:
            result = add(**call.function.arguments)
            messages.append({"role": "tool", "content": result, "tool_name": call.function.name})


@app.post("/v1/chat/completions")
async def chat(request: Request) -> Response:
    """Chat completions, streamed or whole."""
    body = await request.json()
    pieces = steps(body["model"], body["messages"], bool(body.get("stream")))
    if body.get("stream"):
        return StreamingResponse(events(pieces, body["model"]), media_type="text/event-stream")
    text = "".join([piece async for piece in pieces])
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return JSONResponse({"id": "1", "object": "chat.completion", "model": body["model"], "choices": [choice]})


async def events(pieces: AsyncIterator[str], model: str) -> AsyncIterator[bytes]:
    """The pieces as server-sent events."""
    async for piece in pieces:
        delta = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
        chunk = {"id": "1", "object": "chat.completion.chunk", "model": model, "choices": [delta]}
        yield b"data: " + orjson.dumps(chunk) + b"\n\n"
    yield b"data: [DONE]\n\n"
