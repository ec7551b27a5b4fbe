"""Tools for models that obey a JSON Schema: one constrained turn decides, one free turn answers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from agentic.errors import ModelError
from agentic.messages import Json, ToolCall, Usage
from agentic.models.ask import Ask
from agentic.models.plain import as_plain, described, with_instruction
from agentic.ports.model import ModelDelta, ToolSpec

INSTRUCTION = """You can use tools. Answer with one JSON object: "thought" says in one sentence what is missing, \
"calls" lists the tools to call now, each with "action" (the tool's name) and "input" (its arguments). \
If you know enough to answer, or no tool helps, leave "calls" empty.
Tools:
{tools}"""

DEFINITIONS = ("$defs", "definitions")
REFERENCE = re.compile(r"^#/(?:\$defs|definitions)/")


async def schema(ask: Ask) -> AsyncGenerator[ModelDelta, None]:
    """Let the model fill in ``{"thought", "calls"}``; empty calls mean that it answers in a turn of its own."""
    plain = as_plain(ask.messages, _write)
    prompt = with_instruction(plain, INSTRUCTION.format(tools=described(ask.tools)))
    text, usage, finish = "", Usage(), ""
    stream = ask.caller.stream(prompt, schema=decision_schema(ask), sampling=ask.deciding, mode="schema")
    async with aclosing(stream) as deltas:
        async for delta in deltas:
            text += delta.text
            finish = delta.finish or finish
            usage = delta.usage or usage
            if delta.thinking:
                yield ModelDelta(thinking=delta.thinking)
    decision = _decision(text, finish)
    if decision["thought"]:
        yield ModelDelta(thinking=f"{decision['thought']}\n")
    calls = tuple(_call(call) for call in ask.limited(decision["calls"]))
    if calls:
        yield ModelDelta(calls=calls, finish="tool_calls", usage=usage)
        return
    if ask.choice != "auto":
        raise ask.none_called()
    answer = ask.caller.stream(plain, schema=ask.schema, sampling=ask.sampling, mode="schema")
    async with aclosing(answer) as deltas:
        async for delta in deltas:
            yield delta if delta.usage is None else replace(delta, usage=delta.usage + usage)


def decision_schema(ask: Ask) -> Json:
    """The schema of a decision: every tool's own input schema is one alternative."""
    tools = ask.tools if ask.choice in ("auto", "required") else [t for t in ask.tools if t.name == ask.choice]
    definitions: Json = {}
    calls: Json = {"type": "array", "items": {"anyOf": [_alternative(tool, definitions) for tool in tools]}}
    if ask.choice != "auto":
        calls["minItems"] = 1
    if not ask.parallel:
        calls["maxItems"] = 1
    schema: Json = {
        "type": "object",
        "properties": {"thought": {"type": "string"}, "calls": calls},
        "required": ["thought", "calls"],
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions} if definitions else schema


def _alternative(tool: ToolSpec, definitions: Json) -> Json:
    parameters = dict(tool.parameters)
    for place in DEFINITIONS:
        for name, definition in parameters.pop(place, {}).items():
            definitions[f"{tool.name}.{name}"] = _requalified(definition, tool.name)
    return {
        "type": "object",
        "properties": {"action": {"const": tool.name}, "input": _requalified(parameters, tool.name)},
        "required": ["action", "input"],
        "additionalProperties": False,
    }


def _requalified(node: Any, tool: str) -> Any:
    """Point references at the definitions' place in the decision's schema, where tools must not share names."""
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


def _decision(text: str, finish: str) -> Json:
    try:
        decision = json.loads(text)
        calls = decision.get("calls", [])
        if all(isinstance(call["action"], str) for call in calls):
            return {"thought": str(decision.get("thought") or ""), "calls": calls}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass_on = "It was cut off." if finish == "length" else "It is not what the schema asks for."
        raise ModelError(f"The model's choice of tools cannot be read. {pass_on}") from None
    raise ModelError("The model's choice of tools names no tool.")


def _call(call: Json) -> ToolCall:
    arguments = call.get("input") or {}
    if isinstance(arguments, dict):
        return ToolCall("", call["action"], arguments)
    return ToolCall("", call["action"], {}, malformed=json.dumps(arguments, ensure_ascii=False))


def _write(text: str, calls: Sequence[ToolCall]) -> str:
    listed = [{"action": call.name, "input": call.arguments} for call in calls]
    return json.dumps({"thought": text, "calls": listed}, ensure_ascii=False)
