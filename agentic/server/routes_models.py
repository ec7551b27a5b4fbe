"""``/v1/models``: what a request may name as its model."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request

from agentic.kernel import Kernel
from agentic.messages import Json
from agentic.models.directory import Chosen

router = APIRouter(prefix="/v1")
STARTED_AT = int(time.time())


@router.get("/models")
async def list_models(request: Request) -> Json:
    """Everything that a request may name as its model."""
    return {"object": "list", "data": await _models(request.app.state.kernel)}


@router.get("/models/{model_id:path}")
async def get_model(request: Request, model_id: str) -> Json:
    """One model; its id may hold slashes."""
    kernel: Kernel = request.app.state.kernel
    route = kernel.engine.read_model(model_id)
    if not route.plain and not route.model:
        return _listed(model_id, STARTED_AT, "agentic")
    return {**_described(await kernel.directory.find(route.model)), "id": model_id}


async def _models(kernel: Kernel) -> list[Json]:
    ours = ["agentic", *(f"agentic/{name}" for name in kernel.catalog.agents())]
    listed = [_listed(model_id, STARTED_AT, "agentic") for model_id in ours]
    return listed + [_described(chosen) for chosen in await kernel.directory.listing()]


def _described(chosen: Chosen) -> Json:
    return _listed(chosen.id, int(chosen.info.changed) or STARTED_AT, chosen.provider.name)


def _listed(model_id: str, created: int, owner: str) -> Json:
    return {"id": model_id, "object": "model", "created": created, "owned_by": owner}
