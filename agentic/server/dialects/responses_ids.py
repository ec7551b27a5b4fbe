"""The ids of responses and of their items, each of which tells of its run, and the names of functions."""

from __future__ import annotations

import re

from agentic.errors import NotFound
from agentic.messages import Json

_RESPONSE = re.compile(r"resp_([0-9a-f]{1,64})")
_ITEM = re.compile(r"[a-z]+_([0-9a-f]{1,64})_(?:in|out)\d{1,6}")


def response_id(run_id: str) -> str:
    """The id of the response that a run gives."""
    return f"resp_{run_id.removeprefix('run_')}"


def item_id(kind: str, run_id: str, way: str, number: int) -> str:
    """The id of an item; ``way`` is ``in`` or ``out``, ``number`` its place there."""
    return f"{kind}_{run_id.removeprefix('run_')}_{way}{number}"


def run_of(response: str) -> str:
    """The run that gives a response; one that there is not for what is no response's id."""
    found = _RESPONSE.fullmatch(response)
    return f"run_{found[1]}" if found else "run_"


def run_of_item(item: str) -> str:
    """The run that an item belongs to; one that there is not for what is no item's id."""
    found = _ITEM.fullmatch(item)
    return f"run_{found[1]}" if found else "run_"


def no_response(response: str, param: str | None = None) -> NotFound:
    """What is told where there is no such response, or it is somebody else's."""
    return NotFound(f"There is no response '{response[:64]}'.", param=param)


def full_name(namespace: str | None, name: str) -> str:
    """The name under which models see a function: they know no namespaces."""
    return f"{namespace}__{name}" if namespace else name


def name_of(full: str, tools: list[Json]) -> Json:
    """A function's name as its client gave it among its tools, with the namespace where it has one."""
    for tool in tools:
        for function in tool.get("tools", ()):
            if full_name(tool["name"], function["name"]) == full:
                return {"namespace": tool["name"], "name": function["name"]}
    return {"name": full}
