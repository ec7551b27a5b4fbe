"""``/v1/responses``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.errors import AgenticError, BadRequest, Conflict
from agentic.events import Entry, RunFailed, RunFinished, RunStarted
from agentic.kernel import Kernel
from agentic.messages import Json, dump
from agentic.runtime.clearing import delete_run, end_run
from agentic.runtime.request import RunRequest
from agentic.runtime.run import LiveRun
from agentic.server.bodies import checked, read_object
from agentic.server.dialects.responses import FIELDS, ResponseWriter
from agentic.server.dialects.responses_body import ResponseRequest
from agentic.server.dialects.responses_ids import run_of
from agentic.server.dialects.responses_request import (
    UNSUPPORTED,
    references,
    refuse_missing_tools,
    to_run_request,
)
from agentic.server.dialects.wishes import refuse_unsupported
from agentic.server.kept_responses import KeptResponses
from agentic.server.sse import HEADERS, EventStream, LastingStream, in_words
from agentic.server.whole import headers_of, whole_answer

MOST_ITEMS = 100
PARAMETERS: dict[str, Json] = {
    "stream": {"type": "boolean", "default": False},
    "starting_after": {"type": "integer", "minimum": 0},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 20},
    "order": {"enum": ["asc", "desc"], "default": "desc"},
    "after": {"type": "string"},
}
"""What the routes take after a question mark, in the words of OpenAPI."""


async def create_response(request: Request) -> Response:
    """Answer in the format of OpenAI's Responses API: whole, streamed, or in the background."""
    kernel: Kernel = request.app.state.kernel
    raw = read_object(await request.body())
    refuse_unsupported(raw, UNSUPPORTED)
    body = checked(ResponseRequest, raw)
    wanted = await _read(request, body)
    try:
        live = await kernel.engine.start(wanted, request.state.principal)
    except AgenticError as refusal:
        in_words(refusal, FIELDS)
        raise
    writer = ResponseWriter(live.id, wanted.asked, wanted.model)
    if body.stream:
        return (LastingStream if body.background else EventStream)(live, writer, headers_of)
    if body.background and await live.is_begun():
        return _answer(writer.whole(live.channel.entries), live)
    return await whole_answer(request, live, writer)


async def get_response(request: Request) -> Response:
    """A response of the caller's, as far as it is; ``?stream=true`` gives its events, also while they come."""
    engine, principal = request.app.state.kernel.engine, request.state.principal
    response: str = request.path_params["response_id"]
    entries = await KeptResponses(engine, principal).entries(response)
    if _flag(request, "stream"):
        after = _number(request, "starting_after", -1, least=0)
        live = engine.at_work(principal).get(run_of(response))
        # One that another server makes may wait here to be gone on with, and has no events then.
        if live is not None and live.channel.entries:
            return LastingStream(live, _written(response, entries, after), headers_of)
        _refuse_elsewhere(entries)
        return Response(_written(response, entries, after).render(entries), headers=HEADERS)
    return _answer(_written(response, entries).whole(entries))


async def delete_response(request: Request) -> Response:
    """Delete a response: its run, and its conversation where that has no other turn."""
    engine, principal = request.app.state.kernel.engine, request.state.principal
    response: str = request.path_params["response_id"]
    await KeptResponses(engine, principal).entries(response)
    whole = await delete_run(engine, run_of(response), principal)
    return _answer({"id": response, "object": "response", "deleted": True, "agentic": {"conversation_deleted": whole}})


async def cancel_response(request: Request) -> Response:
    """End a response that is being made, and give what there is of it; one that is made already stays as it is."""
    engine, principal = request.app.state.kernel.engine, request.state.principal
    response: str = request.path_params["response_id"]
    kept = KeptResponses(engine, principal)
    await kept.entries(response)
    await end_run(engine, run_of(response), principal)
    entries = await kept.entries(response)
    _refuse_elsewhere(entries)
    return _answer(_written(response, entries).whole(entries))


async def list_input_items(request: Request) -> Response:
    """What the request of a response has added to its conversation, newest first; ``?order=asc`` the other way."""
    kept = KeptResponses(request.app.state.kernel.engine, request.state.principal)
    items = await kept.input_items(request.path_params["response_id"])
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order: it is asc or desc.", param="order")
    if order == "desc":
        items.reverse()
    limit = _number(request, "limit", 20, least=1, most=MOST_ITEMS)
    after = request.query_params.get("after")
    if after is not None:
        place = next((n for n, item in enumerate(items, 1) if item["id"] == after), None)
        if place is None:
            raise BadRequest("after: there is no such item here.", param="after")
        items = items[place:]
    page = items[:limit]
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return _answer({"object": "list", "data": page, **ends, "has_more": len(items) > limit})


ROUTES = [
    Route("/v1/responses", create_response, methods=["POST"]),
    Route("/v1/responses/{response_id}", get_response, methods=["GET"]),
    Route("/v1/responses/{response_id}", delete_response, methods=["DELETE"]),
    Route("/v1/responses/{response_id}/cancel", cancel_response, methods=["POST"]),
    Route("/v1/responses/{response_id}/input_items", list_input_items, methods=["GET"]),
]


async def _read(request: Request, body: ResponseRequest) -> RunRequest:
    """The request in the kernel's words, what it refers to looked up. Raises BadRequest and NotFound."""
    kernel: Kernel = request.app.state.kernel
    kept = KeptResponses(kernel.engine, request.state.principal)
    wanted = to_run_request(
        body,
        await kept.items(references(body)),
        default_model=kernel.settings.default_model,
        session_id=request.headers.get("x-session-id"),
        traceparent=request.headers.get("traceparent", ""),
    )
    refuse_missing_tools(body, kernel.catalog.tools())
    return await kept.placed(wanted, body.previous_response_id)


def _written(response: str, entries: list[Entry], after: int = -1) -> ResponseWriter:
    started = entries[0].event
    assert isinstance(started, RunStarted)
    return ResponseWriter(run_of(response), started.asked, started.model, after=after)


def _refuse_elsewhere(entries: list[Entry]) -> None:
    """Raise Conflict for a response that is not at its end, and is not being made here."""
    if not isinstance(entries[-1].event, (RunFinished, RunFailed)):
        raise Conflict("Another server is making this response: ask for it again when it is done.")


def _flag(request: Request, name: str) -> bool:
    """A parameter that is true or false. Raises BadRequest."""
    value = request.query_params.get(name, "false").lower()
    if value not in ("true", "false"):
        raise BadRequest(f"{name}: it is true or false.", param=name)
    return value == "true"


def _number(request: Request, name: str, default: int, *, least: int, most: int = 2**53) -> int:
    """A parameter that is a whole number. Raises BadRequest."""
    value = request.query_params.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 17 and least <= int(value) <= most):
        raise BadRequest(f"{name}: it is a whole number from {least} to {most}.", param=name)
    return int(value)


def _answer(body: Json, live: LiveRun | None = None) -> Response:
    return Response(dump(body), headers=headers_of(live) if live else None, media_type="application/json")
