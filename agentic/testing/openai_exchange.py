"""One request to the scripted server of OpenAI's API and its answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from agentic.messages import Json
from agentic.testing.ollama_models import ScriptedModel
from agentic.testing.openai_refusals import refusal
from agentic.testing.scripted_answers import Answer, fails
from agentic.testing.scripted_exchange import Receive, Scope, ScriptedExchange, Send, encoded, extra_headers

if TYPE_CHECKING:
    from agentic.testing.openai import ScriptedUpstream

_CREATED = 1_785_585_600
_KINDS = {401: "invalid_request_error", 429: "rate_limit_error", 500: "server_error", 503: "server_error"}


class Exchange(ScriptedExchange):
    """Answers one request as OpenAI does."""

    stream_type = b"text/event-stream; charset=utf-8"
    streams_unasked = False

    def __init__(self, server: ScriptedUpstream, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(server, scope, receive, send)
        self._upstream = server

    async def respond(self, body: Any) -> None:
        """Answer as the path asks, given the decoded body."""
        if not self._is_welcome():
            message = "Incorrect API key provided. You can find your API key in the account's settings."
            await self.refuse(fails(401, message, code="invalid_api_key"))
            return
        match self.scope["method"], self.scope["path"]:
            case "GET", "/v1/models":
                await self.whole(encoded({"object": "list", "data": [self._listed(model) for model in self._models]}))
            case "POST", "/v1/chat/completions" if isinstance(body, dict):
                await self._chat(body)
            case "POST", "/v1/embeddings" if isinstance(body, dict):
                await self._embed(body)
            case method, path:
                await self.refuse(fails(404, f"Invalid URL ({method} {path})"))

    async def refuse(self, answer: Answer) -> None:
        """Answer with an error status and OpenAI's error body."""
        data = encoded({"error": _error(answer)})
        await self.whole(data, answer.status, headers=extra_headers(answer))

    def streamed(self, answer: Answer, body: Json) -> Iterable[bytes]:
        """The events of a streamed answer, its proper end or its error included."""
        if answer.lines is not None:
            yield from answer.lines
            return
        head = {**_head(body), "object": "chat.completion.chunk"}
        yield _event({**head, "choices": [_choice({"role": "assistant", "content": ""})]})
        for delta in _deltas(answer):
            yield _event({**head, "choices": [_choice(delta)]})
        if answer.ending == "error":
            yield _event({"error": _error(answer)})
        if answer.ending == "done":
            yield _event({**head, "choices": [_choice({}, _finish(answer))]})
            if (body.get("stream_options") or {}).get("include_usage"):
                yield _event({**head, "choices": [], "usage": _usage(answer, body)})
            yield b"data: [DONE]\n\n"

    def joined(self, answer: Answer, body: Json) -> Json:
        """The answer as one object."""
        whole = answer.whole
        message: Json = {"role": "assistant", "content": whole["content"]}
        if "thinking" in whole:
            message["reasoning_content"] = whole["thinking"]
        if "tool_calls" in whole:
            message["tool_calls"] = [_call(call) for call in whole["tool_calls"]]
        choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
        return {**_head(body), "object": "chat.completion", "choices": [choice], "usage": _usage(answer, body)}

    @property
    def _models(self) -> Iterable[ScriptedModel]:
        return self._upstream.models.values()

    def _is_welcome(self) -> bool:
        sent = dict(self.scope["headers"]).get(b"authorization", b"").decode()
        return self._upstream.key is None or sent == f"Bearer {self._upstream.key}"

    def _listed(self, model: ScriptedModel) -> Json:
        entry: Json = {"id": model.name, "object": "model", "created": _CREATED, "owned_by": "maker"}
        return {**entry, "max_model_len": model.context_length} if self._upstream.shows_context else entry

    async def _chat(self, body: Json) -> None:
        model = self._upstream.models.get(body.get("model", ""))
        fault = refusal(body, model, self._upstream.refuses)
        if fault is not None:
            await self.refuse(fault)
        else:
            asked = body if self._upstream.knows_streams else {**body, "stream": False}
            await self.play(self._upstream.next_answer(body), asked)

    async def _embed(self, body: Json) -> None:
        name = body.get("model", "")
        model = self._upstream.models.get(name)
        texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input") or []
        if model is None:
            await self.refuse(fails(404, f"The model `{name}` does not exist.", code="model_not_found"))
        elif "embedding" not in model.capabilities:
            await self.refuse(fails(400, f"The model `{name}` does not support the Embeddings API."))
        elif not texts or not all(texts):
            await self.refuse(fails(400, "'$.input' is invalid: input cannot be an empty string.", param="input"))
        elif any(len(text.split()) > model.context_length for text in texts):
            limit = f"This model's maximum context length is {model.context_length} tokens; reduce your input."
            await self.refuse(fails(400, limit))
        else:
            rows = [{"object": "embedding", "index": at, "embedding": model.embed(t)} for at, t in enumerate(texts)]
            # The order of the rows is told by their index alone.
            listed = {"object": "list", "data": rows[::-1], "model": name, "usage": {"prompt_tokens": len(texts)}}
            await self.whole(encoded(listed))


def _deltas(answer: Answer) -> Iterator[Json]:
    """The pieces as OpenAI streams them: a call's head first, then its arguments in fragments."""
    for piece in answer.pieces:
        delta = {"content": piece.get("content"), "reasoning_content": piece.get("thinking")}
        if any(delta.values()):
            yield {name: value for name, value in delta.items() if value}
        for call in piece.get("tool_calls", ()):
            yield from _fragments(call)


def _fragments(call: Json) -> Iterator[Json]:
    head = _call(call)
    arguments, index = head["function"]["arguments"], call["function"]["index"]
    head["function"] = {**head["function"], "arguments": ""}
    yield {"tool_calls": [{"index": index, **head}]}
    middle = len(arguments) // 2
    for fragment in (arguments[:middle], arguments[middle:]):
        yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def _call(call: Json) -> Json:
    arguments = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    named = {"id": call["id"]} if "id" in call else {}
    return {**named, "type": "function", "function": {"name": call["function"]["name"], "arguments": arguments}}


def _finish(answer: Answer) -> str:
    if answer.done_reason == "stop" and any(piece.get("tool_calls") for piece in answer.pieces):
        return "tool_calls"
    return answer.done_reason


def _choice(delta: Json, finish: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _usage(answer: Answer, body: Json) -> Json:
    guess = sum(len(str(message.get("content") or "")) for message in body.get("messages") or ()) // 4 + 1
    prompt = guess if answer.prompt_tokens is None else answer.prompt_tokens
    completion = len(answer.pieces) if answer.tokens is None else answer.tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _head(body: Json) -> Json:
    return {"id": "chatcmpl-scripted", "created": int(time.time()), "model": body.get("model", "")}


def _error(answer: Answer) -> Json:
    kind = _KINDS.get(answer.status, "invalid_request_error" if answer.status != 200 else "server_error")
    return {"message": answer.error, "type": kind, "param": answer.param, "code": answer.code}


def _event(value: Json) -> bytes:
    return b"data: " + encoded(value) + b"\n\n"
