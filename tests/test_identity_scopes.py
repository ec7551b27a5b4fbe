"""What the scopes of an API key and the role of its user open, and what they do not."""

from __future__ import annotations

import pytest

from agentic.errors import BadRequest, Forbidden
from agentic.identity.scopes import Scope, checked, refuse_beyond
from agentic.ports.space import Principal, Role

CHAT = [("POST", "/v1/chat/completions"), ("DELETE", "/api/conversations/c"), ("POST", "/api/runs/r/approvals")]
CHAT_LOOKS = [("GET", "/v1/models"), ("GET", "/api/conversations"), ("HEAD", "/api/runs")]
FILES = [("POST", "/api/files/upload"), ("DELETE", "/api/files/documents/d")]
FILES_LOOKS = [("GET", "/api/files/documents")]
OWN = [("POST", "/api/keys"), ("DELETE", "/api/keys/k"), ("POST", "/api/auth/password"), ("POST", "/api/new")]
OWN_LOOKS = [("GET", "/api/keys"), ("GET", "/api/new/thing")]
ADMIN = [("GET", "/api/admin/users"), ("DELETE", "/api/admin/users/ben"), ("POST", "/api/admin")]
EVERYTHING = [*CHAT, *CHAT_LOOKS, *FILES, *FILES_LOOKS, *OWN, *OWN_LOOKS, *ADMIN]


def opened(role: Role, *scopes: str) -> list[tuple[str, str]]:
    """Those of all requests that pass."""
    who, passed = Principal("u", "anna", role, "key", scopes), []
    for method, path in EVERYTHING:
        try:
            refuse_beyond(who, method, path)
        except Forbidden:
            continue
        passed.append((method, path))
    return passed


@pytest.mark.parametrize(
    ("role", "scopes", "expected"),
    [
        ("user", ("chat",), [*CHAT, *CHAT_LOOKS]),
        ("user", ("files",), [*FILES, *FILES_LOOKS]),
        ("user", ("read",), [*CHAT_LOOKS, *FILES_LOOKS, *OWN_LOOKS]),
        ("user", ("chat", "files"), [*CHAT, *CHAT_LOOKS, *FILES, *FILES_LOOKS]),
        ("user", ("admin",), []),
        ("user", (), [*CHAT, *CHAT_LOOKS, *FILES, *FILES_LOOKS, *OWN, *OWN_LOOKS]),
        ("admin", ("admin",), ADMIN),
        ("admin", ("chat", "files", "read"), [*CHAT, *CHAT_LOOKS, *FILES, *FILES_LOOKS, *OWN_LOOKS]),
        ("admin", (), EVERYTHING),
    ],
)
def test_a_key_opens_what_its_scopes_and_its_users_role_open(
    role: Role, scopes: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert sorted(opened(role, *scopes)) == sorted(expected)


@pytest.mark.parametrize("path", ["/v1x", "/api/runsome", "/api/filesystem", "/api/administrators"])
def test_a_path_that_only_begins_alike_is_opened_by_no_scope(path: str) -> None:
    for scope in Scope:
        with pytest.raises(Forbidden, match="without scopes"):
            refuse_beyond(Principal("u", "anna", "admin", "key", (scope,)), "POST", path)


def test_who_one_is_may_always_be_asked() -> None:
    for scope in Scope:
        refuse_beyond(Principal("u", "anna", "user", "key", (scope,)), "GET", "/api/auth/me")


def test_the_refusal_says_what_is_needed_and_what_is_there() -> None:
    with pytest.raises(Forbidden, match=r"needs the scope files or read; the API key has: chat\."):
        refuse_beyond(Principal("u", "anna", "user", "key", ("chat",)), "GET", "/api/files/documents")


def test_scopes_are_checked_ordered_and_counted_once() -> None:
    assert checked(["read", "chat", "read"], "user") == ("chat", "read")
    assert checked([], "user") == ()
    with pytest.raises(BadRequest, match="chat, files, read, admin"):
        checked(["everything"], "admin")
    with pytest.raises(BadRequest, match="administrators"):
        checked(["admin"], "user")
