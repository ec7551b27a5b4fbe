"""JSON and JSON lines: each value on a line of its own, after the path that leads to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from agentic import DocumentReader, Page, ToolError
from agentic_readers_text.decoding import clean, open_text, text_of_head
from agentic_readers_text.pieces import pieces

DEEPEST = 200
_SHOWN_STEPS = 6
_LONGEST_KEY = 80
_TOO_DEEP = (
    f"This JSON is nested more than {DEEPEST} levels deep, which cannot be read. Upload its inner parts instead."
)

_JSON, _LINES = "application/json", "application/x-ndjson"
_TOKEN = re.compile(r'\s*(?:([{}\[\],:])|("(?:[^"\\]|\\.)*(?:"|\Z))|((?:-?\d[\d.eE+-]*|true|false|null)(?![\w.-])))')
_LOOKED_AT = 60
_SPACE = re.compile(r"\s*")


class Pairs(list[tuple[str, Any]]):
    """An object of JSON, with every key that it has, twice where it has it twice."""


class JsonReader(DocumentReader):
    """JSON, as one value or as several after one another."""

    name = "json_reader"
    media_types = (_JSON, _LINES)
    rank = 20

    def recognise(self, head: bytes, name: str) -> str | None:
        """JSON for text that follows its grammar, or that has its name and begins like an object or an array."""
        text = text_of_head(head)
        ending = PurePath(name).suffix.lower()
        if text is None or not text.lstrip().startswith(("{", "[")):
            return None
        if ending in (".jsonl", ".ndjson"):
            return _LINES
        values = _values_begun(text)
        if values > 1:
            return _LINES
        return _JSON if values or ending in (".json", ".geojson", ".ipynb") else None

    def read(self, path: Path) -> Iterator[Page]:
        """Lines such as ``orders[2].total: 9.50``. Raises ToolError for what is no JSON, saying where it is wrong."""
        with open_text(path) as source:
            text = source.read()
        if not text.strip():
            raise ToolError("The file holds no text.")
        yield from pieces(clean(line) for value in _values(text) for line in (*_lines(value), "\n"))


def _values_begun(text: str) -> int:
    """How many values of JSON begin in these first characters; 0 if they are not JSON."""
    open_ones: list[str] = []
    values, after, position = 0, ",", 0
    for _ in range(_LOOKED_AT):
        found = _TOKEN.match(text, position)
        if found is None:
            # Nothing is left, or the head ends within a word.
            rest = text[position:].strip()
            return values if any(word.startswith(rest) for word in ("true", "false", "null", "-")) else 0
        mark, position = found[1] or "value", found.end()
        if not open_ones:
            # A second value is one of JSON lines, and begins on a line of its own.
            if mark not in ("{", "[") or (values and "\n" not in found[0]):
                return 0
            values += 1
        elif not _may_follow(mark, after, open_ones[-1]):
            return 0
        if mark in ("{", "["):
            open_ones.append(mark)
        elif mark in ("}", "]"):
            open_ones.pop()
        after = mark
    return values


def _may_follow(mark: str, after: str, within: str) -> bool:
    if mark in ("}", "]"):
        return within == ("{" if mark == "}" else "[") and after not in (",", ":")
    if mark == ":":
        return within == "{" and after == "value"
    if mark == ",":
        return after in ("value", "}", "]")
    return after in ("{", "[", ",", ":")


def _values(text: str) -> Iterator[Any]:
    """Each value of the text, numbers as they are written. Raises ToolError."""
    decoder = json.JSONDecoder(
        object_pairs_hook=Pairs, parse_int=str, parse_float=str, parse_constant=str, strict=False
    )
    position = _SPACE.match(text).end()  # type: ignore[union-attr]
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except RecursionError as error:
            raise ToolError(_TOO_DEEP) from error
        except json.JSONDecodeError as error:
            fault = error.msg.removesuffix(" at")
            raise ToolError(
                f"This is not valid JSON: {fault} at line {error.lineno}, column {error.colno}. "
                "Mend it there, or export it anew."
            ) from error
        yield value
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]


def _lines(value: Any, steps: tuple[str, ...] = ()) -> Iterator[str]:
    """The lines of a value; ``steps``: the keys and places that lead to it."""
    if len(steps) > DEEPEST:
        raise ToolError(_TOO_DEEP)
    if isinstance(value, Pairs) and value:
        for key, inner in value:
            if len(key) > _LONGEST_KEY:
                yield f"{key}:\n"
            step = key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"
            step = step or '""'
            yield from _lines(inner, (*steps, f".{step}" if steps else step))
    elif isinstance(value, list) and any(isinstance(item, list) for item in value):
        for place, item in enumerate(value):
            yield from _lines(item, (*steps, f"[{place}]"))
            # An empty line between records, so that they stay whole when the text is cut.
            yield "\n" if isinstance(item, Pairs) else ""
    else:
        shown = "".join(steps if len(steps) <= _SHOWN_STEPS else ("…", *steps[-_SHOWN_STEPS:]))
        yield f"{shown}: {_scalar(value)}\n" if shown else f"{_scalar(value)}\n"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Pairs):
        return "{}"
    if isinstance(value, list):
        return ", ".join(map(_scalar, value)) if value else "[]"
    return "null" if value is None else "true" if value else "false"
