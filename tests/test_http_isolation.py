"""No route gives away, or touches, what another user owns: a sweep over everything that the server says it has.

A new route is swept as it is. One with a path parameter that is not known here fails the sweep until OWNED tells how to
make a real one, or SHARED says that it names nothing of anybody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import calls, says
from agentic.testing.scripted_answers import instance
from tests.http_fixtures import Api, SharedOllama, error_of

Json = dict[str, Any]
MARKER = "zebra4711"
"""Stands in everything that the owner makes."""

ADMIN = "/api/admin/"
SHARED = {
    "/v1/models/{model_id}": "models are everybody's",
    "/api/auth/login/{provider}": "places to sign in are everybody's",
    "/api/auth/login/{provider}/callback": "places to sign in are everybody's",
}
"""Paths whose parameters name nothing of anybody's."""

CURSORS = {"after": "session_id"}
"""Query parameters that take an id, and whose."""
IN_BODIES = {
    "session_id": "session_id",
    "documents": "file_id",
    "file_id": "file_id",
    "previous_response_id": "response_id",
    "conversation": "session_id",
}
"""Fields of bodies that take an id, or ids, and whose."""
HARMLESS = {"call_id"}
"""Fields that name a part of what the path names."""
BODIES: dict[str, Json] = {
    "/v1/chat/completions": {"model": "agentic/chat", "messages": [{"role": "user", "content": "hello"}]},
    "/v1/responses": {"model": "agentic/chat", "input": "hello"},
    "/api/route": {"model": "agentic/chat", "messages": [{"role": "user", "content": "hello"}]},
    "/api/conversations/{session_id}": {"title": "taken over"},
    "/api/files/search": {"query": MARKER},
}


class Owned:
    """What a user has made, by the name of the path parameter that takes its id; made anew for each route."""

    def __init__(self, api: Api, ollama: SharedOllama) -> None:
        self._api = api
        self._ollama = ollama
        self._made: dict[str, str] = {}

    def __getitem__(self, parameter: str) -> str:
        if parameter not in self._made:
            OWNED[parameter](self)
        return self._made[parameter]

    def conversation(self) -> None:
        """A conversation whose run has made a file."""
        self._ollama.script(calls(("lookup", {"what": f"file {MARKER}"})), says(f"It is {MARKER}."))
        answer = self._api.chat(f"Look up {MARKER}", model="agentic/react")
        assert answer.status_code == 200, answer.text
        self._made["session_id"] = answer.headers["x-session-id"]
        self._made["run_id"] = answer.headers["x-run-id"]
        self._made["name"] = "found.txt"

    def response(self) -> None:
        """A response, with an item."""
        self._ollama.script(f"It is {MARKER}.")
        answer = self._api.post("/v1/responses", json={"model": "agentic/chat", "input": f"Say {MARKER}"})
        assert answer.status_code == 200, answer.text
        self._made["response_id"] = answer.json()["id"]

    def document(self) -> None:
        """An uploaded document, taken in."""
        file = {"file": (f"{MARKER}.txt", f"The {MARKER} is striped.".encode(), "text/plain")}
        answer = self._api.post("/api/files/upload", params={"wait": "true"}, files=file)
        assert answer.status_code in (200, 201, 202), answer.text
        self._made["file_id"] = answer.json()["file_id"]

    def key(self) -> None:
        """An API key."""
        answer = self._api.post("/api/keys", json={"name": MARKER})
        assert answer.status_code in (200, 201), answer.text
        self._made["key_id"] = answer.json()["id"]


OWNED: dict[str, Callable[[Owned], None]] = {
    "session_id": Owned.conversation,
    "run_id": Owned.conversation,
    "name": Owned.conversation,
    "file_id": Owned.document,
    "key_id": Owned.key,
    "response_id": Owned.response,
}
"""How to make what a path parameter names."""


class Route:
    """One method of one path of the schema."""

    def __init__(self, method: str, path: str, operation: Json, schema: Json) -> None:
        self.method = method.upper()
        self.path = path
        self._operation = operation
        self._schema = schema

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def ids(self) -> list[str]:
        """The names of its path parameters."""
        return re.findall(r"{([^}:]+)[^}]*}", self.path)

    @property
    def query(self) -> list[Json]:
        return [one for one in self._operation.get("parameters", ()) if one["in"] == "query"]

    @property
    def body(self) -> Json | None:
        """The JSON Schema of its body; None where it takes none in JSON."""
        content = self._operation.get("requestBody", {}).get("content", {})
        found: Json | None = content.get("application/json", {}).get("schema")
        while found is not None and "$ref" in found:
            found = self._resolve(found["$ref"])
        return found

    @property
    def fields(self) -> Sequence[str]:
        return list((self.body or {}).get("properties", ()))

    def call(self, api: httpx.Client, ids: Mapping[str, str], **more: Any) -> httpx.Response:
        """A request that is sound but for the ids."""
        path = self.path
        for name in self.ids:
            path = re.sub(rf"{{{name}[^}}]*}}", ids[name], path)
        query = {one["name"]: _sample(one) for one in self.query if one.get("required")}
        body = None
        if self.body is not None:
            body = {**BODIES.get(self.path, instance(self.body, self._schema)), **more.get("body", {})}
        return api.request(self.method, path, params={**query, **more.get("query", {})}, json=body)

    def _resolve(self, reference: str) -> Json:
        place: Any = self._schema
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        found: Json = place
        return found


def _sample(parameter: Json) -> str:
    """A value for a query parameter that must be there."""
    if parameter["name"] in ("q", "query"):
        return MARKER
    value = instance(parameter["schema"])
    return str(value).lower() if isinstance(value, bool) else str(value)


def routes_of(schema: Json) -> list[Route]:
    methods = ("get", "put", "post", "delete", "patch")
    return [
        Route(method, path, operation, schema)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if method in methods
    ]


def unknown(routes: Sequence[Route]) -> Iterator[str]:
    """What in the routes the sweep has not been taught."""
    for route in routes:
        if route.path in SHARED or route.path.startswith(ADMIN):
            continue
        for name in route.ids:
            if name not in OWNED:
                yield f"{route}: how is a real {name} made? Tell OWNED, or SHARED."
        for one in route.query:
            if one["name"].endswith(("_id", "_ids")) and one["name"] not in CURSORS:
                yield f"{route}: what does {one['name']} name? Tell CURSORS."
        for field in route.fields:
            if field.endswith(("_id", "_ids")) and field not in HARMLESS and field not in IN_BODIES:
                yield f"{route}: what does {field} in the body name? Tell IN_BODIES or HARMLESS."


def another(real: str) -> str:
    """An id of the same form as a real one, that nobody has."""
    kinds = ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")

    def next_to(sign: str) -> str:
        kind = next((kind for kind in kinds if sign in kind), sign)
        return kind[(kind.index(sign) + 1) % len(kind)]

    return real[:-6] + "".join(map(next_to, real[-6:]))


def told(answer: httpx.Response, ids: Mapping[str, str]) -> tuple[int, str, str]:
    """An answer without the ids that were asked for, which it may repeat."""
    body = answer.text
    for name, value in ids.items():
        body = body.replace(value, f"<{name}>")
    return answer.status_code, answer.headers.get("content-type", ""), body


@pytest.fixture(scope="module")
def routes(server: Any, keys: dict[str, str]) -> list[Route]:
    """Every route of the server that runs."""
    with Api(server, keys["ann"]) as api:
        return routes_of(api.get("/openapi.json").json())


def test_sweep_knows_every_parameter(routes: list[Route]) -> None:
    assert len(routes) > 10
    assert list(unknown(routes)) == []


@pytest.mark.parametrize(
    ("path", "operation", "told"),
    [
        ("/api/toys/{toy_id}", {}, "how is a real toy_id made?"),
        ("/api/toys", {"parameters": [{"in": "query", "name": "toy_id", "schema": {}}]}, "what does toy_id name?"),
        (
            "/api/toys",
            {"requestBody": {"content": {"application/json": {"schema": {"properties": {"toy_ids": {}}}}}}},
            "what does toy_ids in the body name?",
        ),
    ],
)
def test_route_that_the_sweep_was_not_taught_fails_it(path: str, operation: Json, told: str) -> None:
    [found] = unknown(routes_of({"paths": {path: {"get": operation}}}))
    assert found.startswith(f"GET {path}: {told}")


def test_answer_for_anothers_is_the_answer_for_what_is_not_there(
    routes: list[Route], ann: Api, bob: Api, ollama: SharedOllama
) -> None:
    swept = [route for route in routes if route.ids and route.path not in SHARED and not route.path.startswith(ADMIN)]
    assert len(swept) > 5
    for route in swept:
        owned = Owned(ann, ollama)
        real = {name: owned[name] for name in route.ids}
        absent = {name: another(value) for name, value in real.items()}
        foreign, missing = route.call(bob, real), route.call(bob, absent)
        assert foreign.status_code == 404, (route, foreign.text)
        error_of(foreign.json())
        assert told(foreign, real) == told(missing, absent), route
        assert sorted(foreign.headers) == sorted(missing.headers), route
        # They are real: their owner is not told that they are not there, and nothing has happened to them.
        assert route.call(ann, real).status_code != 404, route


def test_strangers_are_told_the_same_whether_it_exists_or_not(
    routes: list[Route], server: Any, ann: Api, ollama: SharedOllama
) -> None:
    owned = Owned(ann, ollama)
    open_paths = {"/health", "/ready", "/api/auth/login", "/api/auth/logins", *SHARED}
    with httpx.Client(base_url=server.url, timeout=30) as stranger:
        for route in routes:
            if route.path in open_paths and not route.path.startswith("/v1/"):
                continue
            ids = {name: owned[name] if name in OWNED else "ann" for name in route.ids}
            answer = route.call(stranger, ids)
            assert answer.status_code == 401, (route, answer.text)
            assert error_of(answer.json())["code"] == "invalid_api_key"


def test_ids_in_queries_and_bodies_open_nothing_of_anothers(
    routes: list[Route], ann: Api, bob: Api, ollama: SharedOllama
) -> None:
    owned = Owned(ann, ollama)
    tried = 0
    for route in routes:
        if route.ids or route.path.startswith(ADMIN):
            continue
        places = [("query", one["name"], CURSORS[one["name"]]) for one in route.query if one["name"] in CURSORS]
        places += [("body", field, IN_BODIES[field]) for field in route.fields if field in IN_BODIES]
        for place, name, kind in places:
            tried += 1
            answers = []
            for value in (owned[kind], another(owned[kind])):
                given = [value] if name.endswith("s") else value
                answers.append(told(route.call(bob, {}, **{place: {name: given}}), {kind: value}))
            assert answers[0] == answers[1], (route, name)
            assert answers[0][0] == 404 or MARKER not in answers[0][2], (route, name)
    assert tried >= 3


def test_session_in_the_header_opens_nothing_of_anothers(ann: Api, bob: Api, ollama: SharedOllama) -> None:
    owned = Owned(ann, ollama)
    for path in ("/v1/chat/completions", "/v1/responses", "/api/route"):
        answers = [
            told(bob.post(path, json=BODIES[path], headers={"X-Session-Id": value}), {"session_id": value})
            for value in (owned["session_id"], another(owned["session_id"]))
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] == 404


def test_lists_and_searches_hold_nothing_of_anothers(
    routes: list[Route], ann: Api, bob: Api, ollama: SharedOllama
) -> None:
    owned = Owned(ann, ollama)
    taught = {name for route in routes for name in route.ids if name in OWNED}
    made = {owned[name] for name in taught} - {"found.txt"}
    shown = set()
    for route in routes:
        is_search = route.path.endswith("/search")
        if route.ids or route.path.startswith(ADMIN) or not (route.method == "GET" or is_search):
            continue
        answer = route.call(bob, {})
        assert answer.status_code in (200, 503), (route, answer.text)
        given = json.dumps(answer.json(), ensure_ascii=False)
        assert not [one for one in (*made, MARKER) if one in given], route
        if MARKER in route.call(ann, {}).text:
            shown.add(route.path)
    assert {"/api/conversations", "/api/conversations/search"} <= shown, "their owner sees them"


def test_administration_is_refused_to_users_whether_it_exists_or_not(routes: list[Route], bob: Api) -> None:
    for route in routes:
        if route.path.startswith(ADMIN):
            answers = [
                told(route.call(bob, dict.fromkeys(route.ids, name)), {"name": name}) for name in ("ann", "nobody")
            ]
            assert answers[0] == answers[1], route
            assert answers[0][0] == 403, (route, answers[0])


def test_causes_of_what_is_broken_are_for_administrators(ann: Api, bob: Api) -> None:
    assert "no_such_thing" in ann.get("/ready").text
    assert "no_such_thing" not in bob.get("/ready").text
