"""Users: names, passwords, and what ends a token."""

import asyncio
import time

import pytest

from agentic.errors import BadRequest, Conflict, NotFound, StorageError
from agentic.identity.users import Users
from agentic.testing.storage import MemoryStorage

PASSWORD = "correct horse battery"


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def users(storage):
    return Users(storage, rounds=4)


@pytest.mark.parametrize("name", ["", "Anna", "-anna", ".", "../x", "a/b", "a b", "änna", "a" * 65, "anna\n", "\ud800"])
async def test_a_name_outside_the_pattern_is_refused(users, name):
    with pytest.raises(BadRequest) as refused:
        await users.add(name, PASSWORD, "user")
    assert refused.value.param == "username"
    assert await users.find(name) is None
    assert await users.verify(name, PASSWORD) is None


@pytest.mark.parametrize("password", ["", "1234567", "ééééééé", "x" * 73, "é" * 37, "pass\udcffword"])
async def test_a_password_that_is_too_short_broken_or_that_bcrypt_would_cut_is_refused_without_being_shown(
    users, password
):
    with pytest.raises(BadRequest) as refused:
        await users.add("anna", password, "user")
    assert not password or password not in str(refused.value)
    assert await users.find("anna") is None


async def test_a_role_that_does_not_exist_is_refused(users):
    with pytest.raises(BadRequest, match="admin, user"):
        await users.add("anna", PASSWORD, "root")


async def test_a_taken_name_is_a_conflict(users):
    await users.add("anna", PASSWORD, "user")
    with pytest.raises(Conflict, match="anna"):
        await users.add("anna", "another one", "admin")


async def test_of_many_who_take_a_name_at_once_one_gets_it_and_no_trace_of_the_others_stays(users, storage):
    results = await asyncio.gather(
        *(users.add("anna", f"{PASSWORD}{n}", "user") for n in range(6)), return_exceptions=True
    )
    assert sum(isinstance(result, Conflict) for result in results) == 5
    assert [user.name for user in await users.list()] == ["anna"]
    assert len(await storage.list("users/")) == 1


async def test_a_user_whose_name_was_never_written_is_not_listed_and_the_name_is_free(users, storage):
    lost = await users.add("anna", PASSWORD, "user")
    await storage.delete("user_names/anna")
    assert await users.list() == []
    again = await users.add("anna", PASSWORD, "user")
    assert again.id != lost.id
    assert await users.list() == [again]


async def test_an_unknown_user_cannot_be_changed(users):
    with pytest.raises(NotFound):
        await users.set_disabled("nobody", True)
    with pytest.raises(NotFound):
        await users.set_password("nobody", PASSWORD)


@pytest.mark.parametrize("wrong", ["", "wrong", PASSWORD + "x", PASSWORD.upper(), "x" * 1000, "\ud800", "a\0b"])
async def test_a_wrong_password_verifies_nobody(users, wrong):
    await users.add("anna", PASSWORD, "user")
    assert await users.verify("anna", wrong) is None


async def test_a_password_longer_than_the_stored_one_of_72_bytes_is_wrong(users):
    await users.add("anna", "x" * 72, "user")
    assert await users.verify("anna", "x" * 73) is None
    assert await users.verify("anna", "x" * 72) is not None


async def test_an_unknown_user_costs_as_much_time_as_a_wrong_password(storage):
    users = Users(storage, rounds=9)
    await users.add("anna", PASSWORD, "user")

    async def fastest(name):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            assert await users.verify(name, "wrong") is None
            times.append(time.perf_counter() - start)
        return min(times)

    known, unknown, impossible = await fastest("anna"), await fastest("nobody"), await fastest("No Name")
    assert 0.6 < unknown / known < 1.7
    assert 0.6 < impossible / known < 1.7


async def test_a_disabled_user_is_not_verified_until_enabled(users):
    await users.add("anna", PASSWORD, "user")
    await users.set_disabled("anna", True)
    assert await users.verify("anna", PASSWORD) is None
    await users.set_disabled("anna", False)
    assert (await users.verify("anna", PASSWORD)).name == "anna"


async def test_every_change_raises_the_token_version_even_when_many_come_at_once(users):
    await users.add("anna", PASSWORD, "user")
    await asyncio.gather(users.set_disabled("anna", True), users.set_password("anna", "a new one"))
    anna = await users.find("anna")
    assert anna.token_version == 3
    assert anna.disabled
    await users.set_disabled("anna", False)
    assert await users.verify("anna", PASSWORD) is None
    assert (await users.verify("anna", "a new one")).token_version == 4


async def test_users_are_listed_by_name_over_many_pages(users, storage, monkeypatch):
    monkeypatch.setattr("agentic.ports.paging.PAGE", 2)
    for name in ["dora", "anna", "carl", "ben", "eve"]:
        await users.add(name, PASSWORD, "user")
    assert [user.name for user in await users.list()] == ["anna", "ben", "carl", "dora", "eve"]


async def test_no_password_is_stored_in_the_clear_or_logged(users, storage, caplog):
    caplog.set_level("DEBUG")
    user = await users.add("anna", PASSWORD, "admin")
    await users.set_password("anna", "another secret")
    stored = str([await storage.load(f"users/{user.id}"), await storage.list("user_names/")])
    assert "$2b$04$" in stored
    for secret in (PASSWORD, "another secret"):
        assert secret not in stored + caplog.text
    assert "password" not in repr(user)


async def test_unless_told_otherwise_a_hash_takes_12_rounds(storage):
    user = await Users(storage).add("anna", PASSWORD, "user")
    stored = await storage.load(f"users/{user.id}")
    assert stored.value["password_hash"].startswith("$2b$12$")


async def test_a_name_is_free_again_once_its_user_is_removed_and_stays_with_who_took_it(users):
    old = await users.add("anna", PASSWORD, "user")
    await users.remove(old)
    new = await users.add("anna", PASSWORD, "user")
    await users.remove(old)
    assert await users.find("anna") == new


async def test_a_name_that_leads_to_no_user_is_free(users, storage):
    lost = await users.add("anna", PASSWORD, "user")
    await storage.delete(f"users/{lost.id}")
    assert (await users.add("anna", PASSWORD, "user")).id != lost.id


async def test_a_new_role_raises_the_token_version_and_must_be_one(users):
    await users.add("anna", PASSWORD, "user")
    assert (await users.set_role("anna", "admin")).token_version == 2
    with pytest.raises(BadRequest, match="admin, user"):
        await users.set_role("anna", "root")
    with pytest.raises(NotFound):
        await users.set_role("nobody", "admin")


@pytest.mark.parametrize("edited", [{"a": 1}, ["anna"], "anna", None])
async def test_a_record_that_somebody_has_edited_into_no_user_is_named(users, storage, edited):
    """Where storage is files that people can edit."""
    user = await users.add("anna", PASSWORD, "user")
    await storage.save(f"users/{user.id}", edited)
    for asking in (users.list(), users.get(user.id), users.find("anna")):
        with pytest.raises(StorageError, match=f"What is stored at users/{user.id} is no user: restore it"):
            await asking
