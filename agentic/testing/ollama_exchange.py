"""One request to the scripted Ollama and its answer, as ASGI messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from agentic.messages import Json
from agentic.testing.ollama_answers import Answer
from agentic.testing.ollama_models import ScriptedModel, full_name

if TYPE_CHECKING:
    from agentic.testing.ollama import ScriptedOllama

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NDJSON = b"application/x-ndjson"
_YIELD_EVERY = 32


class Exchange:
    """Answers one request: the right answer, or the fault that the test asked for."""

    def __init__(self, server: ScriptedOllama, scope: Scope, receive: Receive, send: Send) -> None:
        self._server = server
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = False
        self._ended = False
        self._gone = asyncio.Event()

    async def answer(self, body: Any) -> None:
        """Answer as the path asks, given the decoded body."""
        path = self._scope["path"]
        fault = self._server.faults.get(path)
        if fault is not None:
            await self._play(fault, body if isinstance(body, dict) else {})
            return
        endpoint = _ENDPOINTS.get((self._scope["method"], path))
        if endpoint is None:
            await self._whole(b"404 page not found", 404, b"text/plain")
        elif self._scope["method"] == "POST" and not isinstance(body, dict):
            await self.refuse(400, "missing request body")
        else:
            await endpoint(self, body)

    async def refuse(self, status: int, message: str, retry_after_s: float | None = None) -> None:
        """Answer with an error status and Ollama's error body."""
        headers = [] if retry_after_s is None else [(b"retry-after", f"{retry_after_s:g}".encode())]
        await self._whole(_line({"error": message}), status, headers=headers)

    async def _root(self, _: Any) -> None:
        await self._whole(b"Ollama is running", content_type=b"text/plain; charset=utf-8")

    async def _version(self, _: Any) -> None:
        await self._whole(_line({"version": self._server.version}))

    async def _tags(self, _: Any) -> None:
        await self._whole(_line({"models": [model.listed for model in self._server.models.values()]}))

    async def _ps(self, _: Any) -> None:
        await self._whole(_line({"models": []}))

    async def _show(self, body: Json) -> None:
        model = await self._model(body)
        if model is not None:
            await self._whole(_line(model.shown))

    async def _embed(self, body: Json) -> None:
        model = await self._model(body)
        if model is None:
            return
        if "embedding" not in model.capabilities:
            await self.refuse(400, f'"{model.name}" does not support embeddings')
            return
        texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input", [])
        vectors = [model.embed(text) for text in texts]
        figures = {"total_duration": 1000, "load_duration": 100, "prompt_eval_count": len(" ".join(texts).split())}
        await self._whole(_line({"model": body["model"], "embeddings": vectors, **figures}))

    async def _pull(self, body: Json) -> None:
        name = body.get("model")
        if not name:
            await self.refuse(400, "model is required")
            return
        model = self._server.models.setdefault(full_name(name), ScriptedModel(name))
        layer = {"status": "pulling layer", "digest": f"sha256:{model.digest}", "total": 100}
        steps: list[Json] = [{"status": "pulling manifest"}, {**layer, "completed": 50}, {**layer, "completed": 100}]
        done = {"status": "success"}
        await self._lines([*steps, done] if body.get("stream", True) else [done])

    async def _chat(self, body: Json) -> None:
        model = await self._model(body)
        if model is None:
            return
        fault = _refusal(body, model)
        if fault:
            await self.refuse(400, fault)
        elif not body.get("messages"):
            await self._play(Answer(done_reason="load", tokens=0, prompt_tokens=0), body)
        else:
            await self._play(self._server.next_answer(body), body)

    async def _model(self, body: Json) -> ScriptedModel | None:
        name = body.get("model")
        if not name:
            await self.refuse(400, "model is required")
            return None
        model = self._server.models.get(full_name(name))
        if model is None:
            await self.refuse(404, f"model '{name}' not found")
        return model

    async def _play(self, answer: Answer, body: Json) -> None:
        """Give a scripted answer, and see whether the client stays to its end."""
        if answer.status != 200:
            await self.refuse(answer.status, answer.error, answer.retry_after_s)
            return
        watching = asyncio.create_task(self._watch())
        try:
            await (self._stream(answer, body) if body.get("stream", True) else self._once(answer, body))
            if self._gone.is_set() and not self._ended:
                self._server.left()
        finally:
            watching.cancel()

    async def _stream(self, answer: Answer, body: Json) -> None:
        await self._pause(answer.wait_s)
        for number, line in enumerate(_streamed(answer, body)):
            if number:
                await self._pause(answer.delay_s)
            if self._gone.is_set():
                return
            await self._part(line)
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)
        if answer.ending == "hang":
            await self._gone.wait()
        elif answer.ending == "cut":
            await self._cut()
        else:
            await self._end()

    async def _once(self, answer: Answer, body: Json) -> None:
        await self._pause(answer.wait_s + answer.delay_s * max(0, len(answer.pieces) - 1))
        if answer.ending == "hang":
            await self._gone.wait()
        elif answer.ending == "cut":
            await self._cut()
        elif answer.ending == "error":
            await self.refuse(500, answer.error)
        elif not self._gone.is_set():
            await self._whole(_line({**_head(body), "message": answer.whole, **_figures(answer, body)}))

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            try:
                await asyncio.wait_for(self._gone.wait(), seconds)
            except TimeoutError:
                return

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def _cut(self) -> None:
        """Close the connection in mid-answer: a server does so when the app returns with the body open."""
        # In process there is no connection to cut, and the transport wants an end: the last line alone is missing.
        if "spec_version" not in self._scope["asgi"]:
            await self._end()
        elif not self._started:
            await self._start(200, _NDJSON)

    async def _lines(self, lines: Iterable[Json]) -> None:
        for line in lines:
            await self._part(_line(line))
        await self._end()

    async def _start(self, status: int, content_type: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._started = True
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type), *headers]}
        )

    async def _part(self, data: bytes) -> None:
        if not self._started:
            await self._start(200, _NDJSON)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _end(self) -> None:
        if not self._started:
            await self._start(200, _NDJSON)
        # A server also says "disconnected" once an answer is complete: that is nobody leaving.
        self._ended = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _whole(
        self,
        data: bytes,
        status: int = 200,
        content_type: bytes = b"application/json; charset=utf-8",
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self._ended = True
        await self._start(status, content_type, [(b"content-length", str(len(data)).encode()), *headers])
        await self._send({"type": "http.response.body", "body": data, "more_body": False})


_ENDPOINTS: dict[tuple[str, str], Callable[[Exchange, Any], Awaitable[None]]] = {
    ("GET", "/"): Exchange._root,
    ("GET", "/api/version"): Exchange._version,
    ("GET", "/api/tags"): Exchange._tags,
    ("GET", "/api/ps"): Exchange._ps,
    ("POST", "/api/show"): Exchange._show,
    ("POST", "/api/chat"): Exchange._chat,
    ("POST", "/api/embed"): Exchange._embed,
    ("POST", "/api/pull"): Exchange._pull,
}


def _refusal(body: Json, model: ScriptedModel) -> str:
    """Why Ollama answers this chat with 400, or nothing."""
    needs = {"completion": True, "tools": bool(body.get("tools")), "thinking": bool(body.get("think"))}
    for ability, needed in needs.items():
        if needed and ability not in model.capabilities:
            return f'"{model.name}" does not support {"chat" if ability == "completion" else ability}'
    wanted = body.get("format")
    if wanted not in (None, "", "json") and not isinstance(wanted, dict):
        return f'invalid format: {json.dumps(wanted)}; expected "json" or a valid JSON Schema object'
    for message in body.get("messages") or ():
        if not isinstance(message.get("content", ""), str):
            return "json: cannot unmarshal array into Go struct field Message.messages.content of type string"
        if any(not isinstance(call["function"]["arguments"], dict) for call in message.get("tool_calls") or ()):
            return "json: cannot unmarshal string into Go struct field .arguments of type map[string]interface {}"
    return ""


def _streamed(answer: Answer, body: Json) -> Iterable[bytes]:
    """The lines of a streamed answer, its proper end or its error line included."""
    head = _head(body)
    if answer.lines is not None:
        yield from (line if line.endswith(b"\n") else line + b"\n" for line in answer.lines)
    for piece in answer.pieces:
        yield _line({**head, "message": {"role": "assistant", **piece}, "done": False})
    if answer.ending == "error":
        yield _line({"error": answer.error})
    elif answer.ending == "done":
        yield _line({**head, "message": {"role": "assistant", "content": ""}, **_figures(answer, body)})


def _head(body: Json) -> Json:
    return {"model": body.get("model", ""), "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())}


def _figures(answer: Answer, body: Json) -> Json:
    """The last line's fields; durations in nanoseconds."""
    prompt = sum(len(message.get("content", "")) for message in body.get("messages") or ()) // 4 + 1
    return {
        "done": True,
        "done_reason": answer.done_reason,
        "total_duration": 2_000_000,
        "load_duration": 500_000,
        "prompt_eval_count": prompt if answer.prompt_tokens is None else answer.prompt_tokens,
        "prompt_eval_duration": 500_000,
        "eval_count": len(answer.pieces) if answer.tokens is None else answer.tokens,
        "eval_duration": 1_000_000,
    }


def _line(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
