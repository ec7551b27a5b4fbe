"""People who sign in elsewhere, and the users they are here: linked by issuer and subject, never by name or mail.

``outsiders/{sha256}`` leads from issuer and subject to the user, ``user_outsiders/{user id}/{sha256}`` back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from agentic.errors import BadRequest, Conflict, Forbidden
from agentic.identity.users import User, Users
from agentic.ports.login import Outsider
from agentic.ports.paging import every
from agentic.ports.storage import StorageBackend

logger = logging.getLogger(__name__)

_LONGEST = 1000
_LONGEST_BASE = 50
_NUMBERED = 100


@dataclass(frozen=True, slots=True)
class Link:
    """By what a user is known at a provider."""

    issuer: str
    subject: str


class Outsiders:
    """The links in a storage. Every method raises StorageError when the storage fails."""

    def __init__(self, storage: StorageBackend, users: Users) -> None:
        self._storage = storage
        self._users = users

    async def link(self, user: User, issuer: str, subject: str) -> None:
        """Let this person sign in as the user. Raises BadRequest, or Conflict where they are a user already."""
        _check(issuer, subject)
        place = _place(issuer, subject)
        stored = await self._storage.load(f"outsiders/{place}")
        if stored is not None and await self._users.get(stored.value["user_id"]) is not None:
            raise _linked()
        # The way back first: by it the link is removed with its user, also after a crash in between.
        back = f"user_outsiders/{user.id}/{place}"
        await self._storage.save(back, {"issuer": issuer, "subject": subject})
        try:
            version = stored.version if stored else 0
            await self._storage.save(f"outsiders/{place}", {"user_id": user.id}, if_version=version)
        except Conflict:
            await self._storage.delete(back)
            raise _linked() from None
        logger.info("[Identity] Linked: user=%s", user.id)

    async def links(self, user_id: str) -> list[Link]:
        """By what a user is known elsewhere."""
        return [Link(**stored.value) async for stored in every(self._storage, f"user_outsiders/{user_id}/")]

    async def unlink_all(self, user_id: str) -> int:
        """Remove all links of a user; how many that were."""
        found = [stored async for stored in every(self._storage, f"user_outsiders/{user_id}/")]
        for stored in found:
            await self._storage.delete(f"outsiders/{stored.key.rpartition('/')[2]}")
            await self._storage.delete(stored.key)
        return len(found)

    async def admit(self, outsider: Outsider) -> User:
        """The user that this person is, made where they may join.

        Raises Forbidden where there is none, BadRequest where the provider names them by what can be no name.
        """
        user = await self._find(outsider)
        if user is None:
            if not outsider.may_join:
                logger.warning("[Identity] Login of a person who is no user here")
                raise Forbidden(
                    "You have signed in, but are no user of this server. Ask its administrator to link you."
                )
            user = await self._join(outsider)
        if user.disabled:
            raise Forbidden("This user is disabled.")
        if outsider.role is not None and outsider.role != user.role:
            user = await self._users.set_role(user.name, outsider.role)
        return user

    async def _find(self, outsider: Outsider) -> User | None:
        stored = await self._storage.load(f"outsiders/{_place(outsider.issuer, outsider.subject)}")
        return await self._users.get(stored.value["user_id"]) if stored else None

    async def _join(self, outsider: Outsider) -> User:
        # Who cannot be linked is not made a user, who would be nobody's.
        _check(outsider.issuer, outsider.subject)
        for name in _names(outsider.name):
            try:
                user = await self._users.add(name, None, outsider.role or "user")
            except Conflict:
                continue
            try:
                await self.link(user, outsider.issuer, outsider.subject)
            except Conflict:
                # The same person came twice at once: one of the two has made the user.
                await self._users.remove(user)
                return await self.admit(outsider)
            return user
        raise Conflict("No free user name was found.")


def _check(issuer: str, subject: str) -> None:
    for name, value in (("issuer", issuer), ("subject", subject)):
        if not value or len(value) > _LONGEST or not value.isprintable():
            raise BadRequest(f"the {name} is one line of 1 to {_LONGEST} characters", param=name)


def _place(issuer: str, subject: str) -> str:
    return hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()


def _names(wish: str) -> Iterator[str]:
    """User names for a wish: itself as far as it can be one, then numbered, then by chance."""
    plain = unicodedata.normalize("NFKD", wish).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("._-")[:_LONGEST_BASE] or "user"
    yield base
    yield from (f"{base}-{number}" for number in range(2, _NUMBERED))
    yield f"{base}-{secrets.token_hex(4)}"


def _linked() -> Conflict:
    return Conflict("this person is linked to a user already", param="subject")
