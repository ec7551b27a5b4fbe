"""An application that is made when it is first asked for.

To import FastAPI is a fifth of a start, and each of its routes takes some milliseconds more: its signature is read, its
bodies and answers become validators. Most servers are asked for answers alone, which need none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from agentic.server.auth import route_path


class LateApp(BaseRoute):
    """Everything below ``prefix``, and at ``paths``, is the application's that ``make`` gives."""

    def __init__(self, make: Callable[[], ASGIApp], prefix: str, *paths: str) -> None:
        self._make = make
        self._below = f"{prefix}/"
        self._paths = frozenset(paths)

    @cached_property
    def app(self) -> ASGIApp:
        """The application; the first use blocks for as long as the making takes."""
        return self._make()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By the path alone: which route it is, and whether the method is allowed, the application tells."""
        is_here = False
        if scope["type"] == "http":
            path = route_path(scope)
            is_here = path.startswith(self._below) or path in self._paths
        return (Match.FULL if is_here else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See :class:`starlette.routing.BaseRoute`."""
        if "app" not in self.__dict__:
            await asyncio.to_thread(lambda: self.app)
        await self.app(scope, receive, send)
