"""Stored messages as the input items of a response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentic.messages import ImagePart, Json, Message, Part, TextPart, call_to_json, message_from_json
from agentic.server.dialects.responses_ids import item_id


def input_items(run_id: str, stored: Sequence[Json], *, is_answered: bool) -> list[Json]:
    """What a run's request has added to its conversation, of all that is stored of the run there."""
    given = list(stored)
    if is_answered:
        while given and given[-1].get("internal"):
            given.pop()
        del given[-1:]
    items: list[Json] = []
    for one in given:
        for kind, fields in _items(message_from_json(one)):
            items.append({"id": item_id(kind, run_id, "in", len(items)), **fields})
    return items


def _items(message: Message) -> Iterator[tuple[str, Json]]:
    done: Json = {"status": "completed"}
    if message.role == "tool":
        yield "fco", {"type": "function_call_output", **done, "call_id": message.tool_call_id, "output": message.text}
        return
    if message.content or not message.tool_calls:
        parts = [TextPart(message.content)] if isinstance(message.content, str) else message.content
        content = [_part(part, message.role) for part in parts]
        yield "msg", {"type": "message", **done, "role": message.role, "content": content}
    for call in message.tool_calls:
        arguments = call_to_json(call)["function"]["arguments"]
        fields = {"call_id": call.id, "name": call.name, "arguments": arguments}
        yield "fc", {"type": "function_call", **done, **fields}


def _part(part: Part, role: str) -> Json:
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": part.url, "detail": "auto", "file_id": None}
    if role == "assistant":
        return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": part.text}
