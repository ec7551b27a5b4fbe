"""``/api/admin/users``: the users of this server, for administrators."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, SecretStr, StrictBool

from agentic.identity.identity import Identity
from agentic.identity.users import LARGEST, User
from agentic.kernel import Kernel
from agentic.ports.space import Role
from agentic.server.routes_keys import KeyList, KeyShown, revoke, shown_list

router = APIRouter(prefix="/api/admin/users", tags=["users"])

Most = Annotated[int, Field(ge=1, le=LARGEST, strict=True)] | Literal["none"] | None


class LimitsWanted(BaseModel, extra="forbid"):
    """A user's own limits: a number, "none" for no limit, or null for the server's."""

    requests_per_minute: Most = None
    runs_at_once: Most = None
    tokens_per_day: Most = None
    storage_bytes: Most = None


class LimitsShown(BaseModel):
    """The limits that hold for a user; null: none."""

    requests_per_minute: int | None
    runs_at_once: int | None
    tokens_per_day: int | None
    storage_bytes: int | None


class NewUser(BaseModel, extra="forbid"):
    """A user to be made. The password has at least 8 characters, 12 or more are better, and at most 72 bytes."""

    username: str
    password: SecretStr
    role: Role = "user"


class UserChange(BaseModel, extra="forbid"):
    """What is to be changed; what is left out stays. ``limits`` names those that change."""

    role: Role | None = None
    disabled: StrictBool | None = None
    limits: LimitsWanted | None = None


class NewPassword(BaseModel, extra="forbid"):
    """A password of at least 8 characters, and at most 72 bytes."""

    password: SecretStr


class LinkShown(BaseModel, extra="forbid"):
    """By what a user is known at a provider."""

    issuer: str
    subject: str


class Account(BaseModel):
    """A user as administrators see it; ``created_at``: seconds since 1970. ``own_limits`` are not the server's."""

    id: str
    username: str
    role: Role
    disabled: bool
    created_at: float
    limits: LimitsShown
    own_limits: list[str]


class AccountDetails(Account):
    """The same, with what has been used: tokens since 00:00 UTC where they are limited, and bytes of files."""

    tokens_today: int
    stored_bytes: int
    links: list[LinkShown]


class AccountList(BaseModel):
    """All users, by name."""

    users: list[Account]


@router.get("")
async def list_users(request: Request) -> AccountList:
    """All users, with their roles and limits."""
    identity = _identity(request)
    return AccountList(users=[_account(identity, user) for user in await identity.users.list()])


@router.post("", status_code=201)
async def add_user(body: NewUser, request: Request) -> Account:
    """Add a user: 409 where the name is taken."""
    identity = _identity(request)
    return _account(identity, await identity.users.add(body.username, body.password.get_secret_value(), body.role))


@router.get("/{username}")
async def get_user(username: str, request: Request) -> AccountDetails:
    """One user, with what they have used."""
    identity = _identity(request)
    user = await identity.user(username)
    return AccountDetails(
        **_account(identity, user).model_dump(),
        tokens_today=await identity.meter.tokens_today(user.id),
        stored_bytes=await identity.meter.stored(user.id),
        links=[LinkShown(**asdict(link)) for link in await identity.outsiders.links(user.id)],
    )


@router.patch("/{username}")
async def change_user(username: str, body: UserChange, request: Request) -> Account:
    """Change a user's role or limits, disable or enable them: role and disabling end earlier tokens at once."""
    kernel: Kernel = request.app.state.kernel
    identity = kernel.identity
    user = await identity.user(username)
    if body.role is not None and body.role != user.role:
        user = await identity.sparing_an_admin(username, partial(identity.users.set_role, username, body.role))
    if body.disabled:
        user = await identity.sparing_an_admin(username, partial(kernel.departures.shut_out, username))
    elif body.disabled is not None:
        user = await identity.users.set_disabled(username, False)
    # Last, for it is never refused: what is refused above shall have changed nothing.
    if body.limits is not None:
        user = await identity.users.set_limits(username, _own_limits(user, body.limits))
    return _account(identity, user)


@router.put("/{username}/password")
async def set_password(username: str, body: NewPassword, request: Request) -> Account:
    """Give a user a new password; their tokens end at once."""
    identity = _identity(request)
    return _account(identity, await identity.users.set_password(username, body.password.get_secret_value()))


@router.delete("/{username}")
async def delete_user(username: str, request: Request) -> dict[str, Any]:
    """Delete a user with everything that is theirs, and say what was removed: 409 for the only administrator."""
    kernel: Kernel = request.app.state.kernel
    users = kernel.identity.users
    await kernel.identity.sparing_an_admin(username, partial(users.set_disabled, username, True))
    return await kernel.departures.delete(username)


@router.post("/{username}/links", status_code=201)
async def link_user(username: str, body: LinkShown, request: Request) -> LinkShown:
    """Let a person whom a provider knows sign in as this user: 409 where they are a user already."""
    identity = _identity(request)
    await identity.outsiders.link(await identity.user(username), body.issuer, body.subject)
    return body


@router.get("/{username}/keys")
async def list_user_keys(username: str, request: Request) -> KeyList:
    """A user's API keys, by their beginnings."""
    identity = _identity(request)
    return shown_list(await identity.keys.list((await identity.user(username)).id))


@router.delete("/{username}/keys/{key_id}")
async def revoke_user_key(username: str, key_id: str, request: Request) -> KeyShown:
    """End a user's API key at once, by its id."""
    identity = _identity(request)
    return await revoke(identity, (await identity.user(username)).id, key_id)


def _identity(request: Request) -> Identity:
    identity: Identity = request.app.state.kernel.identity
    return identity


def _own_limits(user: User, wanted: LimitsWanted) -> dict[str, int | None]:
    """The user's own limits with those that were named changed."""
    own = dict(user.limits)
    for name in wanted.model_fields_set:
        most = getattr(wanted, name)
        if most is None:
            own.pop(name, None)
        else:
            own[name] = None if most == "none" else most
    return own


def _account(identity: Identity, user: User) -> Account:
    return Account(
        id=user.id,
        username=user.name,
        role=user.role,
        disabled=user.disabled,
        created_at=user.created_at,
        limits=LimitsShown(**asdict(identity.meter.allowance(user.limits))),
        own_limits=sorted(user.limits),
    )
