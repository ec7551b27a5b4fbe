"""One request to the scripted Ollama and its answer, as ASGI messages."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from agentic.messages import Json
from agentic.testing.ollama_models import ScriptedModel, full_name
from agentic.testing.scripted_answers import Answer
from agentic.testing.scripted_exchange import Receive, Scope, ScriptedExchange, Send, encoded, extra_headers

if TYPE_CHECKING:
    from agentic.testing.ollama import ScriptedOllama


class Exchange(ScriptedExchange):
    """Answers one request as Ollama does."""

    stream_type = b"application/x-ndjson"
    streams_unasked = True

    def __init__(self, server: ScriptedOllama, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(server, scope, receive, send)
        self._ollama = server

    async def respond(self, body: Any) -> None:
        """Answer as the path asks, given the decoded body."""
        endpoint = _ENDPOINTS.get((self.scope["method"], self.scope["path"]))
        if endpoint is None:
            await self.whole(b"404 page not found", 404, b"text/plain")
        elif self.scope["method"] == "POST" and not isinstance(body, dict):
            await self._refuse(400, "missing request body")
        else:
            await endpoint(self, body)

    async def refuse(self, answer: Answer) -> None:
        """Answer with an error status and Ollama's error body."""
        await self.whole(_line({"error": answer.error}), answer.status, headers=extra_headers(answer))

    def streamed(self, answer: Answer, body: Json) -> Iterable[bytes]:
        """The lines of a streamed answer, its proper end or its error line included."""
        return _streamed(answer, body)

    def joined(self, answer: Answer, body: Json) -> Json:
        """The answer as one object, its figures included."""
        return {**_head(body), "message": answer.whole, **_figures(answer, body)}

    async def _refuse(self, status: int, message: str) -> None:
        await self.refuse(Answer(status=status, error=message))

    async def _root(self, _: Any) -> None:
        await self.whole(b"Ollama is running", content_type=b"text/plain; charset=utf-8")

    async def _version(self, _: Any) -> None:
        await self.whole(_line({"version": self._ollama.version}))

    async def _tags(self, _: Any) -> None:
        await self.whole(_line({"models": [model.listed for model in self._ollama.models.values()]}))

    async def _ps(self, _: Any) -> None:
        await self.whole(_line({"models": []}))

    async def _show(self, body: Json) -> None:
        model = await self._model(body)
        if model is not None:
            await self.whole(_line(model.shown))

    async def _embed(self, body: Json) -> None:
        model = await self._model(body)
        if model is None:
            return
        if "embedding" not in model.capabilities:
            await self._refuse(400, f'"{model.name}" does not support embeddings')
            return
        texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input", [])
        vectors = [model.embed(text) for text in texts]
        figures = {"total_duration": 1000, "load_duration": 100, "prompt_eval_count": len(" ".join(texts).split())}
        await self.whole(_line({"model": body["model"], "embeddings": vectors, **figures}))

    async def _pull(self, body: Json) -> None:
        name = body.get("model")
        if not name:
            await self._refuse(400, "model is required")
            return
        model = self._ollama.models.setdefault(full_name(name), ScriptedModel(name))
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
            await self._refuse(400, fault)
        elif not body.get("messages"):
            await self.play(Answer(done_reason="load", tokens=0, prompt_tokens=0), body)
        else:
            await self.play(self._ollama.next_answer(body), body)

    async def _model(self, body: Json) -> ScriptedModel | None:
        name = body.get("model")
        if not name:
            await self._refuse(400, "model is required")
            return None
        model = self._ollama.models.get(full_name(name))
        if model is None:
            await self._refuse(404, f"model '{name}' not found")
        return model

    async def _lines(self, lines: Iterable[Json]) -> None:
        for line in lines:
            await self.part(_line(line))
        await self.end()


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
    return encoded(value) + b"\n"
