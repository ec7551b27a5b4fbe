"""API keys over HTTP: one's own alone, confined, expiring, and with their last use."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from agentic.errors import StorageError
from agentic.identity.keys import ApiKeys
from tests.http_fixtures import error_of
from tests.served_users import Served, chat


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
async def ben(served: Served) -> Any:
    async with await served.add("ben") as api:
        yield api


async def made(api: Any, **body: Any) -> dict[str, Any]:
    answer = await api.post("/api/keys", json={"name": "laptop", **body})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": ""}, 400),
        ({"name": "two\nlines"}, 400),
        ({"name": "x", "scopes": ["everything"]}, 422),
        ({"name": "x", "scopes": ["admin"]}, 400),
        ({"name": "x", "expires_in_days": 0}, 400),
        ({"name": "x", "expires_in_days": -1}, 400),
        ({"name": "x", "expires_in_days": 1e9}, 400),
        ({"name": "x", "user": "anna"}, 422),
    ],
)
async def test_a_key_that_cannot_be_is_not_made(ben: Any, body: dict[str, Any], status: int) -> None:
    answer = await ben.post("/api/keys", json=body)
    assert answer.status_code == status, answer.text
    error_of(answer.json())
    assert (await ben.get("/api/keys")).json() == {"keys": []}


async def test_a_key_is_shown_once_and_listed_by_its_beginning(served: Served, ben: Any) -> None:
    key = await made(ben, scopes=["read", "chat"], expires_in_days=30)
    listed = await ben.get("/api/keys")
    assert key["key"] not in listed.text
    [shown] = listed.json()["keys"]
    assert shown == {name: value for name, value in key.items() if name != "key"}
    assert shown["id"] == key["key"][:12]
    assert shown["scopes"] == ["chat", "read"]
    assert shown["expires_at"] - shown["created_at"] == pytest.approx(30 * 86_400)


async def test_a_key_of_another_user_does_not_exist(served: Served, ben: Any) -> None:
    key = await made(ben)
    async with await served.add("carl") as carl, await served.add("anna", "admin") as anna:
        others = [await api.delete(f"/api/keys/{key['id']}") for api in (carl, anna)]
        unknown = await carl.delete("/api/keys/agk_12345678")
        assert [answer.status_code for answer in (*others, unknown)] == [404] * 3
        assert others[0].json() == unknown.json()
        assert (await anna.delete(f"/api/admin/users/carl/keys/{key['id']}")).status_code == 404
        assert len((await ben.get("/api/keys")).json()["keys"]) == 1
        assert (await anna.get("/api/admin/users/ben/keys")).json()["keys"][0]["id"] == key["id"]
        assert (await anna.delete(f"/api/admin/users/ben/keys/{key['id']}")).status_code == 200
    assert (await ben.get("/api/keys")).json() == {"keys": []}


@pytest.mark.parametrize("part", ["agk_", "agk_1", "%", "x" * 200])
async def test_the_beginning_of_an_id_ends_no_key(ben: Any, part: str) -> None:
    await made(ben)
    assert (await ben.delete(f"/api/keys/{part}")).status_code == 404
    assert len((await ben.get("/api/keys")).json()["keys"]) == 1


async def test_a_revoked_key_is_out_at_once(served: Served, ben: Any) -> None:
    key = await made(ben)
    async with served.api(key["key"]) as by_key:
        assert (await by_key.get("/api/auth/me")).status_code == 200
        assert (await ben.delete(f"/api/keys/{key['id']}")).json()["id"] == key["id"]
        assert (await by_key.get("/api/auth/me")).status_code == 401


async def test_an_expired_key_is_out(served: Served, ben: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await made(ben, expires_in_days=1)
    async with served.api(key["key"]) as by_key:
        assert (await by_key.get("/api/auth/me")).status_code == 200
        later = time.time() + 86_401
        monkeypatch.setattr("agentic.identity.keys.time.time", lambda: later)
        assert (await by_key.get("/api/auth/me")).status_code == 401


async def test_a_confined_key_does_what_it_is_for_and_cannot_make_another(served: Served, ben: Any) -> None:
    looking = await made(ben, scopes=["read"])
    talking = await made(ben, scopes=["chat"])
    async with served.api(looking["key"]) as reader, served.api(talking["key"]) as talker:
        assert (await talker.post("/v1/chat/completions", json=chat("hello"))).status_code == 200
        assert (await reader.get("/api/conversations")).status_code == 200
        for api, method, path in [
            (reader, "POST", "/v1/chat/completions"),
            (talker, "POST", "/api/keys"),
            (talker, "GET", "/api/keys"),
            (reader, "DELETE", f"/api/keys/{talking['id']}"),
            (reader, "POST", "/api/auth/password"),
        ]:
            answer = await api.request(method, path, json={})
            assert answer.status_code == 403, (method, path)
            assert error_of(answer.json())["type"] == "permission_error"


async def test_a_confined_key_of_an_admin_is_told_no_causes_by_the_check_of_readiness(served: Served) -> None:
    async with await served.add("anna", "admin") as anna:
        talking, managing = await made(anna, scopes=["chat", "read"]), await made(anna, scopes=["admin"])
    seen = []
    for key in (talking, managing):
        async with served.api(key["key"]) as by_key:
            [plugin] = (await by_key.get("/ready")).json()["plugins"]
            seen.append("distribution" in plugin)
    assert seen == [False, True]


async def test_an_admins_key_loses_its_reach_with_the_role(served: Served) -> None:
    async with await served.add("anna", "admin") as anna:
        key = await made(anna, scopes=["admin"])
    async with served.api(key["key"]) as by_key:
        assert (await by_key.get("/api/admin/users")).status_code == 200
        await served.identity.users.set_role("anna", "user")
        assert (await by_key.get("/api/admin/users")).status_code == 403


async def test_the_last_use_is_noted_behind_the_answer_and_once_a_minute(
    served: Served, ben: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await made(ben)
    saves: list[str] = []
    save = served.storage.save

    async def counted(place: str, value: Any, **more: Any) -> int:
        saves.append(place)
        return await save(place, value, **more)

    monkeypatch.setattr(served.storage, "save", counted)
    async with served.api(key["key"]) as by_key:
        for _ in range(5):
            await by_key.get("/api/auth/me")
        await served.identity.aclose()
        assert len(saves) == 1
        later = time.time() + 61
        monkeypatch.setattr("agentic.identity.keys.time.time", lambda: later)
        await by_key.get("/api/auth/me")
        await served.identity.aclose()
        assert len(saves) == 2
    [shown] = (await ben.get("/api/keys")).json()["keys"]
    assert shown["last_used_at"] == later


async def test_noting_a_use_brings_no_revoked_key_back_and_its_failure_hurts_nobody(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keys = ApiKeys(served.storage)
    key = await keys.create("u", "laptop")
    grant = await keys.find(key)
    assert grant is not None
    keys.note_use(grant)
    await keys.revoke("u", key)
    await keys.aclose()
    assert await keys.list("u") == []
    assert await keys.find(key) is None

    async def fail(*_: Any, **__: Any) -> int:
        raise StorageError("the disk is full")

    other = await keys.create("u", "phone")
    another = await keys.find(other)
    assert another is not None
    monkeypatch.setattr(served.storage, "save", fail)
    keys.note_use(another)
    await keys.aclose()
    await asyncio.sleep(0)
    assert "Use of a key not noted: the disk is full" in caplog.text
    assert other not in caplog.text


async def test_keys_of_before_there_were_scopes_go_on_working(served: Served) -> None:
    await served.add("ben")
    ben = await served.identity.users.find("ben")
    assert ben is not None
    key = await served.identity.keys.create(ben.id, "old")
    for prefix in ("keys/", f"user_keys/{ben.id}/"):
        [stored] = await served.storage.list(prefix)
        old = {name: value for name, value in stored.value.items() if name not in ("scopes", "expires_at")}
        await served.storage.save(stored.key, old)
    async with served.api(key) as by_key:
        shown = (await by_key.get("/api/keys")).json()["keys"][0]
    assert (shown["scopes"], shown["expires_at"]) == ([], None)
