"""``/v1/models``: what a request may name as its model."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentic.kernel import Kernel
from agentic.messages import Json, dump
from agentic.models.directory import Chosen

STARTED_AT = int(time.time())


async def list_models(request: Request) -> Response:
    """Everything that a request may name as its model."""
    return _answer({"object": "list", "data": await _models(request.app.state.kernel)})


async def get_model(request: Request) -> Response:
    """One model; its id may hold slashes."""
    kernel: Kernel = request.app.state.kernel
    model_id: str = request.path_params["model_id"]
    route = kernel.engine.read_model(model_id)
    if not route.plain and not route.model:
        return _answer(_listed(model_id, STARTED_AT, "agentic"))
    return _answer({**_described(await kernel.directory.find(route.model)), "id": model_id})


ROUTES = [Route("/v1/models", list_models), Route("/v1/models/{model_id:path}", get_model)]


def _answer(body: Json) -> Response:
    return Response(dump(body), media_type="application/json")


async def _models(kernel: Kernel) -> list[Json]:
    ours = ["agentic", *(f"agentic/{name}" for name in kernel.catalog.agents())]
    listed = [_listed(model_id, STARTED_AT, "agentic") for model_id in ours]
    return listed + [_described(chosen) for chosen in await kernel.directory.listing()]


def _described(chosen: Chosen) -> Json:
    return _listed(chosen.id, int(chosen.info.changed) or STARTED_AT, chosen.provider.name)


def _listed(model_id: str, created: int, owner: str) -> Json:
    return {"id": model_id, "object": "model", "created": created, "owned_by": owner}
