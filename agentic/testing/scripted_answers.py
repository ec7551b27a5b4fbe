"""What scripted model servers answer: plain words, tool calls, and every way in which an answer can go wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, Literal

from agentic.messages import Json

Ending = Literal["done", "error", "cut", "hang"]

_WORDS = re.compile(r"\S+\s*|\s+")
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of the scripted server; the functions below make them.

    ``pieces`` are the ``message`` fields of the streamed lines, in order; ``lines`` takes their place where set and is
    sent as it is. ``wait_s`` are seconds before the first piece, ``delay_s`` seconds before each further one.
    ``ending``: ``done`` with the figures, an ``error`` line, a ``cut`` connection, or a ``hang`` until the client goes.
    A ``status`` other than 200 is sent at once, with ``error`` in its body, and ``headers`` beside those that every
    answer has; ``code`` and ``param`` are in the bodies of servers that speak OpenAI's API.
    """

    pieces: tuple[Json, ...] = ()
    lines: tuple[bytes, ...] | None = None
    wait_s: float = 0
    delay_s: float = 0
    ending: Ending = "done"
    done_reason: str = "stop"
    tokens: int | None = None
    prompt_tokens: int | None = None
    status: int = 200
    error: str = ""
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def whole(self) -> Json:
        """The message with all pieces joined, as ``"stream": false`` gives it."""
        message: Json = {"role": "assistant", "content": "".join(piece.get("content", "") for piece in self.pieces)}
        thinking = "".join(piece.get("thinking", "") for piece in self.pieces)
        calls = [call for piece in self.pieces for call in piece.get("tool_calls", ())]
        if thinking:
            message["thinking"] = thinking
        if calls:
            message["tool_calls"] = calls
        return message


def says(
    text: str,
    *,
    thinking: str = "",
    tokens: int | None = None,
    prompt_tokens: int | None = None,
    wait_s: float = 0,
    delay_s: float = 0,
    done_reason: str = "stop",
) -> Answer:
    """Answer with ``text``, streamed word by word, or in ``tokens`` pieces.

    ``tokens`` and ``prompt_tokens`` are the figures it reports; unset, the pieces sent and a guess at the prompt. For a
    request with ``format``, ``text`` is the JSON to answer with. ``done_reason="length"`` tells of a cut-off answer.
    """
    thoughts = tuple({"content": "", "thinking": piece} for piece in _WORDS.findall(thinking))
    words = _WORDS.findall(text) if tokens is None else _split(text, tokens)
    return Answer(
        pieces=(*thoughts, *({"content": piece} for piece in words)),
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        wait_s=wait_s,
        delay_s=delay_s,
        done_reason=done_reason,
    )


def calls(
    *wanted: tuple[str, Json], text: str = "", thinking: str = "", ids: bool = True, delay_s: float = 0
) -> Answer:
    """Call tools: ``calls(("math", {"expression": "1+1"}), …)``, each whole in a line of its own.

    ``text`` and ``thinking`` come before. ``ids=False`` leaves the calls without ids, as older servers do.
    """
    before = says(text, thinking=thinking).pieces
    lines = tuple(
        {"content": "", "tool_calls": [_call(index, name, arguments, ids)]}
        for index, (name, arguments) in enumerate(wanted)
    )
    return Answer(pieces=(*before, *lines), delay_s=delay_s)


def fails(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    retry_after_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Refuse with an HTTP status (400, 404, 429, 500, 502, 503 …) and the error body of the kind of server."""
    return Answer(
        status=status,
        error=message,
        code=code,
        param=param,
        retry_after_s=retry_after_s,
        headers=tuple((headers or {}).items()),
    )


def errors_midstream(message: str, *, after: int = 1) -> Answer:
    """Send ``after`` pieces, then an error line; the status stays 200."""
    return Answer(pieces=_some(after), ending="error", error=message)


def cuts(*, after: int = 1) -> Answer:
    """Send ``after`` pieces, then close the connection without a last line."""
    return Answer(pieces=_some(after), ending="cut")


def hangs(*, after: int = 0) -> Answer:
    """Send ``after`` pieces, then stay silent until the client goes; ``after=0`` sends not even a status.

    For a real port only: in process there is no connection that a client could close.
    """
    return Answer(pieces=_some(after), ending="hang")


def sends(*lines: str | bytes) -> Answer:
    """Stream these lines as they are, be they what they may, then end the answer properly."""
    return Answer(lines=tuple(line.encode() if isinstance(line, str) else line for line in lines))


def instance(schema: Any, root: Any = None) -> Any:
    """A small value that fits a JSON Schema, as far as types, required fields and choices go.

    ``root`` is what references lead into, the schema itself if it is None. Raises ValueError for a schema that no
    finite value fits.
    """
    return _Instances(schema if root is None else root).of(schema, ())


class _Endless(ValueError):
    """A schema leads back to itself, and nothing on the way lets it end."""


class _Instances:
    """Makes values for parts of one schema; ``within`` are the references that led to a part."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def of(self, schema: Any, within: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference in within:
                raise _Endless(f"no finite value fits the schema: {reference} always holds another of itself")
            return self.of(_follow(reference, self._root), (*within, reference))
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return self._first(schema[key], within)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        return self._empty(kind[0] if isinstance(kind, list) else kind, schema, within)

    def _first(self, choices: Sequence[Any], within: tuple[str, ...]) -> Any:
        """A value of the first choice that has one."""
        endless = _Endless("no finite value fits an empty choice")
        for choice in choices:
            try:
                return self.of(choice, within)
            except _Endless as error:
                endless = error
        raise endless

    def _empty(self, kind: str, schema: Json, within: tuple[str, ...]) -> Any:
        if kind == "object":
            properties = schema.get("properties", {})
            return {name: self.of(properties.get(name, {}), within) for name in schema.get("required", ())}
        if kind == "array":
            least = schema.get("minItems", 0)
            return [self.of(schema.get("items", {}), within)] * least if least else []
        if kind in ("integer", "number"):
            return schema.get("minimum", 0)
        return {"string": "text", "boolean": False}.get(kind)


def _follow(reference: str, root: Any) -> Any:
    place = root
    for part in reference.split("/")[1:]:
        place = place[part]
    return place


def _call(index: int, name: str, arguments: Json, ids: bool) -> Json:
    call: Json = {"function": {"index": index, "name": name, "arguments": arguments}}
    return {"id": f"call_{next(_numbers):08x}", **call} if ids else call


def _some(number: int) -> tuple[Json, ...]:
    return tuple({"content": f"word{index} "} for index in range(1, number + 1))


def _split(text: str, pieces: int) -> Sequence[str]:
    """``text`` in that many pieces of nearly equal length; empty ones where there is not enough text."""
    edges = [round(index * len(text) / pieces) for index in range(pieces + 1)] if pieces else [0]
    return [text[start:end] for start, end in pairwise(edges)]
