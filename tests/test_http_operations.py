"""What operators rely on: readiness, plugins set aside or left out, browsers, commands beside a running server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import ScriptedOllama, calls, says
from agentic.testing.server import Server, free_port, own_environment, running_server
from tests.http_fixtures import LOOKUP, Api, SharedOllama, error_of, eventually, install, read_stream

ORIGIN = {"Origin": "https://chat.example.org"}
STRANGE = {"Origin": "https://evil.example"}


def test_administrator_is_told_why_a_plugin_was_set_aside(ann: Api) -> None:
    answer = ann.get("/ready")
    assert answer.status_code == 200
    broken = plugin(answer, "broken")
    assert broken["state"] == "quarantined"
    assert "no_such_thing" in broken["cause"]
    assert "Ask the authors" in broken["fix"]
    assert broken["distribution"] == "agentic-plugin-broken"
    assert plugin(answer, "lookup")["state"] == "active"


def test_others_are_told_states_only(server: Server, bob: Api) -> None:
    for answer in (bob.get("/ready"), httpx.get(f"{server.url}/ready"), ann_with_wrong_key(server)):
        assert answer.status_code == 200
        assert plugin(answer, "broken") == {"name": "broken", "state": "quarantined"}
        assert answer.json()["storage"] == {"state": "ok"}
        assert answer.json()["models"] == {"ollama": {"state": "ok"}}
        assert "no_such_thing" not in answer.text


def plugin(ready: httpx.Response, name: str) -> dict[str, str]:
    (found,) = [one for one in ready.json()["plugins"] if one["name"] == name]
    return found


def ann_with_wrong_key(server: Server) -> httpx.Response:
    return httpx.get(f"{server.url}/ready", headers={"Authorization": "Bearer agk_wrong"})


def test_health_needs_no_login(server: Server) -> None:
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_watchers_may_ask_for_the_status_alone(server: Server, path: str) -> None:
    asked = httpx.head(f"{server.url}{path}")
    assert (asked.status_code, asked.text) == (200, "")


def test_no_page_loads_anything_from_elsewhere(server: Server) -> None:
    assert [httpx.get(f"{server.url}{path}").status_code for path in ("/docs", "/redoc")] == [404, 404]
    assert "/ready" in httpx.get(f"{server.url}/openapi.json").json()["paths"]


def test_every_answer_forbids_sniffing(server: Server, ann: Api) -> None:
    answers = [
        httpx.get(f"{server.url}/health"),
        httpx.get(f"{server.url}/v1/models"),
        httpx.get(f"{server.url}/nothing"),
        httpx.options(f"{server.url}/v1/models", headers={**ORIGIN, "Access-Control-Request-Method": "GET"}),
        ann.get("/v1/chat/completions"),
        ann.chat("x" * 1_000_001),
        ann.chat(model="nothing"),
        ann.chat(stream=True),
    ]
    for answer in answers:
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


def test_named_origin_may_call_and_read_our_headers(server: Server, ann: Api) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = httpx.options(f"{server.url}/v1/chat/completions", headers={**ORIGIN, **asked})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    answer = ann.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]}, headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert "X-Session-Id" in answer.headers["access-control-expose-headers"]
    refused = httpx.get(f"{server.url}/v1/models", headers=ORIGIN)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN["Origin"])


def test_other_origins_may_not_call(server: Server, ann: Api) -> None:
    preflight = httpx.options(
        f"{server.url}/v1/chat/completions", headers={**STRANGE, "Access-Control-Request-Method": "POST"}
    )
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in ann.get("/v1/models", headers=STRANGE).headers


def test_many_streams_at_once_stay_apart(ann: Api, bob: Api, ollama: SharedOllama) -> None:
    ollama.answer = lambda body: says(f"For {body['messages'][-1]['content']} alone.", delay_s=0.02)
    told: dict[int, str] = {}

    def ask(number: int) -> None:
        api = ann if number % 2 else bob
        streamed = read_stream(api.chat(f"person{number}", stream=True))
        told[number] = streamed.text
        question, answer = api.conversation(streamed.response.headers["x-session-id"])
        assert (question["content"], answer["content"]) == (f"person{number}", f"For person{number} alone.")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {number: f"For person{number} alone." for number in range(32)}


@pytest.fixture
def own(data: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a server whose model server is not there yet, and with no leave for browsers."""
    path = [install(tmp_path, "lookup", LOOKUP)]
    return own_environment({"OLLAMA_HOST": "http://127.0.0.1:9"}, data_dir=data, path=path)


def test_server_without_model_server_recovers(own: dict[str, str], data: Path, keys: dict[str, str]) -> None:
    port = free_port()
    env = {**own, "OLLAMA_HOST": f"http://127.0.0.1:{port}"}
    with running_server(env, data_dir=data) as server, Api(server, keys["ann"]) as api:
        assert eventually(lambda: "[Models] Not reached: ollama" in server.stderr)
        assert_away(api)
        for _ in range(2):
            with ScriptedOllama().running(port):
                assert eventually(lambda: api.get("/ready").status_code == 200)
                assert api.chat(model="agentic").json()["choices"][0]["message"]["content"] == "You said: hello"
            assert eventually(lambda: api.get("/ready").status_code == 503)
            assert_away(api)
        assert "access-control-allow-origin" not in api.get("/v1/models", headers=ORIGIN).headers


def assert_away(api: Api) -> None:
    for stream in (False, True):
        answer = api.chat(stream=stream)
        assert answer.status_code == 503
        error = error_of(answer.json())
        assert error["code"] == "model_unavailable"
        assert "ollama serve" in error["message"]
        assert api.run_of(answer)[-1]["type"] == "run_failed"
        assert api.conversation(answer.headers["x-session-id"])[0]["content"] == "hello"
    ready = api.get("/ready")
    assert ready.status_code == 503
    assert "ollama serve" in ready.json()["models"]["ollama"]["cause"]


def test_server_that_cannot_start_is_told_with_what_it_wrote(own: dict[str, str], data: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"exit code 1:\n(.*\n)*error: STORAGE"),
        running_server({**own, "STORAGE": "nowhere"}, data_dir=data),
    ):
        pytest.fail("it started")


def test_plugin_left_out_is_offered_nowhere(own: dict[str, str], data: Path, keys: dict[str, str]) -> None:
    ollama = ScriptedOllama()
    with ollama.running() as url:
        env = {**own, "OLLAMA_HOST": url, "AGENTIC_DISABLE": "lookup,react"}
        with running_server(env, data_dir=data) as server, Api(server, keys["ann"]) as api:
            ids = [model["id"] for model in api.get("/v1/models").json()["data"]]
            assert "agentic/chat" in ids
            assert "agentic/react" not in ids
            assert error_of(api.chat(model="agentic/react").json())["code"] == "model_not_found"
            ollama.script(calls(("lookup", {"what": "tower"})))
            api.chat(model="agentic")
            assert "lookup" not in str(ollama.chats[-1].get("tools", ""))


def test_what_commands_change_holds_at_the_next_request(own: dict[str, str], data: Path, keys: dict[str, str]) -> None:
    with (
        running_server(own, data_dir=data) as server,
        Api(server, keys["ann"]) as ann,
        Api(server, keys["bob"]) as bob,
    ):
        assert (me(ann), me(bob)) == (200, 200)
        assert server.run("users", "disable", "bob").returncode == 0
        assert (me(ann), me(bob)) == (200, 401)
        (key,) = json.loads(server.run("keys", "list", "ann", "--json").stdout)
        assert server.run("keys", "revoke", "ann", key["id"]).returncode == 0
        assert me(ann) == 401


def me(api: Api) -> int:
    return api.get("/api/auth/me").status_code


def test_openapi_document_refers_to_nothing_that_is_not_in_it(ann: Api) -> None:
    schema = ann.get("/openapi.json").json()

    def references(value: Any) -> Iterator[str]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            if key == "$ref":
                yield item
            yield from references(item)

    for reference in set(references(schema)):
        place = schema
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]
    body = schema["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["messages"]["items"]["properties"]["role"]
