"""People who sign in elsewhere, and the passes that their browsers carry meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from agentic.errors import BadRequest, Conflict, Forbidden, LoginUnavailable, Unauthorized
from agentic.identity.identity import Identity
from agentic.identity.passes import Passes
from agentic.ports.login import LoginProvider, LoginStarted, Outsider
from agentic.testing.memory_storage import MemoryStorage

SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery"
ANNA = Outsider(issuer="https://x.org", subject="42", name="anna", may_join=True)


class Campus(LoginProvider):
    """Believes whoever comes."""

    name = "campus"
    title = "Campus"

    def __init__(self, outsider: Outsider | Exception = ANNA) -> None:
        self.outsider = outsider

    async def start(self, redirect_uri: str) -> LoginStarted:
        return LoginStarted("https://x.org/login", {"state": "s"})

    async def finish(self, kept: Mapping[str, str], answer: Mapping[str, str], redirect_uri: str) -> Outsider:
        if isinstance(self.outsider, Exception):
            raise self.outsider
        return self.outsider


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def identity(storage: MemoryStorage) -> Identity:
    return Identity(storage, secret=SECRET, token_hours=1, rounds=4)


async def test_a_user_of_the_same_name_is_not_the_person_who_comes(identity: Identity) -> None:
    here = await identity.users.add("anna", PASSWORD, "admin")
    came = await identity.outsiders.admit(ANNA)
    assert came.id != here.id
    assert (came.name, came.role) == ("anna-2", "user")
    assert await identity.outsiders.admit(replace(ANNA, name="a new name")) == came


async def test_the_same_subject_of_another_issuer_is_somebody_else(identity: Identity) -> None:
    anna = await identity.outsiders.admit(ANNA)
    for other in (replace(ANNA, issuer="https://x.org4", subject="2"), replace(ANNA, issuer="https://y.org")):
        assert (await identity.outsiders.admit(other)).id != anna.id


async def test_a_person_who_is_not_linked_and_may_not_join_is_no_user(identity: Identity) -> None:
    stranger = replace(ANNA, may_join=False)
    with pytest.raises(Forbidden, match="no user of this server"):
        await identity.outsiders.admit(stranger)
    assert await identity.users.list() == []
    here = await identity.users.add("anna", PASSWORD, "user")
    await identity.outsiders.link(here, ANNA.issuer, ANNA.subject)
    assert (await identity.outsiders.admit(stranger)).id == here.id


async def test_a_disabled_user_cannot_come_in_from_elsewhere(identity: Identity) -> None:
    await identity.outsiders.admit(ANNA)
    await identity.users.set_disabled("anna", True)
    with pytest.raises(Forbidden, match="disabled"):
        await identity.outsiders.admit(ANNA)


async def test_one_who_comes_twice_at_once_becomes_one_user(identity: Identity) -> None:
    came = await asyncio.gather(*(identity.outsiders.admit(ANNA) for _ in range(6)))
    assert len({user.id for user in came}) == 1
    assert [user.name for user in await identity.users.list()] == [came[0].name]


async def test_the_providers_role_holds_and_a_change_of_it_ends_tokens(identity: Identity) -> None:
    boss = await identity.outsiders.admit(replace(ANNA, role="admin"))
    assert boss.role == "admin"
    assert (await identity.outsiders.admit(ANNA)).token_version == boss.token_version
    user = await identity.outsiders.admit(replace(ANNA, role="user"))
    assert (user.id, user.role, user.token_version) == (boss.id, "user", boss.token_version + 1)


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("Anna Müller", "anna-muller"),
        ("../../etc", "etc"),
        ("", "user"),
        ("北京", "user"),
        ("x" * 200, "x" * 50),
        ("-.a", "a"),
        ("a\0b\n", "a-b"),
    ],
)
async def test_any_wish_for_a_name_becomes_one(identity: Identity, wish: str, name: str) -> None:
    assert (await identity.outsiders.admit(replace(ANNA, name=wish))).name == name


async def test_a_person_is_linked_to_one_user_until_that_is_deleted(identity: Identity) -> None:
    anna = await identity.users.add("anna", PASSWORD, "user")
    ben = await identity.users.add("ben", PASSWORD, "user")
    await identity.outsiders.link(anna, "https://x.org", "42")
    with pytest.raises(Conflict):
        await identity.outsiders.link(ben, "https://x.org", "42")
    assert await identity.outsiders.links(ben.id) == []
    await identity.users.remove(anna)
    await identity.outsiders.link(ben, "https://x.org", "42")
    assert (await identity.outsiders.admit(ANNA)).id == ben.id


@pytest.mark.parametrize(("issuer", "subject"), [("", "1"), ("x", ""), ("x" * 1001, "1"), ("x", "1" * 1001)])
async def test_a_link_needs_both_parts(identity: Identity, issuer: str, subject: str) -> None:
    anna = await identity.users.add("anna", PASSWORD, "user")
    with pytest.raises(BadRequest):
        await identity.outsiders.link(anna, issuer, subject)


async def test_one_who_signs_in_elsewhere_has_no_password_here(identity: Identity) -> None:
    anna = await identity.outsiders.admit(ANNA)
    with pytest.raises(Unauthorized):
        await identity.login("anna", "", "10.0.0.1")
    token = (await identity._signed_in(anna)).access_token
    with pytest.raises(Conflict, match="elsewhere"):
        await identity.change_password(await identity.authenticate(token), "", PASSWORD, "10.0.0.1")


async def test_a_login_elsewhere_gives_a_token_once(identity: Identity) -> None:
    given = identity.passes.give("campus", {"state": "s"}, "")
    done = await identity.login_elsewhere(Campus(), given, {}, "back")
    assert (await identity.authenticate(done.access_token)).name == "anna"
    with pytest.raises(Unauthorized, match="used already"):
        await identity.login_elsewhere(Campus(), given, {}, "back")


async def test_a_pass_is_good_once_at_all_servers_together(identity: Identity, storage: MemoryStorage) -> None:
    servers = [Identity(storage, secret=SECRET, token_hours=1, rounds=4) for _ in range(4)]
    given = identity.passes.give("campus", {}, "")
    results = await asyncio.gather(
        *(server.login_elsewhere(Campus(), given, {}, "back") for server in servers), return_exceptions=True
    )
    assert sum(isinstance(result, Unauthorized) for result in results) == 3


async def test_a_login_that_fails_for_want_of_the_provider_may_be_tried_again(identity: Identity) -> None:
    given = identity.passes.give("campus", {}, "")
    with pytest.raises(LoginUnavailable):
        await identity.login_elsewhere(Campus(LoginUnavailable("away")), given, {}, "back")
    assert await identity.login_elsewhere(Campus(), given, {}, "back")


async def test_no_token_is_a_pass_and_no_pass_a_token(identity: Identity) -> None:
    await identity.users.add("anna", PASSWORD, "admin")
    token = (await identity.login("anna", PASSWORD, "x")).access_token
    given = identity.passes.give("campus", {"sub": "x", "ver": "1"}, "")
    with pytest.raises(Unauthorized):
        identity.passes.read("campus", token)
    with pytest.raises(Unauthorized):
        await identity.authenticate(given)


async def test_passes_that_are_not_ours_of_another_provider_or_too_old_are_refused(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = Passes(storage, SECRET)
    given = passes.give("campus", {"state": "s"}, "/page")
    assert passes.read("campus", given).kept == {"state": "s"}
    other = Passes(storage, SECRET[::-1]).give("campus", {}, "")
    for wrong in ("", "x", given[:-1], given + "x", other, "x" * 10_000, "é.é.é"):
        with pytest.raises(Unauthorized):
            passes.read("campus", wrong)
    with pytest.raises(Unauthorized):
        passes.read("office", given)
    monkeypatch.setattr("agentic.identity.passes.LIFETIME_S", -1)
    with pytest.raises(Unauthorized):
        passes.read("campus", passes.give("campus", {}, ""))


async def test_used_passes_are_forgotten_once_they_have_expired(storage: MemoryStorage) -> None:
    passes = Passes(storage, SECRET)
    old = passes.read("campus", passes.give("campus", {}, ""))
    await passes.take(replace(old, id="old", expires_at=0))
    await passes.take(old)
    assert [stored.key for stored in await storage.list("used_passes/")] == [f"used_passes/{old.id}"]


@pytest.mark.parametrize("subject", ["", "x" * 1001, "4\ud800", "4\n2"])
async def test_a_person_whom_no_user_can_be_linked_to_leaves_no_user_behind(identity: Identity, subject: str) -> None:
    with pytest.raises(BadRequest, match="subject"):
        await identity.outsiders.admit(replace(ANNA, subject=subject))
    assert await identity.users.list() == []
    user = await identity.users.add("anna", PASSWORD, "user")
    with pytest.raises(BadRequest, match="subject"):
        await identity.outsiders.link(user, ANNA.issuer, subject)
    assert await identity.outsiders.links(user.id) == []
