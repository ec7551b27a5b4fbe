"""Repeated failures of one user name from one address are made to wait."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from agentic.errors import RateLimited

T = TypeVar("T")


class Throttle:
    """Lets ``failures`` tries fail within ``window_s`` seconds from the first one on, a pair of name and address each.

    At most ``pairs`` are remembered; beyond that the one that failed longest ago is forgotten.
    """

    def __init__(self, *, failures: int = 5, window_s: int = 300, pairs: int = 10_000) -> None:
        self._limit = RateLimitItemPerSecond(failures, window_s)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._most = pairs
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def attempt(self, name: str, address: str, try_once: Callable[[], Awaitable[T | None]]) -> T | None:
        """The result of ``try_once``, where None is a failure and anything else clears the pair.

        Raises RateLimited. Tries of one pair queue, so that many at once are counted like many in turn.
        """
        pair = _pair(name, address)
        lock = self._locks.setdefault(pair, asyncio.Lock())
        async with lock:
            self._check(pair)
            result = await try_once()
            if result is None:
                self._failed(pair)
            else:
                self._forget(pair)
            return result

    def _check(self, pair: str) -> None:
        if self._limiter.test(self._limit, pair):
            return
        wait_s = max(1, math.ceil(self._limiter.get_window_stats(self._limit, pair).reset_time - time.time()))
        raise RateLimited(
            f"too many failed logins of this user from this address; try again in {wait_s} s", retry_after_s=wait_s
        )

    def _failed(self, pair: str) -> None:
        self._limiter.hit(self._limit, pair)
        self._seen[pair] = None
        self._seen.move_to_end(pair)
        if len(self._seen) > self._most:
            self._forget(next(iter(self._seen)))

    def _forget(self, pair: str) -> None:
        self._seen.pop(pair, None)
        self._limiter.clear(self._limit, pair)


def _pair(name: str, address: str) -> str:
    """One short key, whatever was sent as a name; an IPv6 address stands for its /64, which one host may own whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        place = address
    else:
        place = str(parsed)
        if parsed.version == 6:
            place = str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), 64), strict=False))
    return hashlib.sha256(f"{place}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()
