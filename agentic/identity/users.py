"""Users in storage: ``users/{id}`` holds the user and the password's hash, ``user_names/{name}`` the id.

The user is written before the name, and removed before it: a user whose name does not lead back to it is no user and
is not listed, a name that leads to no user is free.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from agentic.errors import BadRequest, Conflict, NotFound, StorageError
from agentic.identity.leases import Leases
from agentic.identity.passwords import Passwords
from agentic.ports.paging import every
from agentic.ports.space import Allowance, Role
from agentic.ports.storage import StorageBackend, Stored

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TRIES = 10
LARGEST = 2**53 - 1
"""The largest number that every reader of JSON takes as it is."""


@dataclass(frozen=True, slots=True)
class User:
    """A user. ``token_version`` rises with each change that ends earlier tokens; ``created_at``: epoch seconds.

    ``limits``: those fields of :class:`agentic.ports.space.Allowance` that are the user's own; None: no limit.
    """

    id: str
    name: str
    role: Role
    disabled: bool
    token_version: int
    created_at: float
    limits: Mapping[str, int | None] = field(default_factory=dict)


class Users:
    """The users in a storage. ``rounds`` is the cost of a password hash, see :class:`Passwords`.

    A change returns when no process goes by what was before it, see :class:`Leases`. Every method raises StorageError
    when the storage fails.
    """

    def __init__(self, storage: StorageBackend, *, rounds: int = 12) -> None:
        self._storage = storage
        self._leases = Leases(storage)
        self._passwords = Passwords(rounds)

    async def add(self, name: str, password: str | None, role: Role) -> User:
        """Make a user; one without a password signs in elsewhere.

        Raises BadRequest (name, password or role cannot be) or Conflict (the name is taken).
        """
        if not _NAME.fullmatch(name):
            raise BadRequest(
                "a user name has 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit; example: anna.b",
                param="username",
            )
        _check_role(role)
        entry = await self._storage.load(f"user_names/{name}")
        if entry is not None and await self.get(entry.value["id"]) is not None:
            raise _taken(name)
        password_hash = None if password is None else await self._passwords.hash(password)
        user = User(uuid.uuid4().hex, name, role, disabled=False, token_version=1, created_at=time.time())
        await self._storage.save(f"users/{user.id}", asdict(user) | {"password_hash": password_hash}, if_version=0)
        try:
            await self._storage.save(f"user_names/{name}", {"id": user.id}, if_version=entry.version if entry else 0)
        except Conflict:
            await self._storage.delete(f"users/{user.id}")
            raise _taken(name) from None
        logger.info("[Identity] User added: id=%s role=%s", user.id, role)
        return user

    async def get(self, user_id: str, *, leased: bool = False) -> User | None:
        """The user with this id, or None.

        ``leased``: what a change that has returned has made of them, at least; the storage is asked less often.
        """
        return _user(await (self._leases if leased else self._storage).load(f"users/{user_id}"))

    async def find(self, name: str) -> User | None:
        """The user of this name, or None."""
        return _user(await self._load(name))

    async def list(self) -> list[User]:
        """All users by name."""
        ids = {stored.value["id"] async for stored in every(self._storage, "user_names/")}
        users = [_of(stored) async for stored in every(self._storage, "users/")]
        return sorted((user for user in users if user.id in ids), key=lambda user: user.name)

    async def set_disabled(self, name: str, disabled: bool) -> User:
        """Shut a user out, or let the user in again; earlier tokens end either way. Raises NotFound."""
        user = await self._change(name, disabled=disabled)
        logger.info("[Identity] User %s: id=%s", "disabled" if disabled else "enabled", user.id)
        return user

    async def set_password(self, name: str, password: str) -> User:
        """Give a new password; earlier tokens end. Raises NotFound or BadRequest (too short, too long)."""
        if await self.find(name) is None:
            raise unknown(name)
        user = await self._change(name, password_hash=await self._passwords.hash(password))
        logger.info("[Identity] Password changed: id=%s", user.id)
        return user

    async def set_role(self, name: str, role: Role) -> User:
        """Give another role; earlier tokens end. Raises NotFound or BadRequest."""
        _check_role(role)
        user = await self._change(name, role=role)
        logger.info("[Identity] Role changed: id=%s role=%s", user.id, role)
        return user

    async def set_limits(self, name: str, limits: Mapping[str, int | None]) -> User:
        """Give limits in the place of those of their own so far, see :class:`User`. Raises NotFound or BadRequest."""
        known = Allowance.__slots__
        for limit, most in limits.items():
            if limit not in known or not (most is None or (type(most) is int and 0 < most <= LARGEST)):
                raise BadRequest(
                    f"limits are whole numbers from 1 to {LARGEST} for: {', '.join(known)}", param=f"limits.{limit}"
                )
        user = await self._change(name, ends_tokens=False, limits=dict(limits))
        logger.info("[Identity] Limits changed: id=%s", user.id)
        return user

    async def has_password(self, user_id: str) -> bool:
        """Whether the user can sign in here."""
        stored = await self._storage.load(f"users/{user_id}")
        return stored is not None and stored.value["password_hash"] is not None

    async def remove(self, user: User) -> None:
        """Remove the record of a user and free the name.

        The user has to be shut out before, and what else there is of them be removed.
        """
        await self._storage.delete(f"users/{user.id}")
        entry = await self._storage.load(f"user_names/{user.name}")
        # Another server may have removed the user as well, and somebody taken the name since.
        if entry is not None and entry.value["id"] == user.id:
            await self._storage.delete(entry.key)
        logger.info("[Identity] User removed: id=%s", user.id)

    async def verify(self, name: str, password: str) -> User | None:
        """The user, if the password is right and the user not disabled. An unknown name costs the same time."""
        stored = await self._load(name)
        matches = await self._passwords.matches(password, stored.value["password_hash"] if stored else None)
        if stored is None or not matches:
            return None
        user = _of(stored)
        return None if user.disabled else user

    async def _load(self, name: str) -> Stored | None:
        if not _NAME.fullmatch(name):
            return None
        entry = await self._storage.load(f"user_names/{name}")
        return await self._storage.load(f"users/{entry.value['id']}") if entry else None

    async def _change(self, name: str, *, ends_tokens: bool = True, **changes: Any) -> User:
        for _ in range(_TRIES):
            stored = await self._load(name)
            if stored is None:
                raise unknown(name)
            value = stored.value | changes | {"token_version": stored.value["token_version"] + ends_tokens}
            try:
                await self._storage.save(stored.key, value, if_version=stored.version)
            except Conflict:
                continue
            await self._leases.end()
            return _from_json(value)
        raise Conflict(f"user '{name}' is being changed by somebody else; try again")


def _check_role(role: str) -> None:
    if role not in get_args(Role):
        raise BadRequest(f"the role is one of {', '.join(get_args(Role))}", param="role")


def _user(stored: Stored | None) -> User | None:
    return _of(stored) if stored else None


def _of(stored: Stored) -> User:
    """The user. Raises StorageError for what is none: where people may edit it, somebody has."""
    try:
        return _from_json(stored.value)
    except (TypeError, KeyError) as error:
        raise StorageError(f"What is stored at {stored.key} is no user: restore it from a backup.") from error


def _from_json(value: Any) -> User:
    return User(**{name: value[name] for name in User.__slots__ if name in value})


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a user '{name}' already", param="username")


def unknown(name: str) -> NotFound:
    """The answer for a name that is no user's."""
    return NotFound(f"there is no user '{name[:64]}'; agentic users list shows all", param="username")
