"""The FastAPI application, put together from its routes and middleware."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agentic.catalog.settings import Settings
from agentic.kernel import Kernel, open_kernel
from agentic.server import health, routes_auth, routes_chat, routes_conversations
from agentic.server.auth import Authentication
from agentic.server.errors import install_handlers
from agentic.server.limits import BodyLimit, NoSniff

logger = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    greet: Callable[[Kernel], Awaitable[None]] | None = None,
) -> FastAPI:
    """The application; the kernel is opened when it starts.

    ``only``: see :func:`open_kernel`. ``greet`` is given the kernel before the first request is taken.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, only=only) as kernel:
            app.state.kernel = kernel
            if greet is not None:
                await greet(kernel)
            probing = asyncio.create_task(kernel.directory.probe())
            yield
            probing.cancel()

    app = FastAPI(
        title="agentic",
        description="A self-hosted agent backend that speaks the OpenAI API",
        version=version("agentic-server"),
        lifespan=lifespan,
        # It would export to wherever OTEL_* points; nothing leaves the machine unless an observer plugin sends it.
        telemetry={"auto_configure": False},
    )
    for router in (health.router, routes_auth.router, routes_chat.router, routes_conversations.router):
        app.include_router(router)
    install_handlers(app)
    # The middleware added last is met first.
    app.add_middleware(BodyLimit, max_mb=settings.max_body_mb)
    app.add_middleware(Authentication, identity_source=lambda: app.state.kernel.identity)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Session-Id", "X-Run-Id", "X-Agent", "Retry-After"],
        )
    app.add_middleware(NoSniff)
    return app
