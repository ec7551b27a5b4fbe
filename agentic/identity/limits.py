"""What each user may use: requests a minute, runs at once, tokens a day, bytes of files.

Requests and runs are counted by each server for itself, in memory: behind a balancer a user may have as many at every
server. Tokens are counted in storage (``usage/{user id}``), so that all servers hold to one sum and a restart forgets
nothing; files are counted where they lie. Commands on the server's own machine are not held to limits.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from agentic.errors import Conflict, QuotaExceeded, RateLimited, StorageError
from agentic.ports.blobs import BlobStore
from agentic.ports.paging import every
from agentic.ports.space import UNLIMITED, Allowance, Principal
from agentic.ports.storage import StorageBackend, Stored

if TYPE_CHECKING:
    from agentic.identity.windows import Requests

logger = logging.getLogger(__name__)

FILES = "spaces/{}/"
"""Where a user's files lie in the store of files."""
DERIVED = f"{FILES}pages/"
"""Where lies what was read out of them, which nobody has sent."""

USAGE = "usage/"
"""Where the count of what a user has used today lies."""
_TRIES = 20
_DAY_S = 86_400
_BUSY_S = 5
_FULL_S = 60
"""Seconds after which a client may try again: a run may have ended by then, a person made room for files."""


class Meter:
    """Counts what users take, and refuses what goes beyond their :class:`agentic.ports.space.Allowance`.

    ``defaults`` hold for every user that has no limits of their own. Nothing is counted of who has no limit.
    """

    def __init__(
        self, storage: StorageBackend, blobs: BlobStore | None = None, defaults: Allowance = UNLIMITED
    ) -> None:
        self.defaults = defaults
        self._storage = storage
        self._blobs = blobs
        self._requests: Requests | None = None
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stocks: dict[str, _Stock] = {}

    def allowance(self, limits: Mapping[str, int | None]) -> Allowance:
        """The defaults with a user's own limits in their place; None among these: no limit."""
        return replace(self.defaults, **limits) if limits else self.defaults

    async def take_request(self, principal: Principal) -> None:
        """Count a request. Raises RateLimited beyond the user's requests a minute, which any 60 seconds are."""
        most = principal.allowance.requests_per_minute
        if most is None:
            return
        if self._requests is None:
            windows: Any = await asyncio.to_thread(importlib.import_module, "agentic.identity.windows")
            self._requests = self._requests or windows.Requests()
        if wait_s := self._requests.take(principal.id, most):
            raise RateLimited(f"You may send {most} requests a minute; try again in {wait_s} s.", retry_after_s=wait_s)

    def check_runs(self, principal: Principal, at_work: int) -> None:
        """Raises RateLimited where as many runs of the user's are at work, or wait, as may be at once."""
        most = principal.allowance.runs_at_once
        if most is not None and at_work >= most:
            raise RateLimited(f"You may have {most} runs at once; wait until one has ended.", retry_after_s=_BUSY_S)

    async def check_tokens(self, principal: Principal) -> None:
        """Raises QuotaExceeded where the tokens of this day are used up. A run that has begun is let finish."""
        most = principal.allowance.tokens_per_day
        if most is not None and await self.tokens_today(principal.id) >= most:
            wait_s = _DAY_S - time.time() % _DAY_S
            raise QuotaExceeded(
                f"You may use {most} tokens a day, and have. The next day begins at 00:00 UTC.", retry_after_s=wait_s
            )

    async def tokens_today(self, user_id: str) -> int:
        """What was counted of the user's tokens since 00:00 UTC. Raises StorageError."""
        return _of_today(await self._storage.load(USAGE + user_id))

    async def spend(self, principal: Principal, tokens: int) -> None:
        """Count the tokens of a run, for a user whose tokens are limited.

        Does not raise: what cannot be counted is logged, and costs nobody the answer.
        """
        if principal.allowance.tokens_per_day is None or not tokens:
            return
        try:
            await self._add(principal, tokens)
        except (Conflict, StorageError) as error:
            logger.warning("[Limits] Not counted: user=%s tokens=%d: %s", principal.id, tokens, error.message)

    async def _add(self, principal: Principal, tokens: int) -> None:
        key = USAGE + principal.id
        # Within this process one write follows the other, so that only other servers can come in between.
        async with self._locks.setdefault(principal.id, asyncio.Lock()):
            for left in reversed(range(_TRIES)):
                stored = await self._storage.load(key)
                usage = {"day": _today(), "tokens": _of_today(stored) + tokens}
                try:
                    await self._storage.save(key, usage, if_version=stored.version if stored else 0)
                except Conflict:
                    if not left:
                        raise
                    continue
                return

    async def stored(self, user_id: str) -> int:
        """Bytes of the user's files: what was uploaded, and what runs have made. Raises StorageError."""
        if self._blobs is None:
            return 0
        files, derived = every(self._blobs, FILES.format(user_id)), DERIVED.format(user_id)
        return sum([blob.size async for blob in files if not blob.key.startswith(derived)])

    @asynccontextmanager
    async def storing(self, principal: Principal) -> AsyncIterator[Callable[[int], None]]:
        """Hold what is being stored for a user to their bytes of files::

            async with meter.storing(principal) as take:
                async for piece in stream:
                    take(len(piece))        # raises QuotaExceeded: stop, and remove what was written

        Call ``take`` before a piece is written. Several at once share the room, on one server; what is being stored at
        another counts there once it lies. Leaving with an exception gives back what was taken. Raises StorageError.
        """
        most = principal.allowance.storage_bytes
        if most is None:
            yield lambda _size: None
            return
        stock = self._stocks.setdefault(principal.id, _Stock())
        stock.intakes += 1
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            stock.take(size, most)
            taken += size

        try:
            async with stock.lock:
                if stock.kept is None:
                    stock.kept = await self.stored(principal.id)
            yield take
        except BaseException:
            # Where the count itself has failed, others have to count anew.
            stock.kept = None if stock.kept is None else stock.kept - taken
            raise
        finally:
            stock.intakes -= 1
            if not stock.intakes:
                del self._stocks[principal.id]


class _Stock:
    """A user's bytes, for as long as anything of theirs is being stored; afterwards they are counted anew."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.kept: int | None = None
        self.intakes = 0

    def take(self, size: int, most: int) -> None:
        """Take room. Raises QuotaExceeded."""
        kept = (self.kept or 0) + size
        if kept > most:
            raise QuotaExceeded(
                f"Your files may take {most} bytes together, and this goes beyond that. Delete some first.",
                retry_after_s=_FULL_S,
            )
        self.kept = kept


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _of_today(stored: Stored | None) -> int:
    return int(stored.value["tokens"]) if stored is not None and stored.value["day"] == _today() else 0
