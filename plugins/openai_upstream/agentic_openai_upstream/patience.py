"""Asking a busy server again: not before it says, ever more slowly, and not for ever."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agentic_openai_upstream.refusals import Busy

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

logger = logging.getLogger(__name__)

_FIRST_S = 0.5
_LONGEST_S = 8.0


def patience(name: str, retry_s: float) -> AsyncRetrying:
    """Repeats what raises Busy, as long as the next try comes less than ``retry_s`` after the first; then it raises.

    The waits grow from half a second to eight, with up to half a second at random; a longer Retry-After is kept to.
    """
    from tenacity import AsyncRetrying, retry_if_exception_type, stop_before_delay, wait_exponential, wait_random

    growing = wait_exponential(multiplier=_FIRST_S, max=_LONGEST_S) + wait_random(0, _FIRST_S)

    def wait(state: RetryCallState) -> float:
        busy = state.outcome.exception() if state.outcome else None
        told = busy.retry_after_s if isinstance(busy, Busy) else None
        return max(told or 0.0, growing(state))

    def tell(state: RetryCallState) -> None:
        logger.info("[Upstream] Busy: name=%s, asked again in %.1f s", name, state.upcoming_sleep)

    return AsyncRetrying(
        retry=retry_if_exception_type(Busy),
        wait=wait,
        stop=stop_before_delay(retry_s),
        sleep=asyncio.sleep,
        before_sleep=tell,
        reraise=True,
    )
