"""``/health``: the process lives. ``/ready``: its parts work; causes are for administrators only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from agentic.catalog.catalog import Plugin
from agentic.kernel import Kernel
from agentic.messages import Json
from agentic.ports.space import Principal

router = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """Whether requests can be served: 200, or 503 while storage or every model server is away.

    A quarantined plugin is named, and does not make the server unready.
    """
    kernel: Kernel = request.app.state.kernel
    principal: Principal | None = getattr(request.state, "principal", None)
    models, storage, blobs = await asyncio.gather(
        kernel.directory.states(), kernel.storage.health(), kernel.blobs.health()
    )
    is_ready = storage is None and blobs is None and None in models.values()
    body: Json = {
        "status": "ready" if is_ready else "not_ready",
        "models": {name: _part(cause) for name, cause in models.items()},
        "storage": _part(storage),
        "files": _part(blobs),
        "plugins": [_plugin(plugin) for plugin in kernel.catalog.plugins],
        "notices": await kernel.directory.notices(),
    }
    if principal is None or principal.role != "admin":
        body = _states_only(body)
    return JSONResponse(body, status_code=200 if is_ready else 503)


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
