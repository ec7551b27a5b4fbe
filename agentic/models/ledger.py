"""Where model calls are written down, as far as this package needs to know: the run keeps the books."""

from __future__ import annotations

from typing import Protocol

from agentic.events import Event
from agentic.messages import Usage


class Log(Protocol):
    """A run's log. ``emit`` raises RunEnded after its end; ``note`` is for what the kernel has seen."""

    def emit(self, event: Event) -> None:
        """Add an event."""

    def note(self, event: Event) -> None:
        """Add an event while there is a place for it."""


class Purse(Protocol):
    """What a run may spend. ``take_model_call`` raises BudgetExceeded."""

    def take_model_call(self) -> None:
        """Count a call that is about to begin."""

    def spend(self, usage: Usage) -> None:
        """Count the tokens of a call that is over."""
