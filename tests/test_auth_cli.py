"""Users and API keys from the command line."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from agentic.cli.keys import keys
from agentic.cli.users import users
from agentic.errors import Unauthorized
from agentic.identity.identity import Identity
from agentic.ports.space import Allowance
from agentic.runtime.departures import Departures
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.storage import MemoryStorage
from tests.scopes import scope_over
from tests.served_users import no_documents

PASSWORD = "correct horse battery"


class NoRuns:
    """An engine beside which another process runs what runs."""

    def owners(self):
        return set()

    async def end_all(self, user_id):
        return None


@pytest.fixture
def identity(monkeypatch, tmp_path):
    storage = MemoryStorage()
    identity = Identity(storage, secret="0123456789abcdef0123456789abcdef", token_hours=24, rounds=4)
    everything = scope_over(storage, MemoryBlobs())
    departures = Departures(NoRuns(), everything, identity, 0, no_documents)

    @asynccontextmanager
    async def open_kernel(_settings, **_):
        yield SimpleNamespace(storage=storage, identity=identity, departures=departures, everything=everything)

    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    kernel = ModuleType("agentic.kernel")
    kernel.open_kernel = open_kernel
    monkeypatch.setitem(sys.modules, "agentic.kernel", kernel)
    return identity


@pytest.fixture
def agentic(identity):
    app = typer.Typer()
    app.add_typer(users, name="users")
    app.add_typer(keys, name="keys")
    return lambda *words, typed="": CliRunner().invoke(app, words, input=typed)


@pytest.fixture
def anna(agentic):
    assert agentic("users", "add", "anna", "--role", "admin", typed=PASSWORD + "\n").exit_code == 0


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (("users", "add", "Anna"), PASSWORD, "a user name has"),
        (("users", "add", "anna"), PASSWORD, "there is a user 'anna' already"),
        (("users", "add", "ben"), "", "the password is empty"),
        (("users", "add", "ben"), "1234567", "8 is the least"),
        (("users", "passwd", "anna"), "1234567", "8 is the least"),
        (("users", "add", "ben"), "x" * 73, "73 bytes"),
        (("users", "disable", "nobody"), "", "there is no user 'nobody'"),
        (("users", "enable", "nobody"), "", "there is no user 'nobody'"),
        (("users", "passwd", "nobody"), PASSWORD, "there is no user 'nobody'"),
        (("users", "role", "nobody", "user"), "", "there is no user 'nobody'"),
        (("users", "limits", "nobody"), "", "there is no user 'nobody'"),
        (("users", "limits", "anna", "--runs-at-once", "many"), "", "--runs-at-once takes a whole number"),
        (("users", "limits", "anna", "--runs-at-once", "0"), "", "whole numbers from 1"),
        (("users", "link", "nobody", "https://x.org", "1"), "", "there is no user 'nobody'"),
        (("users", "delete", "anna"), "", "nothing was removed; say --yes"),
        (("users", "delete", "nobody", "--yes"), "", "there is no user 'nobody'"),
        (("users", "export", "nobody"), "", "there is no user 'nobody'"),
        (("users", "export", "anna", "--to", "no/such/folder.zip"), "", "cannot be written"),
        (("keys", "create", "anna", "--name", "x", "--scope", "all"), "", "the scopes of a key are some of"),
        (("keys", "create", "anna", "--name", "x", "--days", "0"), "", "a key expires in"),
        (("keys", "create", "nobody", "--name", "x"), "", "there is no user 'nobody'"),
        (("keys", "create", "anna", "--name", ""), "", "a key's name is"),
        (("keys", "list", "nobody"), "", "there is no user 'nobody'"),
        (("keys", "revoke", "anna", "agk_x"), "", "no such key"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_exit_code_1(agentic, anna, words, typed, told):
    result = agentic(*words, typed=typed)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_role_that_does_not_exist_is_refused(agentic):
    assert agentic("users", "add", "anna", "--role", "root", typed=PASSWORD).exit_code == 2


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nanother line\n"])
def test_without_a_terminal_the_password_is_one_line_as_it_stands(agentic, identity, end):
    result = agentic("users", "add", "anna", typed=f" {PASSWORD} {end}")
    assert result.exit_code == 0, result.stderr
    assert PASSWORD not in result.output
    assert asyncio.run(identity.users.verify("anna", f" {PASSWORD} ")).role == "user"


def test_on_a_terminal_the_password_is_asked_twice_until_both_agree(agentic, identity, monkeypatch):
    monkeypatch.setattr("agentic.cli.users.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    result = agentic("users", "add", "anna", typed=f"one password\nanother password\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert asyncio.run(identity.users.verify("anna", PASSWORD))


def test_a_new_password_takes_the_place_of_the_old(agentic, anna, identity):
    assert agentic("users", "passwd", "anna", typed="another one\n").exit_code == 0
    assert asyncio.run(identity.users.verify("anna", PASSWORD)) is None
    assert asyncio.run(identity.users.verify("anna", "another one"))


def test_users_are_listed_without_their_hashes(agentic, anna):
    agentic("users", "add", "ben", typed=PASSWORD)
    agentic("users", "disable", "ben")
    listed = json.loads(agentic("users", "list", "--json").stdout)
    assert [(user["name"], user["role"], user["disabled"]) for user in listed] == [
        ("anna", "admin", False),
        ("ben", "user", True),
    ]
    assert all(user.keys() == {"id", "name", "role", "disabled", "created_at"} for user in listed)
    assert [line.split()[:3] for line in agentic("users", "list").stdout.splitlines()] == [
        ["anna", "admin", "enabled"],
        ["ben", "user", "disabled"],
    ]
    agentic("users", "enable", "ben")
    assert "disabled" not in agentic("users", "list").stdout


def test_empty_lists_are_empty_json_and_a_hint_on_stderr(agentic):
    for noun in ("users", "keys"):
        assert json.loads(agentic(noun, "list", "--json").stdout) == []
        result = agentic(noun, "list")
        assert result.stdout == ""
        assert f"agentic {noun}" in result.stderr


def test_a_key_stands_alone_on_stdout_and_works_until_revoked(agentic, anna, identity):
    created = agentic("keys", "create", "anna", "--name", "my laptop")
    key = created.stdout.removesuffix("\n")
    assert key.startswith("agk_")
    assert not set(key) & set(" \n")
    assert key not in created.stderr
    assert asyncio.run(identity.authenticate(key)).name == "anna"
    assert agentic("keys", "revoke", "anna", key[:12]).exit_code == 0
    assert asyncio.run(identity.keys.find(key)) is None


def test_keys_are_listed_by_their_ids_for_one_user_or_all(agentic, anna):
    agentic("users", "add", "ben", typed=PASSWORD)
    made = [agentic("keys", "create", user, "--name", "laptop").stdout.strip() for user in ("anna", "ben")]
    listed = agentic("keys", "list")
    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [["anna", made[0][:12]], ["ben", made[1][:12]]]
    assert not any(key in listed.output for key in made)
    only = json.loads(agentic("keys", "list", "ben", "--json").stdout)
    assert [(key["user"], key["id"], key["label"]) for key in only] == [("ben", made[1][:12], "laptop")]


def test_a_role_is_given_and_ends_earlier_tokens(agentic, anna, identity):
    token = asyncio.run(identity.login("anna", PASSWORD, "x")).access_token
    assert agentic("users", "role", "anna", "user").exit_code == 0
    with pytest.raises(Unauthorized):
        asyncio.run(identity.authenticate(token))
    assert asyncio.run(identity.users.find("anna")).role == "user"


def test_limits_are_given_shown_lifted_and_taken_back(agentic, anna, identity):
    identity.meter.defaults = Allowance(runs_at_once=3)

    def holding(*words):
        return dict(line.split() for line in agentic("users", "limits", "anna", *words).stdout.splitlines())

    none = {"requests_per_minute": "none", "runs_at_once": "3", "tokens_per_day": "none", "storage_bytes": "none"}
    assert holding() == none
    assert holding("--tokens-per-day", "1000", "--runs-at-once", "none") == {
        **none,
        "runs_at_once": "none",
        "tokens_per_day": "1000",
    }
    assert holding("--runs-at-once", "default", "--tokens-per-day", "default") == none


def test_a_user_is_deleted_after_typing_the_name_again(agentic, anna, identity, monkeypatch):
    agentic("keys", "create", "anna", "--name", "laptop")
    monkeypatch.setattr("agentic.cli.users.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    assert agentic("users", "delete", "anna", typed="ann\n").exit_code == 1
    assert asyncio.run(identity.users.find("anna"))
    result = agentic("users", "delete", "anna", typed="anna\n")
    assert result.exit_code == 0, result.output
    assert "1 keys" in result.stderr
    assert asyncio.run(identity.users.find("anna")) is None


def test_an_export_is_written_once_and_never_over_another_file(agentic, anna, tmp_path):
    target = tmp_path / "anna.zip"
    done = agentic("users", "export", "anna", "--to", str(target))
    assert done.exit_code == 0, done.output
    assert "0 conversations" in done.stderr
    assert target.stat().st_mode & 0o077 == 0
    before = target.read_bytes()
    again = agentic("users", "export", "anna", "--to", str(target))
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.glob("*.zip")] == ["anna.zip"]
    assert not list(tmp_path.glob(".export*"))


def test_a_key_is_made_for_some_things_and_days(agentic, anna):
    agentic("keys", "create", "anna", "--name", "phone", "--scope", "read", "--scope", "chat", "--days", "30")
    [key] = json.loads(agentic("keys", "list", "--json").stdout)
    assert key["scopes"] == ["chat", "read"]
    assert key["expires_at"] - key["created_at"] == pytest.approx(30 * 86_400)
    assert key["last_used_at"] is None
    line = agentic("keys", "list").stdout
    assert "chat,read" in line
    assert "never used" in line


def test_a_person_known_elsewhere_is_linked_to_one_user(agentic, anna, identity):
    agentic("users", "add", "ben", typed=PASSWORD)
    assert agentic("users", "link", "anna", "https://x.org", "42").exit_code == 0
    again = agentic("users", "link", "ben", "https://x.org", "42")
    assert again.exit_code == 1
    assert "linked to a user already" in again.stderr
