"""The FastAPI application, put together from its routes and middleware."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agentic.kernel import Kernel
from agentic.server import (
    health,
    routes_auth,
    routes_chat,
    routes_conversations,
    routes_files,
    routes_keys,
    routes_logins,
    routes_models,
    routes_routing,
    routes_users,
)
from agentic.server.auth import Authentication
from agentic.server.errors import install_handlers
from agentic.server.limits import BodyLimit, NoSniff, Unbroken

ROUTERS = tuple(
    module.router
    for module in (
        routes_chat,
        routes_models,
        routes_conversations,
        routes_files,
        routes_routing,
        routes_auth,
        routes_logins,
        routes_keys,
        routes_users,
        health,
    )
)


def create_app(kernel: Kernel) -> FastAPI:
    """The application over an open kernel; see :func:`agentic.kernel.open_kernel`."""
    app = FastAPI(
        title="agentic",
        description="A self-hosted agent backend that speaks the OpenAI API",
        version=version("agentic-server"),
        # Included routers are matched twice a request, one route after the other: so the routes, the busiest first.
        routes=[route for router in ROUTERS for route in router.routes],
        # FastAPI's pages of documentation load their scripts from a CDN; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
        # It would export to wherever OTEL_* points; nothing leaves the machine unless an observer plugin sends it.
        # Its logs hold the messages of errors, and those may hold what users wrote.
        telemetry={"auto_configure": False, "logs": False},
    )
    app.state.kernel = kernel
    app.state.readiness = health.Readiness(kernel)
    install_handlers(app)
    # The middleware added last is met first.
    app.add_middleware(BodyLimit, max_mb=kernel.settings.max_body_mb, without=(routes_files.UPLOAD,))
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
