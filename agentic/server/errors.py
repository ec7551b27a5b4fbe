"""Errors on the wire, in the shape that OpenAI's clients read."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from agentic.errors import AgenticError, BadRequest, Conflict, Forbidden, NotFound, PayloadTooLarge, UnsupportedType
from agentic.messages import dump

BY_STATUS: dict[int, type[AgenticError]] = {
    error.status: error for error in (BadRequest, Forbidden, NotFound, Conflict, PayloadTooLarge, UnsupportedType)
}


def error_body(error: AgenticError) -> dict[str, Any]:
    """``{"error": {"message", "type", "param", "code"}}``."""
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


def error_response(error: AgenticError) -> Response:
    """The answer for an error: its status and body, Retry-After in whole seconds, WWW-Authenticate with a 401."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(dump(error_body(error)), error.status, headers, media_type="application/json")


async def _on_agentic_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AgenticError)
    return error_response(error)


async def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = BY_STATUS.get(error.status_code, BadRequest if error.status_code < 500 else AgenticError)(str(error.detail))
    known.status = error.status_code
    response = error_response(known)
    response.headers.update(error.headers or {})
    return response


HANDLERS: dict[Any, Callable[[Request, Exception], Coroutine[Any, Any, Response]]] = {
    AgenticError: _on_agentic_error,
    HTTPException: _on_http_error,
}
"""Every error has the one shape, whoever raised it; bugs: see ``limits.Unbroken``."""


def way_to(fault: Mapping[str, Any], body: Any) -> list[str]:
    """The way to a fault in the body as it was sent, without the names of the alternatives that were tried."""
    way: list[str] = []
    for n, part in enumerate(fault["loc"]):
        is_absent = fault["type"] == "missing" and n == len(fault["loc"]) - 1
        if isinstance(body, dict) and (part in body or is_absent):
            body = body.get(part)
        elif isinstance(body, list) and isinstance(part, int):
            body = body[part]
        else:
            continue
        way.append(str(part))
    return way
