"""Logins, their throttle, and whom a bearer belongs to."""

import asyncio

import pytest

from agentic.errors import RateLimited, StorageError, Unauthorized
from agentic.identity.identity import Identity
from agentic.identity.throttle import Throttle
from agentic.testing.storage import MemoryStorage

SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery"


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
async def identity(storage):
    identity = Identity(storage, secret=SECRET, token_hours=24, rounds=4)
    await identity.users.add("anna", PASSWORD, "admin")
    await identity.users.add("ben", PASSWORD, "user")
    return identity


async def _fail(identity, name="anna", address="10.0.0.1", times=5):
    for _ in range(times):
        with pytest.raises(Unauthorized):
            await identity.login(name, "wrong", address)


async def test_unknown_wrong_and_disabled_get_the_same_answer(identity):
    await identity.users.set_disabled("ben", True)
    answers = []
    for name, password in [("nobody", PASSWORD), ("anna", "wrong"), ("ben", PASSWORD), ("No Name!", "x")]:
        with pytest.raises(Unauthorized) as refused:
            await identity.login(name, password, "10.0.0.1")
        answers.append(str(refused.value))
    assert len(set(answers)) == 1


@pytest.mark.parametrize("name", ["anna", "nobody", "../../etc", "\ud800"])
async def test_repeated_failures_must_wait_even_with_the_right_password(identity, name):
    await _fail(identity, name)
    with pytest.raises(RateLimited) as refused:
        await identity.login(name, PASSWORD, "10.0.0.1")
    assert 0 < refused.value.retry_after_s <= 300


async def test_others_at_the_address_and_the_user_elsewhere_still_sign_in(identity):
    await _fail(identity)
    assert (await identity.login("ben", PASSWORD, "10.0.0.1")).user.name == "ben"
    assert (await identity.login("anna", PASSWORD, "10.0.0.2")).user.name == "anna"


async def test_a_success_starts_the_count_anew(identity):
    await _fail(identity, times=4)
    await identity.login("anna", PASSWORD, "10.0.0.1")
    await _fail(identity, times=4)
    await identity.login("anna", PASSWORD, "10.0.0.1")


async def test_many_guesses_at_once_are_counted_like_many_in_turn(identity):
    results = await asyncio.gather(
        *(identity.login("anna", f"guess {n}", "10.0.0.1") for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, Unauthorized) for result in results) == 5
    assert sum(isinstance(result, RateLimited) for result in results) == 15


async def test_many_right_logins_at_once_all_come_in(identity):
    logins = await asyncio.gather(*(identity.login("anna", PASSWORD, "10.0.0.1") for _ in range(10)))
    assert len(logins) == 10


async def test_the_addresses_of_one_ipv6_network_count_as_one(identity):
    for host in range(5):
        await _fail(identity, address=f"2001:db8::{host}", times=1)
    with pytest.raises(RateLimited):
        await identity.login("anna", PASSWORD, "2001:db8::ffff")
    await identity.login("anna", PASSWORD, "2001:db8:0:1::1")
    await _fail(identity, "ben", "::ffff:10.0.0.1")
    with pytest.raises(RateLimited):
        await identity.login("ben", PASSWORD, "::ffff:10.0.0.1")
    await identity.login("ben", PASSWORD, "::ffff:10.0.0.2")


async def test_a_failing_storage_counts_as_no_failure_of_the_user(identity, storage, monkeypatch):
    async def fail(key):
        raise StorageError("the disk is away")

    with monkeypatch.context() as broken:
        broken.setattr(storage, "load", fail)
        for _ in range(8):
            with pytest.raises(StorageError):
                await identity.login("anna", PASSWORD, "10.0.0.1")
    await identity.login("anna", PASSWORD, "10.0.0.1")


async def _nothing():
    return None


async def _something():
    return "in"


async def test_after_the_wait_the_user_may_try_again():
    throttle = Throttle(failures=1, window_s=1)
    await throttle.attempt("anna", "x", _nothing)
    with pytest.raises(RateLimited):
        await throttle.attempt("anna", "x", _something)
    await asyncio.sleep(1.1)
    assert await throttle.attempt("anna", "x", _something) == "in"


async def test_the_throttle_remembers_a_bounded_number_of_pairs():
    throttle = Throttle(failures=1, pairs=10)
    for number in range(50):
        await throttle.attempt(f"user{number}", "x", _nothing)
    assert len(throttle._seen) == 10
    assert len(throttle._failures._counts.now.storage.storage) == 10
    assert len(throttle._locks) == 0
    assert await throttle.attempt("user0", "x", _something) == "in"
    with pytest.raises(RateLimited):
        await throttle.attempt("user49", "x", _something)


async def test_a_token_and_a_key_lead_to_their_principal(identity):
    login = await identity.login("anna", PASSWORD, "10.0.0.1")
    assert login.expires_in == 24 * 3600
    principal = await identity.authenticate(login.access_token)
    assert (principal.id, principal.name, principal.role, principal.via) == (login.user.id, "anna", "admin", "token")
    key = await identity.keys.create(login.user.id, "laptop")
    assert (await identity.authenticate(key)).via == "key"


async def test_a_disabled_user_is_out_at_once_by_token_and_by_key(identity):
    login = await identity.login("anna", PASSWORD, "10.0.0.1")
    key = await identity.keys.create(login.user.id, "laptop")
    await identity.users.set_disabled("anna", True)
    for bearer in (login.access_token, key):
        with pytest.raises(Unauthorized):
            await identity.authenticate(bearer)
    await identity.users.set_disabled("anna", False)
    assert (await identity.authenticate(key)).name == "anna"
    with pytest.raises(Unauthorized):
        await identity.authenticate(login.access_token)


async def test_what_another_process_changed_holds_at_the_next_request(identity, storage):
    login = await identity.login("anna", PASSWORD, "10.0.0.1")
    elsewhere = Identity(storage, secret=SECRET, token_hours=1, rounds=4)
    assert (await elsewhere.authenticate(login.access_token)).name == "anna"
    await elsewhere.users.set_password("anna", "a new one")
    with pytest.raises(Unauthorized):
        await identity.authenticate(login.access_token)


async def test_a_new_user_of_an_old_name_inherits_nothing(identity, storage):
    login = await identity.login("ben", PASSWORD, "10.0.0.1")
    key = await identity.keys.create(login.user.id, "laptop")
    await storage.delete("user_names/ben")
    await storage.delete(f"users/{login.user.id}")
    new = await identity.users.add("ben", "another one", "user")
    assert new.id != login.user.id
    assert await identity.keys.list(new.id) == []
    for bearer in (login.access_token, key):
        with pytest.raises(Unauthorized):
            await identity.authenticate(bearer)


async def test_a_request_reads_storage_at_most_twice_and_the_next_one_not_at_all(identity, storage, monkeypatch):
    login = await identity.login("anna", PASSWORD, "10.0.0.1")
    key = await identity.keys.create(login.user.id, "laptop")
    read = []
    load = storage.load

    async def counted(wanted):
        read.append(wanted)
        return await load(wanted)

    monkeypatch.setattr(storage, "load", counted)
    await identity.authenticate(login.access_token)
    assert len(read) == 1
    await identity.authenticate(key)
    assert len(read) == 2
    await identity.authenticate(key)
    assert len(read) == 2


async def test_the_sole_admin_is_the_one_enabled_admin(identity):
    assert (await identity.sole_admin()).name == "anna"
    await identity.users.add("carl", PASSWORD, "admin")
    assert await identity.sole_admin() is None
    await identity.users.set_disabled("anna", True)
    assert (await identity.sole_admin()).name == "carl"
    await identity.users.set_disabled("carl", True)
    assert await identity.sole_admin() is None


async def test_no_secret_and_no_typed_name_is_logged(identity, caplog):
    caplog.set_level("DEBUG")
    login = await identity.login("anna", PASSWORD, "10.0.0.1")
    for name, password in [("anna", "hunter2-wrong"), ("my-password-in-the-name", "x")]:
        with pytest.raises(Unauthorized):
            await identity.login(name, password, "10.0.0.1")
    for secret in (PASSWORD, "hunter2-wrong", "my-password-in-the-name", login.access_token, SECRET):
        assert secret not in caplog.text + repr(login)
    assert "Login refused: address=10.0.0.1" in caplog.text
