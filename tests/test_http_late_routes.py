"""The application that is made when it is first asked for: all routes are reached, and it costs the start nothing."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest
from starlette.datastructures import State
from starlette.routing import Match

from agentic import server
from agentic.server import late_routes
from agentic.server.api import Api, create_api
from agentic.server.app import ROUTES
from agentic.server.late import LateApp

MODULES = [importlib.import_module(f"agentic.server.{name}") for _, name, _ in pkgutil.iter_modules(server.__path__)]
BELOW_API = [route for module in MODULES if hasattr(module, "router") for route in module.router.routes]


def scope_of(path: str, kind: str = "http", root: str = "") -> dict[str, str]:
    return {"type": kind, "path": root + path, "root_path": root, "method": "GET"}


def api() -> Api:
    return create_api(State(), ROUTES)


def late() -> LateApp:
    return LateApp(api, "/api", "/openapi.json")


@pytest.mark.parametrize("root", ["", "/behind/a/proxy"])
def test_every_route_of_every_module_is_reached(root: str) -> None:
    assert len(BELOW_API) > 20
    held = api().routes
    for route in BELOW_API:
        path = route.path.replace("{", "").replace("}", "").replace(":path", "")
        assert late().matches(scope_of(path, root=root))[0] is Match.FULL, path
        assert route in held, path


@pytest.mark.parametrize("path", ["/apiary", "/api", "/v1", "/v1/models", "/API/keys", "/", "/openapi.jsonl"])
def test_a_path_that_only_looks_like_one_is_not_its(path: str) -> None:
    assert late().matches(scope_of(path))[0] is Match.NONE


def test_a_websocket_is_no_request() -> None:
    assert late().matches(scope_of("/api/keys", "websocket"))[0] is Match.NONE


def test_the_description_holds_every_path_once() -> None:
    described = api().openapi()["paths"]
    routes = [*BELOW_API, *ROUTES, *late_routes.ROUTES]
    assert set(described) == {route.path_format for route in routes}
    assert described["/v1/responses"]["post"]["requestBody"]
    taken = described["/v1/responses/{response_id}"]["get"]["parameters"]
    assert [one["name"] for one in taken] == ["response_id", "stream", "starting_after"]
    assert list(described["/v1/chat/completions"]) == ["post"]
    assert [one["name"] for one in described["/v1/models/{model_id}"]["get"]["parameters"]] == ["model_id"]


def test_nothing_that_no_first_answer_needs_is_imported_with_the_application() -> None:
    program = "import sys, agentic.kernel, agentic.server.app; print(*sys.modules)"
    held = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"fastapi", "joserfc", "cryptography", "limits", "jsonschema"}
    assert {name.partition(".")[0] for name in held} & heavy == set()
    assert "pydantic.v1" not in held
    assert "agentic.server.late_routes" not in held
