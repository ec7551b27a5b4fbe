"""What a run may spend: model calls, tool calls, tokens, seconds. Each limit is a setting, and told when it is hit."""

from __future__ import annotations

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
            raise BudgetExceeded(
                f"Stopped: the limit of {self.limits.tokens} tokens a run (RUN_MAX_TOKENS) was reached."
            )
        if self.model_calls >= self.limits.model_calls:
            raise BudgetExceeded(
                f"Stopped: the limit of {self.limits.model_calls} model calls a run (RUN_MAX_MODEL_CALLS) was reached."
            )
        self.model_calls += 1

    def take_tool_calls(self, count: int) -> None:
        """Count tool calls that are about to begin."""
        if self.tool_calls + count > self.limits.tool_calls:
            raise BudgetExceeded(
                f"Stopped: the limit of {self.limits.tool_calls} tool calls a run (RUN_MAX_TOOL_CALLS) was reached."
            )
        self.tool_calls += count

    def spend(self, usage: Usage) -> None:
        """Count the tokens of a finished model call."""
        self.usage += usage

    @property
    def time_is_up(self) -> str:
        """What is said when the seconds have run out."""
        return f"Stopped: the limit of {self.limits.seconds:g} seconds a run (RUN_MAX_SECONDS) was reached."
