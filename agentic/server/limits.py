"""Pure ASGI middleware for every answer: bodies have a limit, bugs have a shape, browsers guess at no content type."""

from __future__ import annotations

from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentic.errors import AgenticError, PayloadTooLarge
from agentic.server.auth import route_path
from agentic.server.errors import error_response


class BodyLimit:
    """Answers 413 to bodies over ``max_mb`` megabytes: at once where the length is told, else while they come.

    Routes at the paths ``without`` hold to limits of their own.
    """

    def __init__(self, app: ASGIApp, max_mb: float, without: Collection[str] = ()) -> None:
        self._app = app
        self._without = without
        self._limit = int(max_mb * 1_000_000)
        self._refusal = f"The body is larger than {max_mb:g} MB (MAX_BODY_MB)."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http" or route_path(scope) in self._without:
            await self._app(scope, receive, send)
            return
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if told.isdigit() and int(told) > self._limit:
            await error_response(PayloadTooLarge(self._refusal))(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                # An HTTPException is what FastAPI lets through from the reading of a body.
                raise HTTPException(413, self._refusal)
            return message

        await self._app(scope, counting, send)


class Unbroken:
    """Answers a bug's exception in the shape of all errors, within reach of the other middleware.

    Starlette's own place for that lies outside of every middleware, so that its answer would miss their headers. The
    exception is raised again, for the server to log it with its trace.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        begun = scope["type"] != "http"

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if not begun:
                told = AgenticError(f"The server failed ({type(error).__name__}). Its log says more.")
                answer = error_response(told)
                # The server ends the connection when the exception reaches it: no client may count on it.
                answer.headers["Connection"] = "close"
                await answer(scope, receive, send)
            raise


class NoSniff:
    """Adds ``X-Content-Type-Options: nosniff`` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff")]
            await send(message)

        await self._app(scope, receive, marked if scope["type"] == "http" else send)
