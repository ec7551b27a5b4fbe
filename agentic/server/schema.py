"""What /openapi.json tells: of all routes, of those too that FastAPI does not serve, or that check their own body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import BaseRoute, Route

from agentic.messages import Json
from agentic.server.dialects.chat_body import ChatRequest
from agentic.server.dialects.responses_body import ResponseRequest
from agentic.server.routes_chat import create_chat_completion
from agentic.server.routes_embeddings import EmbeddingRequest, create_embeddings
from agentic.server.routes_responses import PARAMETERS, create_response, get_response, list_input_items

BODIES: dict[Any, type[BaseModel]] = {
    create_chat_completion: ChatRequest,
    create_response: ResponseRequest,
    create_embeddings: EmbeddingRequest,
}
QUERIES: dict[Any, tuple[str, ...]] = {
    get_response: ("stream", "starting_after"),
    list_input_items: ("limit", "order", "after"),
}
"""What endpoints read that no signature tells of."""


def described(api: FastAPI, others: Sequence[Route]) -> Json:
    """The routes of the application and the others, in the words of OpenAPI."""
    routes: list[BaseRoute] = [*map(_as_fastapi, others), *api.routes]
    for route in routes:
        extra = getattr(route, "openapi_extra", None) or {}
        if isinstance(model := extra.get("requestBody"), type):
            extra["requestBody"] = _request_body(model)
    return get_openapi(
        title=api.title,
        version=api.version,
        openapi_version=api.openapi_version,
        description=api.description,
        routes=routes,
    )


def _as_fastapi(route: Route) -> APIRoute:
    """A route to be described, never served."""
    extra: Json = {}
    if body := BODIES.get(route.endpoint):
        extra["requestBody"] = body
    if route.param_convertors:
        schema = {"required": True, "in": "path", "schema": {"type": "string"}}
        extra["parameters"] = [{"name": name, **schema} for name in route.param_convertors]
        query = QUERIES.get(route.endpoint, ())
        extra["parameters"] += [{"name": name, "in": "query", "schema": PARAMETERS[name]} for name in query]
    # Starlette answers HEAD wherever it answers GET.
    methods = (route.methods or set()) - {"HEAD"}
    return APIRoute(route.path, route.endpoint, methods=methods, openapi_extra=extra)


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
