"""The data in a plain request: a fenced block, bare JSON, or lines of CSV, and the words around it."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from agentic_data_analysis.csv_text import delimiter_of, has_header, looks_like_value

_SEEN_VALUES = 400
_SEEN_LINES = 40
_FENCED = re.compile(r"```[ \t]*(\w*)[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_QUOTED = re.compile(r'"[^"\n]*"')
_DATA_FENCES = frozenset({"", "json", "jsonl", "ndjson", "csv", "tsv", "text", "txt", "md", "markdown", "data"})


@dataclass(frozen=True, slots=True)
class Block:
    """Data found in a request.

    ``words``: what stands around it. ``names``: of its columns, ``numeric`` those with figures. ``figures``: how many
    were seen. ``flat``: one object without arrays or objects in it.
    """

    data: str
    words: str
    names: tuple[str, ...]
    numeric: frozenset[str]
    figures: int
    flat: bool = False


def block_in(text: str) -> Block | None:
    """The one block of data in a request, else None."""
    fences = _FENCED.findall(text)
    if len(fences) > 1:
        return None
    if fences:
        language, data = fences[0]
        if language.lower() not in _DATA_FENCES:
            return None
        words = _FENCED.sub(" ", text)
        return _bare_json(data, words) if data.lstrip()[:1] in ("[", "{") else _csv_block(data.strip("\n"), words)
    return None if "```" in text else _bare_json(text, "") or _bare_csv(text)


def _bare_json(text: str, around: str) -> Block | None:
    """JSON from the first bracket that begins a value to where that ends; JSON lines to where the last ends."""
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=-1)
    if start < 0:
        return None
    decoder = json.JSONDecoder()
    values, end = [], start
    try:
        while text[end : end + 1] in ("{", "["):
            value, after = decoder.raw_decode(text, end)
            values.append(value)
            end = after + 1 if text[after : after + 1] == "\n" else after
            if end == after:
                break
    except (ValueError, RecursionError):
        return None
    words = f"{around} {text[:start]} {text[end:]}"
    if any(sign in words for sign in "[]{}"):
        return None
    return _described(text[start:end].rstrip("\n"), words, values[0] if len(values) == 1 else values)


def _described(data: str, words: str, value: Any) -> Block:
    """The keys and figures among the first values of a JSON tree."""
    names: dict[str, None] = {}
    numeric: set[str] = set()
    figures, waiting = 0, [("", value)]
    for name, one in waiting:
        if isinstance(one, dict):
            if len(one) < 2 or not all(isinstance(below, dict) for below in one.values()):
                # The keys of a mapping of records are values of its rows.
                names.update(dict.fromkeys(one))
            waiting.extend(one.items())
        elif isinstance(one, list):
            waiting.extend((name, element) for element in one[:_SEEN_VALUES])
        elif _is_figure(one):
            figures += 1
            numeric.add(name)
        if len(waiting) > _SEEN_VALUES * 10:
            break
    flat = isinstance(value, dict) and not any(isinstance(one, dict | list) for one in value.values())
    return Block(data, words, tuple(names), frozenset(numeric), figures, flat)


def _is_figure(one: Any) -> bool:
    if isinstance(one, str):
        return looks_like_value(one[:40])
    return isinstance(one, int | float) and not isinstance(one, bool)


def _bare_csv(text: str) -> Block | None:
    """The longest run of lines that have one delimiter and equally many fields: three or more lines."""
    lines = text.split("\n")
    bare = _QUOTED.sub("", text).split("\n")
    best = (0, 0)
    for delimiter in "\t;|,":
        begin, width = 0, 0
        for at, line in enumerate([*bare, ""]):
            fields = line.count(delimiter)
            if fields != width:
                if width and at - begin > max(best[1] - best[0], 2):
                    best = (begin, at)
                begin, width = at, fields
    if best == (0, 0):
        return None
    words = "\n".join(lines[: best[0]] + lines[best[1] :])
    return _csv_block("\n".join(lines[best[0] : best[1]]), words)


def _csv_block(data: str, words: str) -> Block | None:
    lines = [line for line in data.split("\n", _SEEN_LINES)[:_SEEN_LINES] if line.strip()]
    try:
        delimiter = delimiter_of(data)
        if delimiter is None or len(lines) < 2:
            return None
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
    except csv.Error:
        return None
    if not has_header(rows):
        return None
    names = rows[0]
    figures = Counter(at for row in rows[1:] for at, cell in enumerate(row) if looks_like_value(cell))
    numeric = frozenset(name for at, name in enumerate(names) if name and figures[at] * 2 >= len(rows) - 1)
    return Block(data, words, tuple(filter(None, names)), numeric, sum(figures.values()))
