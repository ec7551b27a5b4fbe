"""The guard in front of /v1 and /api: who passes, and what the others are told."""

import json

import pytest

from agentic.errors import StorageError
from agentic.identity.identity import Identity
from agentic.server.auth import Authentication
from agentic.testing.storage import MemoryStorage

PASSWORD = "correct horse battery"


class Inner:
    """An app that notes what reaches it."""

    def __init__(self):
        self.scopes = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
async def identity(storage):
    identity = Identity(storage, secret="0123456789abcdef0123456789abcdef", token_hours=24, rounds=4)
    await identity.users.add("anna", PASSWORD, "user")
    return identity


@pytest.fixture
async def token(identity):
    return (await identity.login("anna", PASSWORD, "10.0.0.1")).access_token


@pytest.fixture
def inner():
    return Inner()


@pytest.fixture
def ask(identity, inner):
    async def ask(path, *, method="GET", authorization=(), kind="http", **scope):
        sent = []
        if isinstance(authorization, str):
            authorization = (authorization,)

        async def receive():
            raise AssertionError("the body was read")

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", value.encode("latin-1")) for value in authorization]
        scope = {"type": kind, "path": path, "method": method, "headers": headers, **scope}
        await Authentication(inner, lambda: identity)(scope, receive, send)
        return sent

    return ask


def _status(sent):
    return sent[0]["status"]


WEIRD = [
    "/v1",
    "/api",
    "/v1/models",
    "/v1/there/is/no/such/path",
    "//v1/x",
    "///api/x",
    "/v1/../api",
    "/v1/../health",
    "/health/../v1/models",
    "/static/..//v1/models",
    "/./v1/models",
    "/V1/models",
    "/%761/models",
    "/%2e/v1/models",
    "/%2Fv1/models",
    "\\v1\\models",
    "/x\\..\\v1",
    "/api/auth/login/",
    "/api/auth/login/../me",
    "/api/auth//login",
    "/api/auth/me",
]


@pytest.mark.parametrize("path", WEIRD)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_without_a_token_no_spelling_of_a_path_slips_past(ask, inner, path, method):
    sent = await ask(path, method=method)
    assert _status(sent) == 401
    assert inner.scopes == []


async def test_a_refusal_has_the_shape_of_openai_and_names_the_scheme(ask):
    sent = await ask("/v1/models")
    assert dict(sent[0]["headers"])[b"www-authenticate"] == b"Bearer"
    error = json.loads(sent[1]["body"])["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer nonsense", "Bearer agk_nonsense", "Bearer \xff", "bearer a b c"],
)
async def test_a_header_that_is_no_valid_bearer_is_refused(ask, inner, authorization):
    assert _status(await ask("/v1/models", authorization=authorization)) == 401
    assert inner.scopes == []


async def test_two_authorization_headers_are_refused(ask, token):
    assert _status(await ask("/v1/models", authorization=(f"Bearer {token}", f"Bearer {token}"))) == 401


async def test_a_bad_token_is_not_repeated_in_the_answer_or_the_log(ask, caplog):
    caplog.set_level("DEBUG")
    sent = await ask("/v1/models", authorization="Bearer agk_some-secret")
    assert "some-secret" not in str(sent) + caplog.text


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "HEAD"])
async def test_only_a_post_may_reach_the_login(ask, inner, method):
    assert _status(await ask("/api/auth/login", method=method)) == 401
    assert _status(await ask("/api/auth/login", method="POST")) == 200


@pytest.mark.parametrize("path", ["/v1/models", "/agent/v1/models", "/agent/api/auth/me"])
async def test_a_mount_point_of_a_proxy_opens_nothing(ask, inner, path):
    assert _status(await ask(path, root_path="/agent")) == 401
    assert _status(await ask("/agent/api/auth/login", method="POST", root_path="/agent")) == 200


async def test_a_websocket_without_a_token_is_closed_before_it_opens(ask, inner):
    sent = await ask("/v1/realtime", kind="websocket")
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert inner.scopes == []


async def test_a_storage_that_is_away_is_a_503_and_not_a_401(ask, inner, storage, token, monkeypatch):
    async def fail(key):
        raise StorageError("storage cannot be reached")

    monkeypatch.setattr(storage, "load", fail)
    sent = await ask("/v1/models", authorization=f"Bearer {token}")
    assert _status(sent) == 503
    assert json.loads(sent[1]["body"])["error"]["code"] == "storage_unavailable"
    assert _status(await ask("/ready", authorization=f"Bearer {token}")) == 200
    assert inner.scopes[-1]["state"]["principal"] is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_valid_token_lets_its_principal_in(ask, inner, token, scheme):
    assert _status(await ask("/v1/models", authorization=f"{scheme} {token}", state={"kept": 1})) == 200
    state = inner.scopes[0]["state"]
    assert (state["principal"].name, state["kept"]) == ("anna", 1)


async def test_principals_of_two_requests_do_not_share_a_state(ask, inner, token):
    shared = {}
    await ask("/v1/models", authorization=f"Bearer {token}", state=shared)
    assert shared == {}


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/apidocs", "/v10", "/ready"])
async def test_other_paths_need_no_token(ask, inner, path):
    assert _status(await ask(path)) == 200


async def test_ready_knows_who_asks_if_it_can(ask, inner, token):
    await ask("/ready", authorization=f"Bearer {token}")
    await ask("/ready", authorization="Bearer wrong")
    assert [scope["state"]["principal"] and scope["state"]["principal"].name for scope in inner.scopes] == [
        "anna",
        None,
    ]


async def test_the_lifespan_passes(ask, inner):
    await ask("", kind="lifespan")
    assert inner.scopes[0]["type"] == "lifespan"
