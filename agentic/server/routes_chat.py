"""``/v1/chat/completions``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.kernel import Kernel
from agentic.runtime.request import RunRequest
from agentic.server.bodies import checked, read_object
from agentic.server.dialects.chat_body import ChatRequest
from agentic.server.dialects.chat_completions import Completion
from agentic.server.dialects.chat_request import UNSUPPORTED, to_run_request
from agentic.server.dialects.wishes import refuse_unsupported
from agentic.server.sse import EventStream
from agentic.server.whole import headers_of, whole_answer


async def create_chat_completion(request: Request) -> Response:
    """Answer a conversation, streamed or whole, in OpenAI's format."""
    kernel: Kernel = request.app.state.kernel
    body, wanted = await read_chat(request)
    live = await kernel.engine.start(wanted, request.state.principal)
    if body.stream:
        usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        return EventStream(live, Completion(live, wanted.model, include_usage=usage), headers_of)
    return await whole_answer(request, live, Completion(live, wanted.model))


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
