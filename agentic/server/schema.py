"""JSON Schemas of bodies that a route checks by itself, as they stand in /openapi.json."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from agentic.messages import Json


def request_body(model: type[BaseModel]) -> Json:
    """What a route tells of its body by ``openapi_extra``.

    References are written out: those of a schema that stands by itself would lead nowhere within the whole document.
    """
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _whole(schema, definitions)}}}}


def _whole(value: Any, definitions: Json) -> Any:
    if isinstance(value, list):
        return [_whole(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _whole(definitions[value["$ref"].removeprefix("#/$defs/")], definitions)
    return {key: _whole(item, definitions) for key, item in value.items() if key != "discriminator"}
