"""The application, put together from its routes and middleware.

What every client asks for stands on Starlette alone; :mod:`agentic.server.api` is made when it is first asked for.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from agentic.kernel import Kernel
from agentic.server import health, routes_chat, routes_models
from agentic.server.auth import Authentication
from agentic.server.errors import HANDLERS
from agentic.server.late import LateApp
from agentic.server.limits import BodyLimit, NoSniff, Unbroken

UPLOAD = "/api/files/upload"
# The busiest first: one is matched after the other.
ROUTES: list[Route] = [*routes_chat.ROUTES, *routes_models.ROUTES, *health.ROUTES]


def create_app(kernel: Kernel) -> Starlette:
    """The application over an open kernel; see :func:`agentic.kernel.open_kernel`."""

    def api() -> ASGIApp:
        from agentic.server.api import create_api

        return create_api(app.state, ROUTES)

    def late() -> ASGIApp:
        from agentic.server import late_routes

        return Router(late_routes.ROUTES)

    app = Starlette(
        routes=[
            *ROUTES,
            LateApp(late, "/v1/responses", "/v1/responses", "/v1/embeddings"),
            LateApp(api, "/api", "/openapi.json"),
        ],
        middleware=_middleware(kernel),
        exception_handlers=HANDLERS,
    )
    app.state.kernel = kernel
    app.state.readiness = health.Readiness(kernel)
    return app


def _middleware(kernel: Kernel) -> list[Middleware]:
    """In the order in which a request meets it."""
    origins = kernel.settings.cors_origins
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Session-Id", "X-Run-Id", "X-Agent", "Retry-After"],
    )
    return [
        Middleware(NoSniff),
        *([cors] if origins else []),
        Middleware(Unbroken),
        Middleware(Authentication, identity_source=lambda: kernel.identity),
        Middleware(BodyLimit, max_mb=kernel.settings.max_body_mb, without=(UPLOAD,)),
    ]
