"""Repeated failures of one user name from one address are made to wait."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import ipaddress
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from agentic.errors import RateLimited

if TYPE_CHECKING:
    from agentic.identity.windows import Failures

T = TypeVar("T")


class Throttle:
    """Lets ``failures`` tries fail within ``window_s`` seconds from the first one on, a pair of name and address each.

    At most ``pairs`` are remembered; beyond that the one that failed longest ago is forgotten.
    """

    def __init__(self, *, failures: int = 5, window_s: int = 300, pairs: int = 10_000) -> None:
        self._failures: Failures | None = None
        self._bounds = failures, window_s
        self._most = pairs
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def attempt(self, name: str, address: str, try_once: Callable[[], Awaitable[T | None]]) -> T | None:
        """The result of ``try_once``, where None is a failure and anything else clears the pair.

        Raises RateLimited. Tries of one pair queue, so that many at once are counted like many in turn.
        """
        if self._failures is None:
            windows: Any = await asyncio.to_thread(importlib.import_module, "agentic.identity.windows")
            self._failures = self._failures or windows.Failures(*self._bounds)
        failures, pair = self._failures, _pair(name, address)
        lock = self._locks.setdefault(pair, asyncio.Lock())
        async with lock:
            if wait_s := failures.wait_s(pair):
                told = f"too many failed logins of this user from this address; try again in {wait_s} s"
                raise RateLimited(told, retry_after_s=wait_s)
            result = await try_once()
            if result is None:
                self._failed(failures, pair)
            else:
                self._forget(failures, pair)
            return result

    def _failed(self, failures: Failures, pair: str) -> None:
        failures.count(pair)
        self._seen[pair] = None
        self._seen.move_to_end(pair)
        if len(self._seen) > self._most:
            self._forget(failures, next(iter(self._seen)))

    def _forget(self, failures: Failures, pair: str) -> None:
        self._seen.pop(pair, None)
        failures.clear(pair)


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
