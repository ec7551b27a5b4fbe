"""``/v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.errors import BadRequest
from agentic.kernel import Kernel
from agentic.messages import Json, dump
from agentic.runtime.request import RunRequest
from agentic.runtime.run import LiveRun
from agentic.server.dialects.chat_body import ChatRequest
from agentic.server.dialects.chat_completions import Completion
from agentic.server.dialects.chat_request import refuse_unsupported, to_run_request
from agentic.server.errors import error_response, way_to
from agentic.server.sse import EventStream, failure, until_left


async def create_chat_completion(request: Request) -> Response:
    """Answer a conversation, streamed or whole, in OpenAI's format."""
    kernel: Kernel = request.app.state.kernel
    body, wanted = await read_chat(request)
    live = await kernel.engine.start(wanted, request.state.principal)
    if body.stream:
        usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        return EventStream(live, Completion(live, wanted.model, include_usage=usage), _headers)
    return await _whole(request, live, wanted)


ROUTES = [Route("/v1/chat/completions", create_chat_completion, methods=["POST"])]


async def read_chat(request: Request) -> tuple[ChatRequest, RunRequest]:
    """What the request asks for, as sent and in the kernel's words. Raises BadRequest that names the field at fault."""
    kernel: Kernel = request.app.state.kernel
    body = _read(await request.body())
    wanted = to_run_request(
        body,
        default_model=kernel.settings.default_model,
        session_id=request.headers.get("x-session-id"),
        traceparent=request.headers.get("traceparent", ""),
    )
    return body, wanted


def _read(data: bytes) -> ChatRequest:
    """The body, checked. Raises BadRequest that names the field at fault, never its value."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON in UTF-8: {error.msg} at character {error.pos}.") from None
    if not isinstance(raw, dict):
        raise BadRequest("The body must be a JSON object.")
    _refuse_depth(raw)
    refuse_unsupported(raw)
    try:
        return ChatRequest.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        # Of the alternatives that were tried, the one that went deepest is the one that was meant.
        path, told = max(((way_to(fault, raw), fault["msg"]) for fault in faults), key=lambda found: len(found[0]))
        place = ".".join(path) or None
        raise BadRequest(f"{place or 'body'}: {told}.", param=place) from None


def _refuse_depth(raw: Json) -> None:
    """What is taken is written again, to the model and to storage; orjson reads 1024 levels and writes 254."""
    try:
        orjson.dumps(raw)
    except orjson.JSONEncodeError:
        raise BadRequest("The body is nested too deeply.") from None


async def _whole(request: Request, live: LiveRun, wanted: RunRequest) -> Response:
    entries = await until_left(request.receive, live.log(), live.cancel)
    error = failure(entries[-1].event)
    if error is not None:
        response = error_response(error)
        response.headers.update(_headers(live))
        return response
    body = dump(Completion(live, wanted.model).whole(entries))
    return Response(body, headers=_headers(live), media_type="application/json")


def _headers(live: LiveRun) -> Mapping[str, str]:
    headers = {"X-Session-Id": live.session_id, "X-Run-Id": live.id}
    return {**headers, "X-Agent": live.agent} if live.agent else headers
