"""``/api/route``: which agent would answer a request, and why."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic.kernel import Kernel
from agentic.messages import dump
from agentic.server.dialects.chat_body import ChatRequest
from agentic.server.routes_chat import read_chat

router = APIRouter(prefix="/api")


@router.post(
    "/route",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": ChatRequest.model_json_schema()}}}},
)
async def explain_route(request: Request) -> Response:
    """Which agent would answer this chat completion, with all bids and reasons; nothing is run or stored."""
    kernel: Kernel = request.app.state.kernel
    _, wanted = await read_chat(request)
    told = await kernel.engine.explain(wanted, request.state.principal)
    # What tools have read from the request may be more than FastAPI's own encoder can write.
    return Response(dump(told), media_type="application/json")
