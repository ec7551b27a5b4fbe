"""Our messages, tools and sampling as Ollama writes them, and its streamed lines as ours."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from agentic import Json, Message, ModelDelta, ModelError, ModelRequest, Sampling, ToolCall, ToolSpec, Usage
from agentic_ollama.catalogue import Facts
from agentic_ollama.settings import Settings

_EFFORTS: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}


def chat_body(request: ModelRequest, facts: Facts, settings: Settings) -> Json:
    """The body of ``/api/chat``. What the request says wins over the settings, and both over the model's own."""
    body: Json = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "options": _options(request.sampling, facts, settings),
    }
    if request.tools:
        body["tools"] = [_tool(spec) for spec in request.tools]
    if request.schema is not None:
        body["format"] = request.schema
    if facts.thinking and request.sampling.effort in _EFFORTS:
        body["think"] = _EFFORTS[request.sampling.effort]
    return body


def _options(sampling: Sampling, facts: Facts, settings: Settings) -> Json:
    def first(asked: float | None, set_: float | None) -> float | None:
        return set_ if asked is None else asked

    options = {
        "num_ctx": facts.context,
        "temperature": first(sampling.temperature, settings.ollama_temperature),
        "top_p": first(sampling.top_p, settings.ollama_top_p),
        "top_k": settings.ollama_top_k,
        "num_predict": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    return {name: value for name, value in options.items() if value is not None}


def _tool(spec: ToolSpec) -> Json:
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def _message(message: Message) -> Json:
    data: Json = {"role": message.role, "content": message.text}
    if message.images:
        data["images"] = [image.data for image in message.images]
    if message.tool_calls:
        data["tool_calls"] = [
            {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
            for index, call in enumerate(message.tool_calls)
        ]
    if message.role == "tool":
        data["tool_name"] = message.name
        data["tool_call_id"] = message.tool_call_id
    return data


class Answer:
    """Reads the lines of one streamed answer. ``ended`` is True once the line that ends it has come."""

    def __init__(self) -> None:
        self.ended = False
        self._call_ids: set[str] = set()

    def read(self, parts: Iterable[Json], *, join: bool) -> Iterator[ModelDelta]:
        """The pieces of the answer in lines that came together; ``join`` makes neighbours of one kind one piece.

        The last one holds the finish reason and the usage. Raises ModelError for a line that is not of Ollama's form.
        """
        try:
            for kind, alike in groupby(parts, _kind if join else _no_kind):
                if kind == "content":
                    yield ModelDelta("".join([part["message"][kind] for part in alike]))
                elif kind == "thinking":
                    yield ModelDelta(thinking="".join([part["message"][kind] for part in alike]))
                else:
                    yield from map(self._delta, alike)
        except (AttributeError, KeyError, TypeError) as fault:
            raise ModelError("Ollama sent a line in a form that is not its own") from fault

    def _delta(self, part: Json) -> ModelDelta:
        message = part.get("message") or {}
        wanted = message.get("tool_calls")
        calls = tuple(self._calls(wanted)) if wanted else ()
        text, thinking = message.get("content") or "", message.get("thinking") or ""
        if not part.get("done"):
            return ModelDelta(text, thinking, calls)
        self.ended = True
        usage = Usage(part.get("prompt_eval_count") or 0, part.get("eval_count") or 0)
        return ModelDelta(text, thinking, calls, self._finish(part.get("done_reason")), usage)

    def _finish(self, reason: Any) -> str:
        # "load" and "unload" end an empty answer, which is whole.
        if reason == "length":
            return "length"
        return "tool_calls" if self._call_ids else "stop"

    def _calls(self, wanted: Iterable[Json]) -> Iterable[ToolCall]:
        for call in wanted:
            function = call.get("function") or {}
            arguments = function.get("arguments")
            yield _call(self._call_id(call), function.get("name") or "", {} if arguments is None else arguments)

    def _call_id(self, call: Json) -> str:
        """The call's own id where it has one of its own, else a new one: ids are needed to match results to calls."""
        given = call.get("id")
        call_id = given if given and given not in self._call_ids else f"call_{uuid.uuid4().hex}"
        self._call_ids.add(call_id)
        return call_id


def _kind(part: Json) -> str:
    """``content`` or ``thinking`` where a line holds that alone, and can be joined; nothing for what stands alone."""
    message = part.get("message")
    if not message or part.get("done") or message.get("tool_calls"):
        return ""
    if message.get("thinking"):
        return "" if message.get("content") else "thinking"
    return "content" if message.get("content") else ""


def _no_kind(_: Json) -> str:
    return ""


def _call(call_id: str, name: str, arguments: Any) -> ToolCall:
    if isinstance(arguments, dict):
        return ToolCall(call_id, name, arguments)
    return ToolCall(call_id, name, {}, malformed=arguments if isinstance(arguments, str) else json.dumps(arguments))
