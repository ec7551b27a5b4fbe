"""Routes that are made when one of them is first asked for.

Making a route costs some milliseconds: its signature is read, its bodies and answers become validators. Most servers
are asked for answers alone, so the routes around them cost the start nothing.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from functools import cached_property

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from agentic.server.auth import route_path


class LateRoutes(BaseRoute):
    """All routes at or below ``prefixes``, which are those of a ``module`` of this package."""

    def __init__(self, prefixes: Sequence[str], module: str) -> None:
        self._exact = frozenset(prefixes)
        self._below = tuple(f"{prefix}/" for prefix in prefixes)
        self._module = module

    @cached_property
    def router(self) -> APIRouter:
        """The routes; the first use imports their module, and blocks for some tens of milliseconds."""
        own: APIRouter = importlib.import_module(f"agentic.server.{self._module}").router
        return APIRouter(routes=own.routes)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By the path alone: which of the routes it is, and whether the method is allowed, is told when it is known."""
        is_here = False
        if scope["type"] == "http":
            path = route_path(scope)
            is_here = path in self._exact or path.startswith(self._below)
        return (Match.FULL if is_here else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See :class:`starlette.routing.BaseRoute`."""
        if "router" not in self.__dict__:
            await asyncio.to_thread(lambda: self.router)
        await self.router(scope, receive, send)
