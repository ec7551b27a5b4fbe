"""``/api/route``: which agent would answer a request, and why."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic.kernel import Kernel
from agentic.messages import dump
from agentic.server.dialects.chat_body import ChatRequest
from agentic.server.routes_chat import read_chat
from agentic.server.sse import unless_left

router = APIRouter(prefix="/api")


@router.post("/route", openapi_extra={"requestBody": ChatRequest})
async def explain_route(request: Request) -> Response:
    """Which agent would answer this chat completion, with all bids and reasons; nothing is run or stored."""
    kernel: Kernel = request.app.state.kernel
    _, wanted = await read_chat(request)
    # An installed router may call the model, and nobody is to wait for what nobody will read.
    explaining = kernel.engine.explain(wanted, request.state.principal)
    explained = await unless_left(request.receive, explaining, "the explanation was")
    # What tools have read from the request may be more than FastAPI's own encoder can write.
    return Response(dump(explained), media_type="application/json")
