"""``/api/conversations`` and ``/api/runs``: what is kept of a user's conversations."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import Response

from agentic.kernel import Kernel
from agentic.messages import Json, dump
from agentic.runtime.clearing import delete_conversations as clear
from agentic.runtime.files import file_size, shown_as
from agentic.runtime.markdown import as_markdown
from agentic.runtime.run import LiveRun
from agentic.runtime.search import search
from agentic.runtime.spaces import of_user
from agentic.server.ranges import kept_file

router = APIRouter(prefix="/api")


class Approval(BaseModel, extra="forbid", strict=True):
    """A person's answer; ``reason`` is told to the model where it is no."""

    call_id: str
    approve: bool
    reason: Annotated[str, Field(max_length=1000)] | None = None


class Renaming(BaseModel, extra="forbid", strict=True):
    """A conversation's new title."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


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


@router.delete("/conversations")
async def delete_conversations(
    request: Request, everything: Annotated[Literal["true"], Query(alias="all", description="must be said")]
) -> Response:
    """Delete all conversations of the caller and their runs, and say what was removed; only with `?all=true`."""
    kernel: Kernel = request.app.state.kernel
    return _answer(await clear(kernel.engine, request.state.principal))


@router.get("/conversations/search")
async def search_conversations(
    request: Request,
    q: Annotated[
        str,
        StringConstraints(strip_whitespace=True),
        Query(min_length=1, max_length=200, description="words that one message or the title holds, all of them"),
    ],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="`next` of the answer before")] = None,
) -> Response:
    """The caller's conversations that hold these words, newest first, with the places; `next` goes on searching."""
    kernel: Kernel = request.app.state.kernel
    conversations = kernel.engine.conversations(request.state.principal)
    return _answer(await search(conversations, q, after=after, limit=limit))


@router.get("/conversations/{session_id}")
async def get_conversation(request: Request, session_id: str) -> Response:
    """One conversation: ``{session_id, user_id, messages: [{role, content, timestamp}], created_at, updated_at}``."""
    kernel: Kernel = request.app.state.kernel
    return _answer(await kernel.engine.conversations(request.state.principal).read(session_id))


@router.get("/conversations/{session_id}/export")
async def export_conversation(
    request: Request, session_id: str, form: Annotated[Literal["json", "markdown"], Query(alias="format")] = "json"
) -> Response:
    """One conversation as a file to keep: the documented JSON, or Markdown for people."""
    kernel: Kernel = request.app.state.kernel
    conversations = kernel.engine.conversations(request.state.principal)
    conversation, head = await conversations.read(session_id), await conversations.head(session_id)
    if form == "json":
        body, suffix, media_type = dump(conversation, indent=True), "json", "application/json"
    else:
        page = as_markdown(head.value["title"], conversation)
        body, suffix, media_type = page.encode(errors="replace"), "md", "text/markdown; charset=utf-8"
    place = f'attachment; filename="conversation-{session_id}.{suffix}"'
    return Response(body, media_type=media_type, headers={"Content-Disposition": place})


@router.patch("/conversations/{session_id}")
async def rename_conversation(request: Request, session_id: str, body: Renaming) -> Response:
    """Give a conversation another title: `{title}`."""
    kernel: Kernel = request.app.state.kernel
    return _answer(await kernel.engine.conversations(request.state.principal).rename(session_id, body.title))


@router.delete("/conversations/{session_id}")
async def delete_conversation(request: Request, session_id: str) -> Response:
    """Delete a conversation and its runs, and say what was removed."""
    kernel: Kernel = request.app.state.kernel
    return _answer(await kernel.engine.delete_conversation(session_id, request.state.principal))


@router.get("/runs/{run_id}")
async def get_run(request: Request, run_id: str) -> Response:
    """The events of a run of the caller's: all of them, or those so far of one at work; ``waiting`` needs approval."""
    engine, principal = request.app.state.kernel.engine, request.state.principal
    events = await engine.get_trace(run_id, principal)
    live = engine.at_work(principal).get(run_id)
    state = {"state": "ended", "waiting": []} if live is None else _state(live)
    return _answer({"run_id": run_id, "session_id": events[0].get("session_id"), **state, "events": events})


@router.get("/runs")
async def list_runs_at_work(request: Request) -> Response:
    """The caller's runs at work, with the calls that wait for approval."""
    at_work = request.app.state.kernel.engine.at_work(request.state.principal)
    runs = [{"run_id": run_id, "session_id": live.session_id, **_state(live)} for run_id, live in at_work.items()]
    return _answer({"runs": runs})


@router.post("/runs/{run_id}/approvals")
async def answer_approval(request: Request, run_id: str, body: Approval) -> Response:
    """Approve or deny a call of a run of the caller's: 409 if it does not wait."""
    kernel: Kernel = request.app.state.kernel
    await kernel.engine.approve(
        run_id, body.call_id, request.state.principal, approved=body.approve, reason=body.reason or ""
    )
    return _answer({"run_id": run_id, "call_id": body.call_id, "approved": body.approve})


@router.head("/runs/{run_id}/files/{name}", include_in_schema=False)
@router.get("/runs/{run_id}/files/{name}")
async def get_run_file(request: Request, run_id: str, name: str) -> Response:
    """A file that a run of the caller's has made, or a Range of it. Plain images are shown, the rest is downloaded."""
    kernel, principal = request.app.state.kernel, request.state.principal
    size = await file_size(of_user(kernel.everything, principal).blobs, run_id, name)
    media_type = shown_as(name)
    place = "inline" if media_type else "attachment"
    headers = {
        "Content-Type": media_type or "application/octet-stream",
        "Content-Disposition": f"{place}; filename*=UTF-8''{quote(name)}",
    }
    return await kept_file(request, partial(kernel.engine.open_file, run_id, name, principal), size, headers)


def _state(live: LiveRun) -> Json:
    waiting = [{field.name: getattr(one, field.name) for field in fields(one)} for one in live.approvals.waiting]
    return {"state": "at_work", "waiting": waiting}


def _answer(body: Json) -> Response:
    """What models and tools have said may be more than FastAPI's own encoder can write."""
    return Response(dump(body), media_type="application/json")
