"""What is counted within a span of time. Imported when something is first counted: the library takes its time."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter


class Requests:
    """Requests in any 60 seconds."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, user_id: str, most: int) -> int:
        """Count a request of a user's: 0, or the seconds until there is room for it again."""
        limit = RateLimitItemPerMinute(most)
        return 0 if self._limiter.hit(limit, user_id) else _wait_s(self._limiter, limit, user_id)


class Failures:
    """Failures within ``window_s`` seconds from the first one on."""

    def __init__(self, most: int, window_s: int) -> None:
        self._limit = RateLimitItemPerSecond(most, window_s)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def wait_s(self, pair: str) -> int:
        """Seconds until another one may be tried: 0 for at once."""
        return 0 if self._limiter.test(self._limit, pair) else _wait_s(self._limiter, self._limit, pair)

    def count(self, pair: str) -> None:
        """Count one more."""
        self._limiter.hit(self._limit, pair)

    def clear(self, pair: str) -> None:
        """Forget all of them."""
        self._limiter.clear(self._limit, pair)


def _wait_s(limiter: RateLimiter, limit: RateLimitItem, key: str) -> int:
    return max(1, math.ceil(limiter.get_window_stats(limit, key).reset_time - time.time()))
