"""Everything around the answers: the FastAPI application below ``/api``, and the description of all routes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.errors import BadRequest
from agentic.server import (
    late_routes,
    routes_auth,
    routes_conversations,
    routes_files,
    routes_keys,
    routes_routing,
    routes_users,
)
from agentic.server.errors import HANDLERS, error_response, way_to
from agentic.server.limits import Unbroken
from agentic.server.schema import described

MODULES = (routes_conversations, routes_files, routes_routing, routes_auth, routes_keys, routes_users)


class Api(FastAPI):
    """The application; its description tells of the ``others`` too, which are served without it."""

    others: Sequence[Route] = ()

    def openapi(self) -> dict[str, Any]:
        """See :meth:`fastapi.FastAPI.openapi`."""
        if not self.openapi_schema:
            self.openapi_schema = described(self, self.others)
        return self.openapi_schema


def create_api(state: State, others: Sequence[Route]) -> Api:
    """The application over the ``state`` of the one that it is a part of."""
    api = Api(
        title="agentic",
        description="A self-hosted agent backend that speaks the OpenAI API",
        version=version("agentic-server"),
        # Included routers are matched twice a request: so the routes.
        routes=[route for module in MODULES for route in module.router.routes],
        exception_handlers={**HANDLERS, RequestValidationError: _on_invalid},
        # FastAPI's pages of documentation load their scripts from a CDN; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
        # A run's events are what observers make spans and metrics of; FastAPI's own would look for a provider at each
        # request, export to wherever OTEL_* points, and log the messages of errors, which may hold what users wrote.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    api.state = state
    api.others = [*others, *late_routes.ROUTES]
    api.add_middleware(Unbroken)
    return api


async def _on_invalid(_request: Request, error: Exception) -> Response:
    """Parameters and bodies that FastAPI refuses: 422, as it answers itself.

    The answer names the field and its fault, and never what was sent, which may be a password. Chat completions are
    checked by their own route, which answers 400 as OpenAI does.
    """
    assert isinstance(error, RequestValidationError)
    fault = error.errors()[0]
    if fault["type"] == "json_invalid":
        known = BadRequest("The body is not valid JSON.")
    else:
        whence, *rest = fault["loc"]
        inner = {**fault, "loc": rest}
        place = ".".join(way_to(inner, error.body) if whence == "body" else map(str, rest)) or None
        known = BadRequest(f"{place or 'body'}: {fault['msg']}.", param=place)
    known.status = 422
    return error_response(known)
