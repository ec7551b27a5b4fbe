"""Users on a real server: made, limited, exported and deleted; and one who comes from an OpenID provider."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from agentic.testing.ollama import says
from agentic.testing.server import Server, own_environment, running_server
from tests.http_fixtures import Api, SharedOllama, error_of

MARKER = "the-marker-of-cora"
PASSWORD = "correct horse battery"
PROVIDER = Path(__file__).parents[1] / "plugins/auth_oidc/tests/hostile.py"


def provider_module() -> ModuleType:
    """The provider of the login plugin's own tests, which is honest unless it is told to lie."""
    spec = importlib.util.spec_from_file_location("oidc_provider_for_tests", PROVIDER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def provider() -> Iterator[Any]:
    with provider_module().hostile_provider() as running:
        yield running


@pytest.fixture
def own_server(
    shared_ollama: tuple[SharedOllama, str], ollama: SharedOllama, data: Path, provider: Any
) -> Iterator[Server]:
    """A server of this test's own."""
    settings = {
        "OLLAMA_HOST": shared_ollama[1],
        "OLLAMA_MODEL": "qwen3:8b",
        "LIMIT_RUNS_AT_ONCE": "2",
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": "agentic",
        "OIDC_AUTO_CREATE": "true",
        "OIDC_ADMIN_CLAIMS": json.dumps({"groups": "bosses"}),
    }
    with running_server(own_environment(settings, data_dir=data), data_dir=data) as server:
        yield server


def test_a_user_lives_is_exported_and_is_deleted_in_mid_answer(
    own_server: Server, keys: dict[str, str], ollama: SharedOllama, tmp_path: Path
) -> None:
    with Api(own_server, keys["ann"]) as ann:
        made = ann.post("/api/admin/users", json={"username": "cora", "password": PASSWORD})
        assert made.status_code == 201, made.text
        assert made.json()["limits"]["runs_at_once"] == 2
        login = ann.post("/api/auth/login", json={"username": "cora", "password": PASSWORD}).json()
        with Api(own_server, login["access_token"]) as cora:
            session_id = cora.chat(MARKER).headers["x-session-id"]
            done = own_server.run("users", "export", "cora", "--to", str(tmp_path / "cora.zip"))
            assert done.returncode == 0, done.stderr
            with zipfile.ZipFile(tmp_path / "cora.zip") as archive:
                kept = json.loads(archive.read(f"conversations/{session_id}.json"))
            assert kept["messages"][0]["content"] == MARKER
            ollama.script(says("word " * 1000, delay_s=0.05))
            with cora.stream("POST", "/v1/chat/completions", json=streamed(MARKER)) as answer:
                lines = answer.iter_lines()
                assert answer.status_code == 200, answer.read()
                next(lines)
                receipt = ann.delete("/api/admin/users/cora")
                assert receipt.status_code == 200, receipt.text
                assert receipt.json()["records"] >= 4
                rest = [line for line in lines if line]
            assert error_of(json.loads(rest[-2].removeprefix("data: ")))["code"] == "cancelled"
            assert rest[-1] == "data: [DONE]"
            assert cora.get("/api/auth/me").status_code == 401
        assert ann.post("/api/auth/login", json={"username": "cora", "password": PASSWORD}).status_code == 401
        assert [user["username"] for user in ann.get("/api/admin/users").json()["users"]] == ["ann", "bob"]
        assert ann.get(f"/api/conversations/{session_id}").status_code == 404
    assert "cora" not in own_server.stderr
    assert MARKER not in own_server.stderr


def streamed(text: str) -> dict[str, Any]:
    return {"model": "agentic/chat", "stream": True, "messages": [{"role": "user", "content": text}]}


def test_a_person_comes_in_from_an_openid_provider(own_server: Server, provider: Any) -> None:
    provider.answers["/userinfo"] = {"sub": "anna", "preferred_username": "ann", "groups": ["bosses"]}
    with httpx.Client(base_url=own_server.url, timeout=30) as browser:
        [offered] = browser.get("/api/auth/logins").json()["logins"]
        sent = browser.get(offered["url"])
        assert sent.status_code == 303, sent.text
        asked = dict(parse_qsl(urlsplit(sent.headers["location"]).query))
        provider.nonce = asked["nonce"]
        answer = browser.get(urlsplit(asked["redirect_uri"]).path, params={"state": asked["state"], "code": "c"})
        assert answer.status_code == 200, answer.text
        user = answer.json()["user"]
        # There is an ann here already, who is somebody else.
        assert (user["username"], user["role"]) == ("ann-2", "admin")
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        shown = browser.get("/api/admin/users/ann-2", headers=bearer).json()
        assert shown["links"] == [{"issuer": provider.issuer, "subject": "anna"}]
    assert answer.json()["access_token"] not in own_server.stderr
