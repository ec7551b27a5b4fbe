"""Errors on the wire, in the shape that OpenAI's clients read."""

from __future__ import annotations

import math
from typing import Any

from starlette.responses import JSONResponse

from agentic.errors import AgenticError


def error_body(error: AgenticError) -> dict[str, Any]:
    """``{"error": {"message", "type", "param", "code"}}``."""
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


def error_response(error: AgenticError) -> JSONResponse:
    """The answer for an error: its status and body, Retry-After in whole seconds, WWW-Authenticate with a 401."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error_body(error), status_code=error.status, headers=headers)
