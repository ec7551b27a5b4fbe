"""API keys. Only the sha256 of a key is stored: it has 256 random bits, so there is nothing to guess.

``keys/{sha256}`` leads to the user, ``user_keys/{user id}/{sha256}`` holds what is listed.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from dataclasses import dataclass

from agentic.errors import BadRequest, NotFound
from agentic.identity.listing import every
from agentic.ports.storage import StorageBackend

logger = logging.getLogger(__name__)

PREFIX = "agk_"
_SHOWN = 12
_LONGEST_LABEL = 100


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown. ``id`` is its first 12 characters; ``created_at``: epoch seconds."""

    id: str
    label: str
    created_at: float


class ApiKeys:
    """The API keys in a storage. Every method raises StorageError when the storage fails."""

    def __init__(self, storage: StorageBackend) -> None:
        self._storage = storage

    async def create(self, user_id: str, label: str) -> str:
        """A new key of the user's; it cannot be had a second time. Raises BadRequest for a label that is no line."""
        if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
            raise BadRequest(f"a key's name is one line of 1 to {_LONGEST_LABEL} characters", param="name")
        key = PREFIX + secrets.token_urlsafe(32)
        digest = digest_of(key)
        shown = {"id": key[:_SHOWN], "label": label, "created_at": time.time()}
        # The listed entry first: after a crash in between, a key may be listed that does not work, never the reverse.
        await self._storage.save(f"user_keys/{user_id}/{digest}", shown, if_version=0)
        await self._storage.save(f"keys/{digest}", {"user_id": user_id}, if_version=0)
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
            (stored.key.rpartition("/")[2], ApiKey(**stored.value))
            async for stored in every(self._storage, f"user_keys/{user_id}/")
            if key and _names(key, stored.key, stored.value["id"])
        ]
        if not found:
            raise NotFound("the user has no such key; agentic keys list shows all", param="key")
        if len(found) > 1:
            raise BadRequest(f"{len(found)} keys begin so; give more of it", param="key")
        digest, revoked = found[0]
        await self._storage.delete(f"keys/{digest}")
        await self._storage.delete(f"user_keys/{user_id}/{digest}")
        logger.info("[Identity] API key revoked: user=%s", user_id)
        return revoked

    async def find(self, key: str) -> str | None:
        """The id of the user whose key this is, or None."""
        if not key.startswith(PREFIX):
            return None
        stored = await self._storage.load(f"keys/{digest_of(key)}")
        return stored.value["user_id"] if stored else None


def _names(given: str, stored_at: str, key_id: str) -> bool:
    if len(given) > _SHOWN:
        return stored_at.endswith("/" + digest_of(given))
    return key_id.startswith(given)


def digest_of(key: str) -> str:
    """What a key is stored under: its sha256, as hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
