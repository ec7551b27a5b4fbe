"""What a run may spend: steps, tool calls, tokens, seconds. Each limit is a setting, and told when it is hit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agentic.errors import BudgetExceeded
from agentic.messages import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one run; seconds are wall time."""

    model_calls: int = 30
    tool_calls: int = 50
    tokens: int = 200_000
    seconds: float = 600


class Budget:
    """Counts what one run spends and raises BudgetExceeded at the first step beyond a limit."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.usage = Usage()
        self.model_calls = 0
        self.tool_calls = 0

    def take_model_call(self) -> None:
        """Count a model call that is about to begin."""
        if self.usage.total >= self.limits.tokens:
            raise BudgetExceeded(_reached(f"{self.limits.tokens} tokens", "RUN_MAX_TOKENS"))
        if self.model_calls >= self.limits.model_calls:
            raise BudgetExceeded(_reached(f"{self.limits.model_calls} model calls", "RUN_MAX_MODEL_CALLS"))
        self.model_calls += 1

    def take_tool_calls(self, count: int) -> None:
        """Count tool calls that are about to begin."""
        if self.tool_calls + count > self.limits.tool_calls:
            raise BudgetExceeded(_reached(f"{self.limits.tool_calls} tool calls", "RUN_MAX_TOOL_CALLS"))
        self.tool_calls += count

    def spend(self, usage: Usage) -> None:
        """Count the tokens of a finished model call."""
        self.usage += usage

    @property
    def time_is_up(self) -> str:
        """What is said when the seconds have run out."""
        return _reached(f"{self.limits.seconds:g} seconds", "RUN_MAX_SECONDS")


def _reached(limit: str, setting: str) -> str:
    return f"Stopped: the limit of {limit} a run ({setting}) was reached."


class Clock:
    """Rings once a run has worked for its seconds. While a person is asked it stands still."""

    def __init__(self) -> None:
        self._left_s = 0.0
        self._since = 0.0
        self._pauses = 0
        self._ring: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, ring: Callable[[], None]) -> None:
        """Call ``ring`` after so many seconds of work."""
        self._left_s, self._ring = seconds, ring
        self._go_on()

    def stop(self) -> None:
        """Never ring."""
        self._halt()
        self._ring = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While this is held, by however many, no time passes."""
        self._pauses += 1
        if self._pauses == 1:
            self._halt()
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._go_on()

    def _go_on(self) -> None:
        if self._ring is not None and not self._pauses:
            loop = asyncio.get_running_loop()
            self._since = loop.time()
            self._timer = loop.call_later(self._left_s, self._ring)

    def _halt(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left_s -= asyncio.get_running_loop().time() - self._since
