"""An answer in one piece, in whichever dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from agentic.events import Entry
from agentic.messages import Json, dump
from agentic.runtime.run import LiveRun
from agentic.server.errors import error_response
from agentic.server.sse import failure, in_words, until_left


class Writer(Protocol):
    """A dialect's way of writing a whole answer; ``fields`` as :class:`agentic.server.sse.Renderer` has them."""

    fields: Mapping[str, str]

    def whole(self, entries: Sequence[Entry]) -> Json:
        """The answer that all entries of a run are."""
        ...


def headers_of(live: LiveRun) -> Mapping[str, str]:
    """What the answer of a run tells in its headers."""
    headers = {"X-Session-Id": live.session_id, "X-Run-Id": live.id}
    return {**headers, "X-Agent": live.agent} if live.agent else headers


async def whole_answer(request: Request, live: LiveRun, writer: Writer) -> Response:
    """Wait for a run's end and answer with all of it; the run is cancelled where the client goes away before."""
    entries = await until_left(request.receive, live.log(), live.cancel)
    error = failure(entries[-1].event)
    if error is not None:
        response = error_response(in_words(error, writer.fields))
        response.headers.update(headers_of(live))
        return response
    return Response(dump(writer.whole(entries)), headers=headers_of(live), media_type="application/json")
