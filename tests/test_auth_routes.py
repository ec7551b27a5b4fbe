"""Signing in over HTTP."""

from types import SimpleNamespace

import httpx
import pytest

from agentic.identity.identity import Identity
from agentic.server.app import create_app
from agentic.testing.storage import MemoryStorage

PASSWORD = "correct horse battery"


@pytest.fixture
async def identity():
    identity = Identity(MemoryStorage(), secret="0123456789abcdef0123456789abcdef", token_hours=2, rounds=4)
    await identity.users.add("anna", PASSWORD, "admin")
    return identity


@pytest.fixture
async def client(identity):
    app = create_app(SimpleNamespace(identity=identity, settings=SimpleNamespace(max_body_mb=1, cors_origins=[])))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def _login(client, username="anna", password=PASSWORD):
    return await client.post("/api/auth/login", json={"username": username, "password": password})


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"password": PASSWORD}, "username"),
        ({"username": [], "password": PASSWORD}, "username"),
        ({"username": "anna", "password": [PASSWORD]}, "password"),
        ({"username": "anna", "password": {"it is": PASSWORD}}, "password"),
        ([PASSWORD], None),
        (PASSWORD, None),
    ],
)
async def test_a_body_of_the_wrong_shape_is_refused_without_echoing_the_password(client, caplog, body, param):
    caplog.set_level("DEBUG")
    answer = await client.post("/api/auth/login", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
    assert PASSWORD not in answer.text + caplog.text


async def test_a_body_that_is_no_json_is_refused_without_echoing_it(client):
    answer = await client.post(
        "/api/auth/login", content='{"password": "' + PASSWORD, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


async def test_wrong_password_and_unknown_user_get_the_same_401(client):
    answers = [await _login(client, "anna", "wrong"), await _login(client, "nobody", "wrong")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].text == answers[1].text
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


async def test_repeated_failures_are_a_429_with_retry_after(client):
    for _ in range(5):
        assert (await _login(client, "anna", "wrong")).status_code == 401
    answer = await _login(client)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_me_needs_a_token(client):
    assert (await client.get("/api/auth/me")).status_code == 401


async def test_a_login_gives_a_token_that_says_who_one_is(client, identity):
    answer = await _login(client)
    assert answer.status_code == 200
    anna = await identity.users.find("anna")
    shown = {"id": anna.id, "username": "anna", "role": "admin"}
    body = answer.json()
    token = body.pop("access_token")
    assert body == {"token_type": "bearer", "expires_in": 7200, "user": shown}
    me = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert (me.status_code, me.json()) == (200, shown)


async def test_an_api_key_says_who_one_is(client, identity):
    key = await identity.keys.create((await identity.users.find("anna")).id, "laptop")
    me = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {key}"})
    assert me.json()["username"] == "anna"
