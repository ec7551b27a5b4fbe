"""``{{s1}}`` within a step's input stands for the result of step s1.

Results are filled into decoded strings, once, so that neither a quotation mark nor a reference within a result means
anything. What a stranger wrote (an untrusted tool's result) may be a whole value, but is never put in the midst of
other text: there it could change what a query or a program does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agentic import Json

NAME = r"[A-Za-z0-9_-]{1,32}"
REFERENCE = re.compile(r"\{\{\s*(" + NAME + r")\s*\}\}")
LONGEST_WHOLE = 64_000
"""Characters of a result that is a whole value; a toolbox gives no longer ones."""
LONGEST_WITHIN = 4_000
"""Characters of a result in the midst of other text."""
LONGEST_VALUE = 100_000
"""Characters of a value with all that was filled in."""


def texts(node: Any) -> Iterator[str]:
    """Every string within an input."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def referred(node: Any) -> list[str]:
    """The names of all references within an input, each once, in their order."""
    return list(dict.fromkeys(name for text in texts(node) for name in REFERENCE.findall(text)))


def within_text(node: Any) -> set[str]:
    """The names of those references that stand in the midst of other text."""
    return {name for text in texts(node) if not REFERENCE.fullmatch(text.strip()) for name in REFERENCE.findall(text)}


def renamed(node: Any, names: Mapping[str, str]) -> Any:
    """An input with its references renamed."""
    return _mapped(
        node, lambda text: REFERENCE.sub(lambda m: f"{{{{{names[m[1]]}}}}}" if m[1] in names else m[0], text)
    )


def filled(step_input: Json, contents: Mapping[str, str], schema: Json) -> Json:
    """The input with results in place of references; a name without a result stays as it is.

    Where the schema wants something other than text, a result that stands alone is read as JSON if it can be.
    """
    properties = schema.get("properties") or {}
    found: Json = {}
    for name, value in step_input.items():
        put = _mapped(value, lambda text: _put(text, contents))
        alone = isinstance(value, str) and isinstance(put, str) and value != put and REFERENCE.fullmatch(value.strip())
        found[name] = _read(put) if alone and not _takes_text(properties.get(name)) else put
    return found


def _put(text: str, contents: Mapping[str, str]) -> str:
    alone = REFERENCE.fullmatch(text.strip())
    if alone:
        return contents.get(alone[1], text)[:LONGEST_WHOLE]
    return REFERENCE.sub(lambda m: contents.get(m[1], m[0])[:LONGEST_WITHIN].strip(), text)[:LONGEST_VALUE]


def _takes_text(schema: Any) -> bool:
    """Whether text may stand here; only a plain type says that it may not."""
    kind = schema.get("type", "string") if isinstance(schema, dict) else "string"
    return "string" in ([kind] if isinstance(kind, str) else kind)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _mapped(node: Any, change: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, dict):
        return {key: _mapped(value, change) for key, value in node.items()}
    if isinstance(node, list):
        return [_mapped(value, change) for value in node]
    return node
