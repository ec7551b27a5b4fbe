"""The chat requests that OpenAI's API refuses, each with its own error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentic.messages import Json
from agentic.testing.ollama_models import ScriptedModel
from agentic.testing.scripted_answers import Answer, fails


def refusal(body: Json, model: ScriptedModel | None, refused: Iterable[str]) -> Answer | None:
    """Why this chat is answered with an error, or None. ``refused``: fields that the server does not take."""
    if model is None:
        return fails(404, f"The model `{body.get('model')}` does not exist.", code="model_not_found", param="model")
    if "completion" not in model.capabilities:
        return fails(404, "This is not a chat model and thus not supported in this endpoint.", param="model")
    for name in sorted(set(refused) & set(body)):
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        return fails(400, message, code="unsupported_parameter", param=name)
    if body.get("tools") and "tools" not in model.capabilities:
        return fails(400, f"`{model.name}` does not support tools", param="tools")
    return _fault_of_messages(body.get("messages")) or _fault_of_form(body.get("response_format"))


def _fault_of_messages(messages: Any) -> Answer | None:
    if not isinstance(messages, list) or not messages:
        return fails(400, "Invalid 'messages': expected a non-empty array.", param="messages")
    asked: set[str] = set()
    for number, message in enumerate(messages):
        place = f"messages.[{number}]"
        calls = message.get("tool_calls") or ()
        if message.get("content") is None and not calls:
            return fails(400, f"Invalid value for '{place}.content': expected a string, got null.", param=place)
        if any(not isinstance(call["function"]["arguments"], str) for call in calls):
            return fails(400, f"Invalid type for '{place}.tool_calls': arguments must be a string.", param=place)
        if message["role"] == "tool":
            if message.get("tool_call_id") not in asked:
                reason = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                return fails(400, f"Invalid parameter: {reason}", param=f"{place}.role")
            asked.discard(message["tool_call_id"])
        elif asked:
            reason = "'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
            return fails(400, f"An assistant message with {reason}", param=place)
        asked |= {call["id"] for call in calls}
    return None


def _fault_of_form(form: Any) -> Answer | None:
    if form is None or form.get("type") in ("text", "json_object"):
        return None
    wanted = form.get("json_schema") if form.get("type") == "json_schema" else None
    if not isinstance(wanted, dict) or not wanted.get("name"):
        return fails(400, "Missing required parameter: 'response_format.json_schema'.", param="response_format")
    if wanted.get("strict") and not _is_strict(wanted.get("schema")):
        reason = "'additionalProperties' is required to be false and 'required' to name every property."
        return fails(400, f"Invalid schema for response_format '{wanted['name']}': {reason}", param="response_format")
    return None


def _is_strict(node: Any) -> bool:
    """Whether a schema keeps to the rules of strict mode, as far as objects go."""
    if isinstance(node, list):
        return all(map(_is_strict, node))
    if not isinstance(node, dict):
        return True
    properties = node.get("properties")
    if isinstance(properties, dict):
        if node.get("additionalProperties") is not False or set(node.get("required", ())) != set(properties):
            return False
        return all(map(_is_strict, properties.values()))
    return node.get("type") != "object" and all(_is_strict(value) for value in node.values())
