"""API keys. Only the sha256 of a key is stored: it has 256 random bits, so there is nothing to guess.

``keys/{sha256}`` leads to the user and says what the key is good for, ``user_keys/{user id}/{sha256}`` holds what is
listed. When a key was last used is noted there, once a minute at most and behind the answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from agentic.errors import BadRequest, Conflict, NotFound, StorageError
from agentic.identity.leases import Leases
from agentic.ports.paging import every
from agentic.ports.storage import StorageBackend, Stored

logger = logging.getLogger(__name__)

PREFIX = "agk_"
SHOWN = 12
"""Characters of a key that stay visible: its id."""
NOTED_S = 60
"""Seconds for which the use of a key is not noted again."""
_LONGEST_LABEL = 100
_MOST_NOTED = 10_000
_DAY_S = 86_400
_MOST_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown. ``id`` is its first 12 characters; times are epoch seconds.

    ``scopes``: what it is good for, empty for everything; ``expires_at`` None: never; ``last_used_at``: to the minute.
    """

    id: str
    label: str
    created_at: float
    scopes: Sequence[str] = ()
    expires_at: float | None = None
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key that was sent leads to; ``digest`` is what the key is stored under."""

    user_id: str
    digest: str
    scopes: tuple[str, ...] = ()
    expires_at: float | None = None


class ApiKeys:
    """The API keys in a storage. Every method raises StorageError when the storage fails.

    Keys are ended for all processes when that returns, see :class:`Leases`.
    """

    def __init__(self, storage: StorageBackend) -> None:
        self._storage = storage
        self._leases = Leases(storage)
        self._noted: OrderedDict[str, float] = OrderedDict()
        self._notes: set[asyncio.Task[None]] = set()

    async def create(
        self, user_id: str, label: str, *, scopes: Sequence[str] = (), expires_in_days: float | None = None
    ) -> str:
        """A new key of the user's; it cannot be had a second time. ``scopes`` are checked ones, see ``scopes.checked``.

        Raises BadRequest for a label that is no line, or days that are not between 0 and 3650.
        """
        if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
            raise BadRequest(f"a key's name is one line of 1 to {_LONGEST_LABEL} characters", param="name")
        if expires_in_days is not None and not 0 < expires_in_days <= _MOST_DAYS:
            raise BadRequest(f"a key expires in more than 0 and at most {_MOST_DAYS} days", param="expires_in_days")
        key = PREFIX + secrets.token_urlsafe(32)
        digest = digest_of(key)
        now = time.time()
        bounds = {
            "scopes": list(scopes),
            "expires_at": None if expires_in_days is None else now + expires_in_days * _DAY_S,
        }
        shown = {"id": key[:SHOWN], "label": label, "created_at": now, **bounds}
        # The listed entry first: after a crash in between, a key may be listed that does not work, never the reverse.
        await self._storage.save(f"user_keys/{user_id}/{digest}", shown, if_version=0)
        await self._storage.save(f"keys/{digest}", {"user_id": user_id, **bounds}, if_version=0)
        logger.info("[Identity] API key created: user=%s", user_id)
        return key

    async def list(self, user_id: str) -> list[ApiKey]:
        """The user's keys, the oldest first."""
        keys = [ApiKey(**stored.value) async for stored in every(self._storage, f"user_keys/{user_id}/")]
        return sorted(keys, key=lambda key: key.created_at)

    async def revoke(self, user_id: str, key: str) -> ApiKey:
        """End a key of the user's, named by its id, the beginning of it, or the whole key.

        Raises NotFound, or BadRequest where several keys begin so.
        """
        found = [
            stored
            async for stored in every(self._storage, f"user_keys/{user_id}/")
            if key and _names(key, stored.key, stored.value["id"])
        ]
        if not found:
            raise NotFound("the user has no such key; agentic keys list shows all", param="key")
        if len(found) > 1:
            raise BadRequest(f"{len(found)} keys begin so; give more of it", param="key")
        await self._end(user_id, found[0])
        await self._leases.end()
        return ApiKey(**found[0].value)

    async def revoke_all(self, user_id: str) -> int:
        """End all keys of a user; how many that were."""
        found = [stored async for stored in every(self._storage, f"user_keys/{user_id}/")]
        for stored in found:
            await self._end(user_id, stored)
        if found:
            await self._leases.end()
        return len(found)

    async def find(self, key: str) -> Grant | None:
        """What this key is good for, or None: it is unknown, revoked, or has expired."""
        if not key.startswith(PREFIX):
            return None
        digest = digest_of(key)
        stored = await self._leases.load(f"keys/{digest}")
        if stored is None:
            return None
        # Keys of before there were scopes have neither of the two.
        expires_at = stored.value.get("expires_at")
        if expires_at is not None and time.time() >= expires_at:
            return None
        return Grant(stored.value["user_id"], digest, tuple(stored.value.get("scopes", ())), expires_at)

    def note_use(self, grant: Grant) -> None:
        """Note that a key was used, unless that was done within the last minute. Does not wait for storage."""
        digest, now = grant.digest, time.time()
        if now - self._noted.get(digest, 0) < NOTED_S:
            return
        self._noted[digest] = now
        self._noted.move_to_end(digest)
        if len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)
        task = asyncio.create_task(self._note(f"user_keys/{grant.user_id}/{digest}", now))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def aclose(self) -> None:
        """Wait until what was to be noted is stored."""
        if self._notes:
            await asyncio.wait(list(self._notes))

    async def _note(self, place: str, now: float) -> None:
        try:
            stored = await self._storage.load(place)
            if stored is not None:
                # Of a key that was revoked meanwhile nothing comes back.
                await self._storage.save(place, {**stored.value, "last_used_at": now}, if_version=stored.version)
        except Conflict:
            logger.debug("[Identity] Use of a key noted by another server")
        except StorageError as error:
            logger.warning("[Identity] Use of a key not noted: %s", error.message)

    async def _end(self, user_id: str, stored: Stored) -> None:
        await self._storage.delete(f"keys/{stored.key.rpartition('/')[2]}")
        await self._storage.delete(stored.key)
        logger.info("[Identity] API key revoked: user=%s", user_id)


def _names(given: str, stored_at: str, key_id: str) -> bool:
    if len(given) > SHOWN:
        return stored_at.endswith("/" + digest_of(given))
    return key_id.startswith(given)


def digest_of(key: str) -> str:
    """What a key is stored under: its sha256, as hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
