"""The shapes that a model is held to: a plan over the tools at hand, and a verdict on an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentic import Json, ToolSpec
from agentic_plan_execute.plan import MOST_STEPS

REFERENCE = re.compile(r"^#/(?:\$defs|definitions)/")
VERDICT: Json = {
    "type": "object",
    "properties": {
        "missing": {"type": "string", "description": "what the answer lacks or gets wrong; empty if nothing"},
        "passed": {"type": "boolean", "description": "whether the answer is right and whole"},
    },
    "required": ["missing", "passed"],
    "additionalProperties": False,
}
"""What is missing comes first, so that a model looks before it judges."""


def plan_schema(tools: Sequence[ToolSpec]) -> Json:
    """The schema of a plan: each step is one alternative, with that tool's own schema for its input."""
    definitions: Json = {}
    steps = {"type": "array", "maxItems": MOST_STEPS, "items": {"anyOf": [_step(tool, definitions) for tool in tools]}}
    schema: Json = {
        "type": "object",
        "properties": {"thought": {"type": "string"}, "steps": steps},
        "required": ["thought", "steps"],
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions} if definitions else schema


def _step(tool: ToolSpec, definitions: Json) -> Json:
    parameters = dict(tool.parameters)
    for place in ("$defs", "definitions"):
        for name, definition in (parameters.pop(place, None) or {}).items():
            definitions[f"{tool.name}.{name}"] = _requalified(definition, tool.name)
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "tool": {"const": tool.name},
            "input": _requalified(parameters, tool.name),
            "needs": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["id", "tool", "input", "needs"],
        "additionalProperties": False,
    }


def _requalified(node: Any, tool: str) -> Any:
    """Point references at the definitions' new place, where tools must not share names."""
    if isinstance(node, dict):
        return {
            key: REFERENCE.sub(f"#/$defs/{tool}.", value)
            if key == "$ref" and isinstance(value, str)
            else _requalified(value, tool)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_requalified(item, tool) for item in node]
    return node
