"""JSON text to values, with errors that name line, column and what was expected there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from agentic import ToolError, ToolRetry

_SHOWN = 40
_EXPECTED = {
    "Expecting value": "a value (a number, text in double quotes, true, false, null, an object or an array)",
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Expecting ':' delimiter": "a colon after the key",
    "Expecting ',' delimiter": "a comma or the closing bracket",
    "Extra data": "the end of the JSON",
    "Unterminated string starting at": "the closing double quote of the text that begins here",
    "Invalid control character at": "no line break or other control character within text; write \\n",
    "Illegal trailing comma before end of object": "no comma before the closing bracket",
    "Illegal trailing comma before end of array": "no comma before the closing bracket",
}


@dataclass(slots=True)
class Document:
    """A JSON value and what was odd in its text."""

    value: Any
    notes: list[str] = field(default_factory=list)


def read_json(text: str) -> Document:
    """The value of JSON text, or the array of the values of JSON lines.

    Raises ToolRetry where it is malformed, naming line, column and what was expected; ToolError if nested too deeply.
    """
    repeated: dict[str, int] = {}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    repeated[name] = repeated.get(name, 0) + 1
                seen.add(name)
        return made

    decoder = json.JSONDecoder(object_pairs_hook=collect)
    try:
        value = _lines(text, decoder) if _is_lines(text) else decoder.decode(text)
    except json.JSONDecodeError as error:
        raise ToolRetry(_explained(error)) from None
    except RecursionError:
        raise ToolError("The JSON is nested too deeply to be analysed.") from None
    except ValueError as error:
        # Python reads whole numbers of at most 4,300 digits.
        raise ToolRetry("The JSON holds a whole number of more than 4,300 digits; write it as text.") from error
    notes = [
        f'The key "{name}" comes twice in one object, {times} times in all; the last value counts.'
        for name, times in list(repeated.items())[:3]
    ]
    return Document(value, notes)


def _is_lines(text: str) -> bool:
    """Whether the text is JSON lines: two or more lines, the first two of them whole objects or arrays each."""
    lines = [line.strip() for line in text.strip().split("\n", 20)[:20] if line.strip()]
    if len(lines) < 2 or not all(line[0] + line[-1] in ("{}", "[]") for line in lines[:2]):
        return False
    try:
        for line in lines[:2]:
            json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(text: str, decoder: json.JSONDecoder) -> list[Any]:
    values = []
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            try:
                values.append(decoder.decode(line))
            except json.JSONDecodeError as error:
                # The error counts lines itself, from the text that it is given.
                raise json.JSONDecodeError(error.msg, "\n" * number + line, error.pos + number) from None
    return values


def _explained(error: json.JSONDecodeError) -> str:
    expected = _EXPECTED.get(error.msg, error.msg.removesuffix(":"))
    line = error.doc.split("\n")[error.lineno - 1]
    found = line[error.colno - 1 :].strip()
    hint = ""
    if found.startswith("'") or re.match(r"\{\s*'", found):
        hint = " JSON takes double quotes."
    elif found.startswith(("}", "]")) and error.doc[: error.pos].rstrip().endswith(","):
        hint = " Remove the comma before it."
    elif re.match(r"(None|True|False)\b", found):
        hint = " JSON writes null, true and false."
    shown = f"found `{found[:_SHOWN]}`" if found else "found the end of the line"
    if error.pos >= len(error.doc.rstrip()):
        shown = "the text ends there"
    return f"The JSON is malformed at line {error.lineno}, column {error.colno}: expected {expected}; {shown}.{hint}"
