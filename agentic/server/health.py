"""``/health``: the process lives. ``/ready``: its parts work; causes are for administrators only."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.catalog.catalog import Plugin
from agentic.identity.scopes import Scope
from agentic.kernel import Kernel
from agentic.messages import Json, dump
from agentic.ports.space import Principal

logger = logging.getLogger(__name__)

LIMIT_S = 2.0
"""How long a part may take to answer before it counts as failed."""
FRESH_S = 1.0


async def health(_request: Request) -> Response:
    """Whether the process answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def ready(request: Request) -> Response:
    """Whether requests can be served: 200, or 503 while storage or every model server is away.

    A quarantined plugin is named, and does not make the server unready.
    """
    readiness: Readiness = request.app.state.readiness
    principal: Principal | None = getattr(request.state, "principal", None)
    body = await readiness.report()
    status = 200 if body["status"] == "ready" else 503
    if principal is None or principal.role != "admin" or not {*principal.scopes} <= {Scope.ADMIN}:
        body = _states_only(body)
    return Response(dump(body), status, media_type="application/json")


ROUTES = [Route("/health", health), Route("/ready", ready)]


class Readiness:
    """What /ready tells. Whoever asks within FRESH_S of another gets the same: anybody may ask, and it costs work."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._asking: asyncio.Task[Json] | None = None
        self._asked_at = -math.inf

    async def report(self) -> Json:
        """The state of every part, within LIMIT_S of when it was asked for."""
        if self._asking is None or (self._asking.done() and time.monotonic() - self._asked_at >= FRESH_S):
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Json:
        models, storage, files, notices = await asyncio.gather(
            self._models(),
            _cause("storage", self._kernel.storage.health(), LIMIT_S),
            _cause("the store of files", self._kernel.blobs.health(), LIMIT_S),
            self._notices(),
        )
        is_ready = storage is None and files is None and None in models.values()
        self._asked_at = time.monotonic()
        return {
            "status": "ready" if is_ready else "not_ready",
            "models": {name: _part(cause) for name, cause in models.items()},
            "storage": _part(storage),
            "files": _part(files),
            "plugins": [_plugin(plugin) for plugin in self._kernel.catalog.plugins],
            "notices": notices,
        }

    async def _models(self) -> dict[str, str | None]:
        try:
            async with asyncio.timeout(LIMIT_S / 2):
                return await self._kernel.directory.states()
        except TimeoutError:
            logger.debug("[Ready] Models: one is silent, each is asked by itself")
        # One silent server must not hide the others.
        providers = self._kernel.catalog.model_providers().values()
        servers = [one for one in providers if not one.fallback] or list(providers)
        causes = await asyncio.gather(*(_cause(one.name, one.health(), LIMIT_S / 2) for one in servers))
        return {one.name: cause for one, cause in zip(servers, causes, strict=True)}

    async def _notices(self) -> list[str]:
        try:
            async with asyncio.timeout(LIMIT_S):
                return await self._kernel.directory.notices()
        except TimeoutError:
            return [f"The model server did not list its models within {LIMIT_S:g} s."]


async def _cause(name: str, asking: Awaitable[str | None], limit_s: float) -> str | None:
    """None for a part that is well, else what is wrong with it."""
    try:
        async with asyncio.timeout(limit_s):
            return await asking
    except TimeoutError:
        return f"no answer within {LIMIT_S:g} s"
    except Exception as error:
        logger.exception("[Ready] Health check failed: %s", name)
        return f"the health check failed: {type(error).__name__}"


def _part(cause: str | None) -> Json:
    return {"state": "ok"} if cause is None else {"state": "failed", "cause": cause}


def _plugin(plugin: Plugin) -> Json:
    named = {"name": plugin.name, "distribution": plugin.distribution, "state": plugin.state}
    return {**named, "cause": plugin.cause, "fix": plugin.fix} if plugin.cause or plugin.fix else named


def _states_only(body: Json) -> Json:
    """The same without causes and fixes, which may tell strangers of paths and addresses."""

    def bare(parts: Mapping[str, Json]) -> Json:
        return {name: {"state": part["state"]} for name, part in parts.items()}

    return {
        **body,
        "models": bare(body["models"]),
        "storage": {"state": body["storage"]["state"]},
        "files": {"state": body["files"]["state"]},
        "plugins": [{"name": plugin["name"], "state": plugin["state"]} for plugin in body["plugins"]],
    }
