"""Errors on the wire, in the shape that OpenAI's clients read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
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


def install_handlers(app: FastAPI) -> None:
    """Give every error of the application the one shape, whoever raised it; bugs: see ``limits.Unbroken``."""
    app.add_exception_handler(AgenticError, _on_agentic_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)


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


async def _on_invalid(_request: Request, error: Exception) -> Response:
    """Parameters and bodies under /api that FastAPI refuses: 422, as it answers itself.

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
