"""Who comes in: settings, claims, and a real provider from the first redirect to the token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import ValidationError

from agentic import Forbidden, LoginUnavailable, NotConfigured, Outsider
from agentic.testing.login import REDIRECT
from agentic_auth_oidc import agentic_logins
from agentic_auth_oidc.claims import is_accepted, may_join, wished_name
from agentic_auth_oidc.settings import Settings

from .conftest import Make, SignIn

MAIL = {"email": "anna@example.org", "email_verified": True}


async def outsider(login: Any, sign_in: SignIn, person: str) -> Outsider:
    started = await login.start(REDIRECT)
    found: Outsider = await login.finish(started.kept, await sign_in(started.url, person), REDIRECT)
    return found


@pytest.mark.parametrize(
    "issuer", ["http://login.example.org", "login.example.org", "https://", "https://x.org/?a=b", "ftp://x.org"]
)
def test_an_issuer_that_others_could_answer_for_is_refused(issuer: str) -> None:
    with pytest.raises(ValidationError):
        Settings(oidc_issuer=issuer)


@pytest.mark.parametrize("given", [{}, {"oidc_issuer": "https://x.org"}, {"oidc_client_id": "agentic"}])
def test_without_a_provider_the_login_is_listed_with_how_to_set_it(given: dict[str, str]) -> None:
    found = agentic_logins(Settings.model_validate(given))
    assert isinstance(found, NotConfigured)
    assert "OIDC_ISSUER" in found.fix


@pytest.mark.parametrize(
    ("claims", "accepted", "expected"),
    [
        ({}, ["staff"], False),
        ({"groups": "staff"}, ["staff"], True),
        ({"groups": ["guests", "staff"]}, ["staff"], True),
        ({"groups": "staff-and-more"}, ["staff"], False),
        ({"groups": {"staff": True}}, ["staff"], False),
        ({"groups": None}, ["None"], False),
        ({"groups": True}, [True], True),
        ({"groups": 1}, [True], False),
        ({"groups": "true"}, [True], False),
        ({"groups": ["staff"]}, [], False),
    ],
)
def test_a_claim_is_accepted_by_equal_values_alone(
    claims: Mapping[str, Any], accepted: list[Any], expected: bool
) -> None:
    assert is_accepted(claims, "groups", accepted) is expected


def test_a_claim_may_be_a_path_or_a_name_with_dots() -> None:
    assert is_accepted({"realm_access": {"roles": ["boss"]}}, "realm_access.roles", ["boss"])
    assert is_accepted({"https://x.org/roles": "boss"}, "https://x.org/roles", ["boss"])
    assert not is_accepted({"realm_access": "roles"}, "realm_access.roles", ["boss"])


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (MAIL, True),
        ({**MAIL, "email": "anna@EXAMPLE.org"}, True),
        ({**MAIL, "email_verified": False}, False),
        ({**MAIL, "email_verified": "true"}, False),
        ({"email": "anna@example.org"}, False),
        ({**MAIL, "email": "anna@example.org.evil.example"}, False),
        ({**MAIL, "email": "anna@evil-example.org"}, False),
        ({**MAIL, "email": "anna@sub.example.org"}, False),
        ({**MAIL, "email": ["anna@example.org"]}, False),
        ({}, False),
    ],
)
def test_only_verified_mail_of_an_allowed_domain_lets_a_person_join(claims: Mapping[str, Any], expected: bool) -> None:
    assert may_join(claims, ["example.org"]) is expected
    assert may_join(claims, [])


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"preferred_username": "anna"}, "anna"),
        ({"preferred_username": " ", **MAIL}, "anna"),
        ({"preferred_username": ["anna"]}, ""),
        ({}, ""),
    ],
)
def test_the_name_is_a_claim_or_the_beginning_of_the_mail(claims: Mapping[str, Any], expected: str) -> None:
    assert wished_name(claims, "preferred_username") == expected


async def test_claims_that_the_provider_tells_when_asked_count(make: Make, sign_in: SignIn) -> None:
    login = make(
        oidc_scopes="openid email profile groups",
        oidc_auto_create=True,
        oidc_allowed_domains=["example.org"],
        oidc_required_claims={"groups": "staff"},
        oidc_admin_claims={"groups": ["agentic-admins"]},
    )
    anna = await outsider(login, sign_in, "anna")
    assert (anna.subject, anna.name, anna.role, anna.may_join) == ("anna", "anna", "admin", True)
    ben = await outsider(login, sign_in, "ben")
    assert (ben.role, ben.may_join) == ("user", True)
    mallory = await outsider(login, sign_in, "mallory")
    assert not mallory.may_join


async def test_a_person_without_a_required_claim_is_turned_away(make: Make, sign_in: SignIn) -> None:
    with pytest.raises(Forbidden, match="groups"):
        await outsider(make(oidc_required_claims={"groups": "bosses"}), sign_in, "anna")


async def test_unless_told_otherwise_nobody_joins_and_roles_are_given_here(make: Make, sign_in: SignIn) -> None:
    anna = await outsider(make(), sign_in, "anna")
    assert (anna.role, anna.may_join) == (None, False)


@pytest.mark.parametrize(
    ("client", "secret"), [("posting", "another secret"), ("public", None)], ids=["secret in the form", "no secret"]
)
async def test_other_kinds_of_clients_sign_in_as_well(make: Make, sign_in: SignIn, client: str, secret: Any) -> None:
    login = make(oidc_client_id=client, oidc_client_secret=secret)
    if client == "posting":
        provider = await login._opened()
        offered = {**await provider.metadata(), "token_endpoint_auth_methods_supported": ["client_secret_post"]}
        provider._metadata = offered
    assert (await outsider(login, sign_in, "anna")).subject == "anna"


async def test_a_wrong_secret_is_the_servers_fault_and_said_to_be(make: Make, sign_in: SignIn) -> None:
    with pytest.raises(LoginUnavailable, match="OIDC_CLIENT_ID"):
        await outsider(make(oidc_client_secret="wrong"), sign_in, "anna")


async def test_a_verifier_of_somebody_else_is_refused_by_the_provider(make: Make, sign_in: SignIn) -> None:
    login = make()
    mine, stolen = await login.start(REDIRECT), await login.start(REDIRECT)
    answer = await sign_in(stolen.url, "anna")
    mixed = {**stolen.kept, "verifier": mine.kept["verifier"]}
    from agentic import Unauthorized

    with pytest.raises(Unauthorized):
        await login.finish(mixed, answer, REDIRECT)
    assert httpx.URL(stolen.url).params["code_challenge"]
    assert dict(parse_qsl(urlsplit(stolen.url).query))["code_challenge_method"] == "S256"
