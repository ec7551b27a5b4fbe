"""``/v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.kernel import Kernel
from agentic.messages import dump
from agentic.runtime.request import RunRequest
from agentic.runtime.run import LiveRun
from agentic.server.bodies import checked, read_object
from agentic.server.dialects.chat_body import ChatRequest
from agentic.server.dialects.chat_completions import Completion
from agentic.server.dialects.chat_request import UNSUPPORTED, to_run_request
from agentic.server.dialects.wishes import refuse_unsupported
from agentic.server.errors import error_response
from agentic.server.sse import EventStream, failure, until_left


async def create_chat_completion(request: Request) -> Response:
    """Answer a conversation, streamed or whole, in OpenAI's format."""
    kernel: Kernel = request.app.state.kernel
    body, wanted = await read_chat(request)
    live = await kernel.engine.start(wanted, request.state.principal)
    if body.stream:
        usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        return EventStream(live, Completion(live, wanted.model, include_usage=usage), headers_of)
    return await _whole(request, live, wanted)


ROUTES = [Route("/v1/chat/completions", create_chat_completion, methods=["POST"])]


async def read_chat(request: Request) -> tuple[ChatRequest, RunRequest]:
    """What the request asks for, as sent and in the kernel's words. Raises BadRequest that names the field at fault."""
    kernel: Kernel = request.app.state.kernel
    raw = read_object(await request.body())
    refuse_unsupported(raw, UNSUPPORTED)
    body = checked(ChatRequest, raw)
    wanted = to_run_request(
        body,
        default_model=kernel.settings.default_model,
        session_id=request.headers.get("x-session-id"),
        traceparent=request.headers.get("traceparent", ""),
    )
    return body, wanted


async def _whole(request: Request, live: LiveRun, wanted: RunRequest) -> Response:
    entries = await until_left(request.receive, live.log(), live.cancel)
    error = failure(entries[-1].event)
    if error is not None:
        response = error_response(error)
        response.headers.update(headers_of(live))
        return response
    body = dump(Completion(live, wanted.model).whole(entries))
    return Response(body, headers=headers_of(live), media_type="application/json")


def headers_of(live: LiveRun) -> Mapping[str, str]:
    """What the answer of a run tells in its headers."""
    headers = {"X-Session-Id": live.session_id, "X-Run-Id": live.id}
    return {**headers, "X-Agent": live.agent} if live.agent else headers
