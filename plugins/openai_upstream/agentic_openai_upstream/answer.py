"""The streamed parts of one answer as ours: text, thinking, calls put together from their fragments, the end."""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import dataclass
from typing import Any

from agentic import Json, ModelDelta, ModelError, ToolCall, Usage, tool_call

_WITHHELD = "content_filter"
_BROKEN_OFF = ("abort", "error")
"""How vLLM, SGLang and OpenRouter call the end of an answer that they could not go on with."""


@dataclass(slots=True)
class _Call:
    """A call as far as it has come."""

    id: str
    name: str
    arguments: str


class Answer:
    """Reads one answer of the server of this name. ``is_finished``: the server told why it ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: list[_Call] = []
        self._places: dict[Any, _Call] = {}
        self._reason = ""
        self._usage: Usage | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the reason of its end has come; usage may still follow."""
        return bool(self._reason)

    def read(self, part: Json) -> ModelDelta | None:
        """The piece of the answer in one part, or None where it holds none to be passed on yet.

        Raises ModelError for a part that is not of OpenAI's form, and where the answer is withheld.
        """
        try:
            return self._delta(part)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ModelError(f"{self._name} sent a part of an answer in a form that is not OpenAI's") from None

    def last(self) -> ModelDelta:
        """The last piece: calls, finish and usage."""
        calls = tuple(_finished(call) for call in self._calls)
        finish = "length" if self._reason == "length" else "tool_calls" if calls else "stop"
        return ModelDelta(calls=calls, finish=finish, usage=self._usage)

    def _delta(self, part: Json) -> ModelDelta | None:
        usage = part.get("usage")
        if usage:
            self._usage = Usage(_tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens")))
        choices = part.get("choices")
        if not choices:
            return None
        choice = choices[0]
        delta = choice.get("delta") or choice.get("message") or {}
        if delta.get("tool_calls"):
            for fragment in delta["tool_calls"]:
                self._collect(fragment)
        reason = choice.get("finish_reason")
        if reason:
            self._end(str(reason))
        text, thinking = _content(delta.get("content"))
        text += delta.get("refusal") or ""
        thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
        return ModelDelta(text, thinking) if text or thinking else None

    def _end(self, reason: str) -> None:
        if reason == _WITHHELD:
            raise ModelError(f"{self._name} withheld the rest of its answer: its content filter stopped it.")
        if reason in _BROKEN_OFF:
            raise ModelError(f"{self._name} broke off its answer and tells no more of it than '{reason}'.")
        self._reason = reason

    def _collect(self, fragment: Json) -> None:
        """Add a fragment to the call of its index, or begin a new call with it."""
        function = fragment.get("function") or {}
        call_id, name = str(fragment.get("id") or ""), function.get("name") or ""
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        place = fragment.get("index")
        call = self._places.get(place)
        if call is None or (name and _begins_another(call, place, call_id, arguments)):
            call = self._places[place] = _Call("", "", "")
            self._calls.append(call)
        call.id = call.id or call_id
        if name != call.name:
            call.name += name
        call.arguments += arguments


def _begins_another(call: _Call, place: Any, call_id: str, arguments: str) -> bool:
    """Whether a fragment that names a tool begins a new call where one has begun already.

    Some servers give no indexes, or all calls the same one; others give each fragment of one call an id of its own, or
    the name again.
    """
    if place is None or (call_id and call.id and call_id != call.id):
        return True
    is_whole = bool(call.arguments) and not tool_call("", "", call.arguments).malformed
    return bool(arguments) and not (call_id and call.id) and is_whole


def _tokens(count: Any) -> int:
    """How many tokens a server counted; 0 where it tells something else."""
    return max(int(count), 0) if isinstance(count, int | float) and math.isfinite(count) else 0


def _content(content: Any) -> tuple[str, str]:
    """Text and thinking of a delta's content, which some servers send as a list of parts."""
    if not content or isinstance(content, str):
        return content or "", ""
    text = thinking = ""
    for part in content:
        if part["type"] == "thinking":
            thoughts = part["thinking"]
            thinking += thoughts if isinstance(thoughts, str) else "".join(piece.get("text", "") for piece in thoughts)
        elif part["type"] == "text":
            text += part["text"]
    return text, thinking


def _finished(call: _Call) -> ToolCall:
    # Ids are needed to match results to calls; some servers give none.
    return tool_call(call.id or f"call_{uuid.uuid4().hex}", call.name, call.arguments or "{}")
