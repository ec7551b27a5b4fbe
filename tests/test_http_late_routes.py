"""Routes that are made when they are first asked for: all of them are reached, and none costs the start anything."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest
from starlette.routing import Match, Route

from agentic import server
from agentic.server.app import ROUTES, App
from agentic.server.late import LateRoutes

FOUND = [name for _, name, _ in pkgutil.iter_modules(server.__path__) if name.startswith("routes_")]
MADE_AT_START = {"agentic.server.health", "agentic.server.routes_chat"}


def scope_of(path: str, kind: str = "http", root: str = "") -> dict[str, str]:
    return {"type": kind, "path": root + path, "root_path": root, "method": "GET"}


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("root", ["", "/behind/a/proxy"])
def test_every_route_of_every_module_is_reached(name: str, root: str) -> None:
    routes = [one for one in importlib.import_module(f"agentic.server.{name}").router.routes if isinstance(one, Route)]
    assert routes
    for route in routes:
        path = route.path.replace("{", "").replace("}", "").replace(":path", "")
        first = next(one for one in ROUTES if one.matches(scope_of(path, root=root))[0] is not Match.NONE)
        assert route in (first.router.routes if isinstance(first, LateRoutes) else [first]), route.path


@pytest.mark.parametrize("path", ["/api/keysmith", "/api", "/v1", "/v1/modelsx", "/api/route-x", "/API/keys", "/"])
def test_a_path_that_only_looks_like_one_is_nobodys(path: str) -> None:
    assert {one.matches(scope_of(path))[0] for one in ROUTES} == {Match.NONE}


def test_a_websocket_is_no_request() -> None:
    late = [one for one in ROUTES if isinstance(one, LateRoutes)]
    assert {one.matches(scope_of("/api/keys", "websocket"))[0] for one in late} == {Match.NONE}


def test_the_description_holds_every_path_once() -> None:
    described = set(App(routes=ROUTES).openapi()["paths"])
    routes = [route for name in FOUND for route in importlib.import_module(f"agentic.server.{name}").router.routes]
    assert described == {"/health", "/ready", *(route.path_format for route in routes)}


def test_nothing_that_no_first_answer_needs_is_imported_with_the_application() -> None:
    program = "import sys, agentic.kernel, agentic.server.app; print(*sys.modules)"
    held = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    made = {name for name in held if name.startswith("agentic.server.routes_") or name == "agentic.server.health"}
    assert made == MADE_AT_START
    assert {name.partition(".")[0] for name in held} & {"joserfc", "cryptography", "limits", "jsonschema"} == set()
    assert "pydantic.v1" not in held
