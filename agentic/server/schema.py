"""What /openapi.json tells: of all routes, of those too that are not made yet, or check their body by themselves."""

from __future__ import annotations

from itertools import chain
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from agentic.messages import Json
from agentic.server.late import LateRoutes


def described(app: FastAPI) -> Json:
    """The application's routes in the words of OpenAPI. Late routes are made for it."""
    made = (one.router.routes if isinstance(one, LateRoutes) else [one] for one in app.routes)
    routes = list(chain.from_iterable(made))
    for route in routes:
        extra = getattr(route, "openapi_extra", None) or {}
        if isinstance(model := extra.get("requestBody"), type):
            extra["requestBody"] = _request_body(model)
    return get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        routes=routes,
    )


def _request_body(model: type[BaseModel]) -> Json:
    """What a route that checks its body by itself tells of it: ``openapi_extra`` names the model under "requestBody".

    References are written out: those of a schema that stands by itself would lead nowhere within the whole document.
    """
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    return {"required": True, "content": {"application/json": {"schema": _whole(schema, definitions)}}}


def _whole(value: Any, definitions: Json) -> Any:
    if isinstance(value, list):
        return [_whole(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _whole(definitions[value["$ref"].removeprefix("#/$defs/")], definitions)
    return {key: _whole(item, definitions) for key, item in value.items() if key != "discriminator"}
