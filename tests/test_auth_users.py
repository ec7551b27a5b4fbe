"""Users over HTTP: what administrators do with them, what users do for themselves, and what ends at once."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from agentic.errors import Conflict
from agentic.identity.identity import Identity
from agentic.identity.users import User
from agentic.ports.space import UNLIMITED, Allowance
from tests.http_fixtures import error_of
from tests.served_users import PASSWORD, SECRET, Served, chat

NEW = {"username": "cora", "password": PASSWORD}
ADMIN_ROUTES = [
    ("GET", "/api/admin/users", None),
    ("POST", "/api/admin/users", NEW),
    ("GET", "/api/admin/users/ben", None),
    ("PATCH", "/api/admin/users/ben", {"disabled": True}),
    ("PUT", "/api/admin/users/ben/password", {"password": PASSWORD}),
    ("DELETE", "/api/admin/users/ben", None),
    ("POST", "/api/admin/users/ben/links", {"issuer": "https://x.org", "subject": "1"}),
    ("GET", "/api/admin/users/ben/keys", None),
    ("DELETE", "/api/admin/users/ben/keys/agk_12345678", None),
]


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Served:
    """The application; its parameter, where a test gives one, is what users may use."""
    return Served(defaults=getattr(request, "param", UNLIMITED))


@pytest.fixture
async def anna(served: Served) -> Any:
    async with await served.add("anna", "admin") as api:
        yield api


@pytest.fixture
async def ben(served: Served) -> Any:
    async with await served.add("ben") as api:
        yield api


def code(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    found: str = error_of(answer.json())["code"]
    return found


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_ROUTES)
async def test_users_are_managed_by_administrators_alone(
    served: Served, ben: Any, method: str, path: str, body: Any
) -> None:
    for other in (path, path.replace("ben", "nobody")):
        assert code(await ben.request(method, other, json=body), 403) == "forbidden"
    assert code(await served.api().request(method, path, json=body), 401) == "invalid_api_key"
    assert [user.name for user in await served.identity.users.list()] == ["ben"]


async def test_the_list_of_admin_routes_is_whole(served: Served) -> None:
    described = (await served.api().get("/openapi.json")).json()
    found = {
        (method.upper(), path.replace("{username}", "ben").replace("{key_id}", "agk_12345678"))
        for path, methods in described["paths"].items()
        for method in methods
        if path.startswith("/api/admin")
    }
    assert found == {(method, path) for method, path, _ in ADMIN_ROUTES}


@pytest.mark.parametrize(("method", "path", "body"), [route for route in ADMIN_ROUTES if "/ben" in route[1]])
async def test_an_unknown_user_is_a_404(anna: Any, method: str, path: str, body: Any) -> None:
    assert code(await anna.request(method, path.replace("ben", "nobody"), json=body), 404) == "not_found"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**NEW, "username": "anna"}, 409),
        ({**NEW, "username": "Cora"}, 400),
        ({**NEW, "password": "1234567"}, 400),
        ({**NEW, "role": "root"}, 422),
        ({**NEW, "is_admin": True}, 422),
        ({"username": "cora"}, 422),
    ],
)
async def test_a_user_who_cannot_be_made_is_not(anna: Any, body: dict[str, Any], status: int) -> None:
    answer = await anna.post("/api/admin/users", json=body)
    code(answer, status)
    assert PASSWORD not in answer.text
    assert [user["username"] for user in (await anna.get("/api/admin/users")).json()["users"]] == ["anna"]


async def test_a_user_is_made_shown_and_can_sign_in(served: Served, anna: Any) -> None:
    made = await anna.post("/api/admin/users", json={**NEW, "role": "admin"})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "username", "role", "disabled", "created_at", "limits", "own_limits"}
    shown = (await anna.get("/api/admin/users/cora")).json()
    assert shown.items() >= made.json().items()
    assert (shown["tokens_today"], shown["stored_bytes"], shown["links"]) == (0, 0, [])
    assert (await served.api().post("/api/auth/login", json=NEW)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        ("PATCH", "/api/admin/users/ben", {"disabled": True}),
        ("PATCH", "/api/admin/users/ben", {"role": "admin"}),
        ("PUT", "/api/admin/users/ben/password", {"password": "another password"}),
        ("DELETE", "/api/admin/users/ben", None),
    ],
)
async def test_what_ends_tokens_ends_them_at_once(anna: Any, ben: Any, change: tuple[str, str, Any]) -> None:
    method, path, body = change
    assert (await ben.get("/api/auth/me")).status_code == 200
    assert (await anna.request(method, path, json=body)).status_code == 200
    assert (await ben.get("/api/auth/me")).status_code == 401


async def test_disabling_ends_runs_and_keys_and_enabling_brings_back_keys_alone(
    served: Served, anna: Any, ben: Any
) -> None:
    key = (await ben.post("/api/keys", json={"name": "laptop"})).json()["key"]
    waiting = asyncio.create_task(ben.post("/v1/chat/completions", json=chat("wait for it")))
    await served.begun.wait()
    assert (await anna.patch("/api/admin/users/ben", json={"disabled": True})).json()["disabled"]
    assert code(await waiting, 503) == "cancelled"
    async with served.api(key) as by_key:
        assert (await by_key.get("/api/auth/me")).status_code == 401
        await anna.patch("/api/admin/users/ben", json={"disabled": False})
        assert (await by_key.get("/api/auth/me")).status_code == 200
    assert (await ben.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"disabled": True}), ("PATCH", {"role": "user"}), ("DELETE", None)]
)
async def test_the_only_administrator_stays(served: Served, anna: Any, method: str, body: Any) -> None:
    await served.add("ben", "admin")
    await served.identity.users.set_disabled("ben", True)
    assert code(await anna.request(method, "/api/admin/users/anna", json=body), 409) == "conflict"
    assert (await anna.get("/api/admin/users")).status_code == 200
    await served.identity.users.set_disabled("ben", False)
    assert (await anna.request(method, "/api/admin/users/anna", json=body)).status_code == 200


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"disabled": True}), ("PATCH", {"role": "user"}), ("DELETE", None)]
)
async def test_administrators_who_remove_each_other_at_once_leave_one(
    served: Served, anna: Any, method: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_look, look, looks = asyncio.Barrier(2), served.identity.users.list, itertools.count(1)

    async def looking() -> list[User]:
        found = await look()
        if next(looks) <= 2:
            await both_look.wait()
        return found

    monkeypatch.setattr(served.identity.users, "list", looking)
    async with await served.add("ben", "admin") as ben:
        answers = await asyncio.gather(
            anna.request(method, "/api/admin/users/ben", json=body),
            ben.request(method, "/api/admin/users/anna", json=body),
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await served.identity.sole_admin() is not None


async def test_administrators_who_remove_each_other_at_two_servers_leave_one(served: Served, anna: Any) -> None:
    await served.add("ben", "admin")
    elsewhere = Identity(served.storage, secret=SECRET, token_hours=1, rounds=4)
    both_looked = asyncio.Barrier(2)

    async def remove(identity: Identity, name: str) -> Any:
        await both_looked.wait()
        return await identity.users.set_disabled(name, True)

    ends = await asyncio.gather(
        served.identity.sparing_an_admin("ben", lambda: remove(served.identity, "ben")),
        elsewhere.sparing_an_admin("anna", lambda: remove(elsewhere, "anna")),
        return_exceptions=True,
    )
    assert Conflict in map(type, ends)
    assert any(user.role == "admin" and not user.disabled for user in await served.identity.users.list())


async def test_a_refused_change_of_a_user_changes_nothing(anna: Any) -> None:
    change = {"limits": {"runs_at_once": 3}, "role": "user", "disabled": True}
    assert code(await anna.patch("/api/admin/users/anna", json=change), 409) == "conflict"
    shown = (await anna.get("/api/admin/users/anna")).json()
    assert (shown["own_limits"], shown["role"], shown["disabled"]) == ([], "admin", False)


@pytest.mark.parametrize("served", [Allowance(runs_at_once=3)], indirect=True)
async def test_limits_are_given_lifted_and_taken_back_one_by_one(anna: Any, ben: Any) -> None:
    async def give(**limits: Any) -> tuple[dict[str, Any], list[str]]:
        shown = (await anna.patch("/api/admin/users/ben", json={"limits": limits})).json()
        return {name: most for name, most in shown["limits"].items() if most}, shown["own_limits"]

    assert await give(tokens_per_day=9) == ({"runs_at_once": 3, "tokens_per_day": 9}, ["tokens_per_day"])
    assert await give(runs_at_once="none") == ({"tokens_per_day": 9}, ["runs_at_once", "tokens_per_day"])
    assert await give(runs_at_once=None, tokens_per_day=None) == ({"runs_at_once": 3}, [])
    for wrong in (0, -1, 1.5, "many", "5", True, 10**30):
        answer = await anna.patch("/api/admin/users/ben", json={"limits": {"runs_at_once": wrong}})
        assert answer.status_code == 422, wrong
        assert error_of(answer.json())["param"] == "limits.runs_at_once"


@pytest.mark.parametrize("wrong", ["yes", "false", 1])
async def test_disabling_is_said_with_true_or_false_alone(anna: Any, ben: Any, wrong: Any) -> None:
    answer = await anna.patch("/api/admin/users/ben", json={"disabled": wrong})
    assert code(answer, 422) == "invalid_request"
    assert (await ben.get("/api/auth/me")).status_code == 200


async def test_a_wrong_current_password_changes_nothing_and_is_slowed_down(served: Served, ben: Any) -> None:
    wrong = {"current_password": "wrong password", "new_password": "another password"}
    for _ in range(5):
        assert code(await ben.post("/api/auth/password", json=wrong), 403) == "forbidden"
    answer = await ben.post("/api/auth/password", json={**wrong, "current_password": PASSWORD})
    assert code(answer, 429) == "rate_limit_exceeded"
    assert int(answer.headers["retry-after"]) >= 1
    assert (await ben.get("/api/auth/me")).status_code == 200


async def test_a_new_password_of_ones_own_ends_every_token_but_the_one_in_the_answer(served: Served, ben: Any) -> None:
    short = {"current_password": PASSWORD, "new_password": "1234567"}
    assert code(await ben.post("/api/auth/password", json=short), 400) == "invalid_request"
    answer = await ben.post("/api/auth/password", json={**short, "new_password": "another password"})
    assert answer.status_code == 200
    assert (await ben.get("/api/auth/me")).status_code == 401
    async with served.api(answer.json()["access_token"]) as again:
        assert (await again.get("/api/auth/me")).json()["username"] == "ben"
    assert (await served.api().post("/api/auth/login", json={**NEW, "username": "ben"})).status_code == 401


@pytest.mark.parametrize("served", [Allowance(requests_per_minute=2)], indirect=True)
async def test_requests_beyond_the_limit_are_a_429_with_retry_after(anna: Any, ben: Any) -> None:
    assert [(await ben.get("/api/auth/me")).status_code for _ in range(2)] == [200, 200]
    answer = await ben.get("/api/auth/me")
    assert code(answer, 429) == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert (await anna.get("/api/auth/me")).status_code == 200


async def test_runs_and_tokens_beyond_the_limit_are_a_429_with_retry_after(served: Served, anna: Any, ben: Any) -> None:
    await anna.patch("/api/admin/users/ben", json={"limits": {"runs_at_once": 1, "tokens_per_day": 50}})
    first = asyncio.create_task(ben.post("/v1/chat/completions", json=chat("wait for it")))
    await served.begun.wait()
    second = await ben.post("/v1/chat/completions", json=chat("hello"))
    assert code(second, 429) == "rate_limit_exceeded"
    assert int(second.headers["retry-after"]) >= 1
    served.release.set()
    assert (await first).status_code == 200
    [principal] = [await served.identity.authenticate(await served.token("ben"))]
    await served.identity.meter.spend(principal, 50)
    third = await ben.post("/v1/chat/completions", json=chat("hello"))
    assert code(third, 429) == "insufficient_quota"
    assert 1 <= int(third.headers["retry-after"]) <= 86_400
    assert (await anna.get("/api/admin/users/ben")).json()["tokens_today"] == 50
    assert (await anna.post("/v1/chat/completions", json=chat("hello"))).status_code == 200
