"""``/api/conversations`` and ``/api/runs``: what is kept of a user's conversations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from agentic.kernel import Kernel
from agentic.messages import Json, dump

router = APIRouter(prefix="/api")


@router.get("/conversations")
async def list_conversations(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    after: Annotated[str | None, Query(description="session_id of the last one on the page before")] = None,
) -> Response:
    """The caller's conversations, newest first; ``next`` is the value of ``after`` for the next page, or null."""
    kernel: Kernel = request.app.state.kernel
    page = await kernel.engine.conversations(request.state.principal).page(after=after, limit=limit + 1)
    more = len(page) > limit
    return _answer({"conversations": page[:limit], "next": page[limit - 1]["session_id"] if more else None})


@router.get("/conversations/{session_id}")
async def get_conversation(request: Request, session_id: str) -> Response:
    """One conversation: ``{session_id, user_id, messages: [{role, content, timestamp}], created_at, updated_at}``."""
    kernel: Kernel = request.app.state.kernel
    return _answer(await kernel.engine.conversations(request.state.principal).read(session_id))


@router.delete("/conversations/{session_id}")
async def delete_conversation(request: Request, session_id: str) -> Response:
    """Delete a conversation and its runs, and say what was removed."""
    kernel: Kernel = request.app.state.kernel
    return _answer(await kernel.engine.delete_conversation(session_id, request.state.principal))


@router.get("/runs/{run_id}")
async def get_run(request: Request, run_id: str) -> Response:
    """The stored events of a run of the caller's."""
    kernel: Kernel = request.app.state.kernel
    events = await kernel.engine.get_trace(run_id, request.state.principal)
    return _answer({"run_id": run_id, "session_id": events[0].get("session_id"), "events": events})


def _answer(body: Json) -> Response:
    """What models and tools have said may be more than FastAPI's own encoder can write."""
    return Response(dump(body), media_type="application/json")
