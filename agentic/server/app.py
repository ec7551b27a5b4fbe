"""The FastAPI application, put together from its routes and middleware."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from agentic.kernel import Kernel
from agentic.server import health, routes_chat
from agentic.server.auth import Authentication
from agentic.server.errors import install_handlers
from agentic.server.late import LateRoutes
from agentic.server.limits import BodyLimit, NoSniff, Unbroken

UPLOAD = "/api/files/upload"
# Included routers are matched twice a request, one route after the other: so the routes, the busiest first.
ROUTES: list[BaseRoute] = [
    *routes_chat.router.routes,
    LateRoutes(("/v1/models",), "routes_models"),
    LateRoutes(("/api/conversations", "/api/runs"), "routes_conversations"),
    LateRoutes(("/api/files",), "routes_files"),
    LateRoutes(("/api/route",), "routes_routing"),
    LateRoutes(("/api/auth",), "routes_auth"),
    LateRoutes(("/api/keys",), "routes_keys"),
    LateRoutes(("/api/admin/users",), "routes_users"),
    *health.router.routes,
]


class App(FastAPI):
    """The application; its description tells of routes too that are not made yet."""

    def openapi(self) -> dict[str, Any]:
        """See :meth:`fastapi.FastAPI.openapi`. The first call makes all routes."""
        if not self.openapi_schema:
            from agentic.server.schema import described

            self.openapi_schema = described(self)
        return self.openapi_schema


def create_app(kernel: Kernel) -> FastAPI:
    """The application over an open kernel; see :func:`agentic.kernel.open_kernel`."""
    app = App(
        title="agentic",
        description="A self-hosted agent backend that speaks the OpenAI API",
        version=version("agentic-server"),
        routes=ROUTES,
        # FastAPI's pages of documentation load their scripts from a CDN; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
        # A run's events are what observers make spans and metrics of; FastAPI's own would look for a provider at each
        # request, export to wherever OTEL_* points, and log the messages of errors, which may hold what users wrote.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.kernel = kernel
    app.state.readiness = health.Readiness(kernel)
    install_handlers(app)
    # The middleware added last is met first.
    app.add_middleware(BodyLimit, max_mb=kernel.settings.max_body_mb, without=(UPLOAD,))
    app.add_middleware(Authentication, identity_source=lambda: kernel.identity)
    app.add_middleware(Unbroken)
    if kernel.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=kernel.settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Session-Id", "X-Run-Id", "X-Agent", "Retry-After"],
        )
    app.add_middleware(NoSniff)
    return app
