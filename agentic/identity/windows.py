"""What is counted within a span of time. Imported when something is first counted: the library takes its time."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter

_STEP_S = 1.0


class _Counts:
    """What a limiter has counted; all of it is forgotten when the clock was set back.

    The times it holds would lie ahead then, and whoever had used up their share would wait for as long as that again.
    """

    def __init__(self, kind: type[RateLimiter]) -> None:
        self._storage = MemoryStorage()
        self._limiter = kind(self._storage)
        self._latest = time.time()

    @property
    def now(self) -> RateLimiter:
        """The limiter, with nothing in it that lies ahead of now."""
        now = time.time()
        if now < self._latest - _STEP_S:
            self._storage.reset()
            self._latest = now
        self._latest = max(self._latest, now)
        return self._limiter


class Requests:
    """Requests in any 60 seconds."""

    def __init__(self) -> None:
        self._counts = _Counts(MovingWindowRateLimiter)

    def take(self, user_id: str, most: int) -> int:
        """Count a request of a user's: 0, or the seconds until there is room for it again."""
        limit, limiter = RateLimitItemPerMinute(most), self._counts.now
        return 0 if limiter.hit(limit, user_id) else _wait_s(limiter, limit, user_id)


class Failures:
    """Failures within ``window_s`` seconds from the first one on."""

    def __init__(self, most: int, window_s: int) -> None:
        self._limit = RateLimitItemPerSecond(most, window_s)
        self._counts = _Counts(FixedWindowRateLimiter)

    def wait_s(self, pair: str) -> int:
        """Seconds until another one may be tried: 0 for at once."""
        limiter = self._counts.now
        return 0 if limiter.test(self._limit, pair) else _wait_s(limiter, self._limit, pair)

    def count(self, pair: str) -> None:
        """Count one more."""
        self._counts.now.hit(self._limit, pair)

    def clear(self, pair: str) -> None:
        """Forget all of them."""
        self._counts.now.clear(self._limit, pair)


def _wait_s(limiter: RateLimiter, limit: RateLimitItem, key: str) -> int:
    return max(1, math.ceil(limiter.get_window_stats(limit, key).reset_time - time.time()))
