"""Pure ASGI middleware that lets only known principals at the API."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from agentic.errors import AgenticError, Unauthorized
from agentic.identity.identity import Identity
from agentic.identity.scopes import refuse_beyond
from agentic.ports.space import Principal
from agentic.server.errors import error_response

GUARDED = frozenset({"v1", "api"})
"""First parts of the paths that need a principal."""

_LOGIN = "/api/auth/login"
_LOGIN_ELSEWHERE = re.compile(r"/api/auth/logins|/api/auth/login/[a-z0-9_]+(/callback)?")
_READY = "/ready"
_RECOGNISE_S = 1.0
_POLICY_VIOLATION = 1008


class Authentication:
    """Answers 401 to every request under /v1 and /api without a valid token or API key, but the logins.

    Answers 403 to what the user's role or the scopes of their key do not reach, and 429 beyond their requests a
    minute. It does so before the body is read, and whether or not the path exists. The principal goes into
    ``scope["state"]["principal"]``; for /ready, which anybody may ask, it is None where no valid token came. Who reads
    a long body asks ``scope["state"]["admitted"]`` at its end whether they would still be let in. The CORS
    middleware belongs outside of this one: preflights carry no token and end there. ``identity_source`` is called at
    each request, because the app is built before the storage is open.
    """

    def __init__(self, app: ASGIApp, identity_source: Callable[[], Identity]) -> None:
        self._app = app
        self._identity = identity_source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] in ("http", "websocket"):
            path = route_path(scope)
            if _is_guarded(scope["path"], path) and not _is_login(scope, path):
                await self._guard(scope, receive, send)
                return
            if path == _READY:
                scope = await self._recognise(scope)
        await self._app(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            identity = self._identity()
            admitted = partial(_admitted, identity, scope)
            principal = await admitted()
            await identity.meter.take_request(principal)
        except AgenticError as error:
            refusal = error_response(error) if scope["type"] == "http" else WebSocketClose(_POLICY_VIOLATION)
            await refusal(scope, receive, send)
            return
        await self._app(_with(scope, principal=principal, admitted=admitted), receive, send)

    async def _recognise(self, scope: Scope) -> Scope:
        try:
            async with asyncio.timeout(_RECOGNISE_S):
                principal = await self._identity().authenticate(_bearer(scope))
        # Without storage nobody can be recognised, and /ready is there to say so.
        except (AgenticError, TimeoutError):
            return _with(scope, principal=None)
        return _with(scope, principal=principal)


async def _admitted(identity: Identity, scope: Scope) -> Principal:
    """Who asks, as it is now. Raises Unauthorized, Forbidden, StorageError."""
    principal = await identity.authenticate(_bearer(scope))
    refuse_beyond(principal, scope.get("method", "GET"), route_path(scope))
    return principal


def _with(scope: Scope, **state: object) -> Scope:
    return {**scope, "state": {**scope.get("state", {}), **state}}


def _bearer(scope: Scope) -> str:
    """The token of the one Authorization header. Raises Unauthorized."""
    values = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    scheme, _, token = values[0].decode("latin-1").strip().partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("a token or an API key is needed, in the header 'Authorization: Bearer …'")
    return token.strip()


def route_path(scope: Scope) -> str:
    """The path as the routes see it: servers put the prefix a proxy mounts us under in front of it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _is_login(scope: Scope, path: str) -> bool:
    """Whether somebody signs in, who can have no token yet."""
    if scope["type"] != "http":
        return False
    return (scope["method"] == "POST" and path == _LOGIN) or (
        scope["method"] == "GET" and _LOGIN_ELSEWHERE.fullmatch(path) is not None
    )


def _is_guarded(*paths: str) -> bool:
    """Whether any reading of a path leads to the API: as it came, decoded once more, or with its dots resolved."""
    return any(reading.lstrip("/").partition("/")[0].lower() in GUARDED for reading in _readings(paths))


def _readings(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        for reading in (path, unquote(path)):
            plain = reading.replace("\\", "/")
            yield plain
            yield posixpath.normpath(plain)
