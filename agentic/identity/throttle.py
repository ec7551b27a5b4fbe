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

from agentic.errors import RateLimited

T = TypeVar("T")


class Throttle:
    """Lets ``failures`` tries fail within ``window_s`` seconds from the first one on, a pair of name and address each.

    At most ``pairs`` are remembered; beyond that the one that failed longest ago is forgotten.
    """

    def __init__(self, *, failures: int = 5, window_s: float = 300, pairs: int = 10_000) -> None:
        self._most_failures = failures
        self._window_s = window_s
        self._most_pairs = pairs
        # How often each pair has failed, and until when that counts.
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def attempt(self, name: str, address: str, try_once: Callable[[], Awaitable[T | None]]) -> T | None:
        """The result of ``try_once``, where None is a failure and anything else clears the pair.

        Raises RateLimited. Tries of one pair queue, so that many at once are counted like many in turn.
        """
        pair = _pair(name, address)
        lock = self._locks.setdefault(pair, asyncio.Lock())
        async with lock:
            count, left_s = self._standing(pair)
            if count >= self._most_failures:
                wait_s = math.ceil(left_s)
                told = f"too many failed logins of this user from this address; try again in {wait_s} s"
                raise RateLimited(told, retry_after_s=wait_s)
            result = await try_once()
            if result is None:
                self._count(pair)
            else:
                self._failed.pop(pair, None)
            return result

    def _standing(self, pair: str) -> tuple[int, float]:
        """How often a pair has failed lately, and the seconds for which that still counts."""
        count, until = self._failed.get(pair, (0, 0.0))
        left_s = until - time.monotonic()
        return (count, left_s) if left_s > 0 else (0, self._window_s)

    def _count(self, pair: str) -> None:
        count, left_s = self._standing(pair)
        self._failed[pair] = count + 1, time.monotonic() + left_s
        self._failed.move_to_end(pair)
        if len(self._failed) > self._most_pairs:
            self._failed.popitem(last=False)


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
