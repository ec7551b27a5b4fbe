"""What an agent's work came to grief on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from agentic.errors import AgenticError, BudgetExceeded


def raised(work: asyncio.Task[None]) -> BaseException | None:
    """What the agent's work came to grief on; of an exception group the limit that was hit, or a bug, or the first."""
    if not work.done():
        return None
    if work.cancelled():
        return AgenticError("The run failed inside the server: its agent was cancelled, and not by the server.")
    errors = list(_single(work.exception()))
    errors.sort(key=lambda error: (not isinstance(error, BudgetExceeded), isinstance(error, AgenticError)))
    return errors[0] if errors else None


def _single(error: BaseException | None) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _single(inner)
    elif error is not None:
        yield error
