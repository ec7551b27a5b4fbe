"""A model server that costs next to nothing: Ollama's API with answers made beforehand.

What it answers is told by the model's name: ``plain`` 32 tokens at once; ``tools1`` one tool call, then the tokens;
``tools4`` four in a row; ``paced`` 100 tokens, one every 10 ms.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

MODELS = ("plain", "tools1", "tools4", "paced")
TOKENS = [f"word{n} " for n in range(32)]
PACED = 100
PACE_S = 0.01


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI application."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] != "/api/chat":
        await _send(send, [_catalogue(scope["path"])], b"application/json")
        return
    asked = orjson.loads(body)
    calls = sum(message["role"] == "tool" for message in asked["messages"])
    name = asked["model"].removesuffix(":latest")
    wanted = int(name.removeprefix("tools")) if name.startswith("tools") else 0
    streamed = asked.get("stream", True)
    if calls < wanted:
        await _send(send, [CALLS[streamed][calls]], b"application/x-ndjson")
    elif name == "paced":
        await _pace(send)
    else:
        await _send(send, WHOLE if not streamed else STREAMED, b"application/x-ndjson")


def _line(model: str, message: dict[str, Any], *, done: bool) -> bytes:
    line: dict[str, Any] = {"model": model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done}
    if done:
        line |= {"done_reason": "stop", "prompt_eval_count": 20, "eval_count": 32, "total_duration": 1}
    return orjson.dumps(line) + b"\n"


def _says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _calls(n: int) -> dict[str, Any]:
    return _says("") | {"tool_calls": [{"function": {"name": "add", "arguments": {"a": n, "b": 2}}}]}


STREAMED = [_line("plain", _says(token), done=False) for token in TOKENS] + [_line("plain", _says(""), done=True)]
WHOLE = [_line("plain", _says("".join(TOKENS)), done=True)]
CALLS = {
    True: [_line("m", _calls(n), done=False) + _line("m", _says(""), done=True) for n in range(4)],
    False: [_line("m", _calls(n), done=True) for n in range(4)],
}


def _catalogue(path: str) -> bytes:
    if path == "/api/tags":
        entry = {"modified_at": "2026-01-01T00:00:00Z", "size": 1, "details": {}}
        return orjson.dumps(
            {"models": [entry | {"name": f"{m}:latest", "model": f"{m}:latest", "digest": m} for m in MODELS]}
        )
    if path == "/api/show":
        return orjson.dumps({"capabilities": ["completion", "tools"], "model_info": {}, "details": {}})
    return orjson.dumps({"version": "0.12.6"})


async def _send(send: Any, chunks: list[bytes], media_type: bytes) -> None:
    """Each chunk in a write of its own, as Ollama flushes each line."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type)]})
    for chunk in chunks[:-1]:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": chunks[-1]})


async def _pace(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-ndjson")]})
    due = asyncio.get_running_loop().time()
    for n in range(PACED):
        due += PACE_S
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        await send(
            {"type": "http.response.body", "body": _line("paced", _says(f"t{n} "), done=False), "more_body": True}
        )
    await send({"type": "http.response.body", "body": _line("paced", _says(""), done=True)})
