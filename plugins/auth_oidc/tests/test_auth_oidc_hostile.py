"""A provider that lies, fails or is impersonated lets nobody in, and the reason is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from agentic import LoginUnavailable, Outsider, Unauthorized
from agentic.testing.login import REDIRECT
from agentic_auth_oidc.login import OidcLogin
from agentic_auth_oidc.settings import Settings

from .hostile import CLIENT, SECRET, Hostile, by_hand, hostile_provider


@pytest.fixture(scope="module")
def running() -> Iterator[Hostile]:
    with hostile_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Hostile) -> Hostile:
    """The provider, honest until a test says otherwise."""
    running.answers, running.claims, running.headers, running.asked = {}, {}, {}, []
    running.algorithms, running.signed_with, running.forged = ["RS256", "HS256", "none"], None, None
    return running


def login_at(provider: Hostile, **settings: Any) -> OidcLogin:
    given = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    return OidcLogin(Settings.model_validate({**given, **settings}))


async def come_back(login: OidcLogin, provider: Hostile, **answer: str) -> Outsider:
    started = await login.start(REDIRECT)
    asked = parse_qs(urlsplit(started.url).query)
    provider.nonce = asked["nonce"][0]
    return await login.finish(started.kept, {"state": asked["state"][0], "code": "c", **answer}, REDIRECT)


async def test_an_honest_answer_is_believed_and_what_was_sent_proves_that_it_is_ours(provider: Hostile) -> None:
    login = login_at(provider)
    started = await login.start(REDIRECT)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(started.url).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] != started.kept["verifier"]
    assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", CLIENT, REDIRECT)
    assert asked["scope"].split() == ["openid", "email", "profile"]
    provider.nonce = asked["nonce"]
    found = await login.finish(started.kept, {"state": asked["state"], "code": "c"}, REDIRECT)
    assert (found.issuer, found.subject) == (provider.issuer, "anna")
    [form] = [form for path, form, _ in provider.asked if path == "/token"]
    assert form["code_verifier"] == [started.kept["verifier"]]
    assert form["redirect_uri"] == [REDIRECT]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": "another client", "azp": CLIENT},
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"aud": [CLIENT, "another client"]},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"at_hash": "of another access token"},
    ],
    ids=str,
)
async def test_a_token_that_is_not_fresh_ours_and_for_this_login_lets_nobody_in(
    provider: Hostile, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    with pytest.raises(Unauthorized):
        await come_back(login_at(provider), provider)


def _stolen(provider: Hostile) -> None:
    provider.signed_with = RSAKey.generate_key(2048, {"kid": "one"})


def _forge(provider: Hostile, header: dict[str, Any], secret: bytes = b"") -> None:
    # What is forged is right in all but its signature: the token is made when the nonce is known.
    provider.forged = lambda claims: by_hand(header, claims, secret)


def _unsigned(provider: Hostile) -> None:
    _forge(provider, {"alg": "none"})


def _public_key_as_secret(provider: Hostile) -> None:
    _forge(provider, {"alg": "HS256", "kid": "one"}, provider.key.as_pem(private=False))


def _clients_secret_as_key(provider: Hostile) -> None:
    _forge(provider, {"alg": "HS256"}, SECRET.encode())


def _not_a_token(provider: Hostile) -> None:
    provider.answers["/token"] = {"access_token": "at", "token_type": "Bearer", "id_token": "a.b.c"}


def _somebody_else(provider: Hostile) -> None:
    provider.answers["/userinfo"] = {"sub": "ben"}


def _refused(provider: Hostile) -> None:
    provider.answers["/token"] = (400, {"error": "invalid_grant", "error_description": "no"})


@pytest.mark.parametrize(
    "lie", [_stolen, _unsigned, _public_key_as_secret, _clients_secret_as_key, _not_a_token, _somebody_else, _refused]
)
async def test_forged_and_refused_answers_let_nobody_in(provider: Hostile, lie: Callable[[Hostile], None]) -> None:
    lie(provider)
    with pytest.raises(Unauthorized):
        await come_back(login_at(provider), provider)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/.well-known/openid-configuration", 500),
        ("/.well-known/openid-configuration", 302),
        ("/.well-known/openid-configuration", b"<html>"),
        ("/.well-known/openid-configuration", []),
        ("/.well-known/openid-configuration", {"issuer": "https://evil.example"}),
        ("/.well-known/openid-configuration", {}),
        ("/jwks", 404),
        ("/jwks", b"\xff"),
        ("/jwks", {"keys": [{"kty": "RSA"}]}),
        ("/jwks", {"keys": 7}),
        ("/token", 500),
        ("/token", b"<html>"),
        ("/token", []),
        ("/token", {"access_token": "at", "token_type": "Bearer"}),
        ("/token", (401, {"error": "invalid_client"})),
        ("/userinfo", 500),
        ("/userinfo", b"<html>"),
    ],
)
async def test_a_provider_that_does_not_work_is_said_not_to(provider: Hostile, path: str, told: Any) -> None:
    provider.answers[path] = told
    with pytest.raises(LoginUnavailable) as refused:
        await come_back(login_at(provider), provider)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize("address", ["file:///etc/passwd", "javascript:alert(1)", 7, ""])
async def test_addresses_that_are_none_are_not_used(provider: Hostile, name: str, address: Any) -> None:
    provider.answers["/.well-known/openid-configuration"] = {**provider.metadata(), name: address}
    with pytest.raises(LoginUnavailable):
        await login_at(provider).start(REDIRECT)


@pytest.mark.parametrize(
    "answer",
    [{"state": "another"}, {"state": ""}, {"code": ""}, {"error": "access_denied"}, {"iss": "https://evil.example"}],
    ids=str,
)
async def test_a_browser_that_comes_back_otherwise_is_refused_before_any_code_is_sent(
    provider: Hostile, answer: Mapping[str, str]
) -> None:
    with pytest.raises(Unauthorized):
        await come_back(login_at(provider), provider, **answer)
    assert [path for path, _, _ in provider.asked if path == "/token"] == []


async def test_where_the_provider_says_that_it_names_itself_an_answer_without_its_name_is_refused(
    provider: Hostile,
) -> None:
    told = {**provider.metadata(), "authorization_response_iss_parameter_supported": True}
    provider.answers["/.well-known/openid-configuration"] = told
    login = login_at(provider)
    with pytest.raises(Unauthorized):
        await come_back(login, provider)
    assert (await come_back(login, provider, iss=provider.issuer)).subject == "anna"


async def test_new_keys_of_the_provider_are_learnt_when_one_is_first_used(provider: Hostile) -> None:
    login = login_at(provider)
    await come_back(login, provider)
    old, provider.key = provider.key, RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
    provider.headers = {"kid": "two"}
    assert (await come_back(login, provider)).subject == "anna"
    provider.key = old


async def test_nothing_that_is_secret_is_logged(provider: Hostile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "agentic_auth_oidc")
    provider.answers["/token"] = (400, {"error": "invalid_grant", "error_description": "the-description"})
    with pytest.raises(Unauthorized):
        await come_back(login_at(provider), provider)
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("agentic"))
    assert "invalid_grant" in ours
    for secret in (SECRET, provider.nonce, "the-description"):
        assert secret not in ours
