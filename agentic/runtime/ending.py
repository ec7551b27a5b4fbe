"""How a run came out: what its agent's work ended with, as the run's last event."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

from agentic.errors import AgenticError, BudgetExceeded
from agentic.events import EndReason, Event, ModelFinished, Notice, RunFailed, RunFinished
from agentic.runtime.files import links
from agentic.runtime.record import failed
from agentic.runtime.run import LiveRun

logger = logging.getLogger(__name__)


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


def finished(live: LiveRun, reason: EndReason, told: str) -> RunFinished:
    """The end of a run as it should be; ``told`` and the files it has made are said below its answer."""
    if told:
        live.channel.note(Notice(told))
        live.tell(told)
    # What goes on at the client's is not done yet.
    if reason in ("stop", "length") and (made := links(live.channel.entries, live.text)):
        live.tell(made)
    return RunFinished(reason, live.budget.usage)


def last_finish(live: LiveRun) -> str:
    """How the run's last model call ended; empty where there was none."""
    for entry in reversed(live.channel.entries):
        if isinstance(entry.event, ModelFinished):
            return entry.event.finish
    return ""


def failure(live: LiveRun, error: BaseException) -> RunFailed:
    """The event for an error; what is no AgenticError is a bug, logged with its trace and not told."""
    if not isinstance(error, AgenticError):
        logger.error("[Engine] Run failed: run=%s agent=%s", live.id, live.agent, exc_info=error)
        error = AgenticError(f"The run failed inside the server ({type(error).__name__}). Its log says more.")
    return failed(error, live.budget.usage)


def log_end(live: LiveRun, last: Event) -> None:
    """Log how a run came out, and how long it took from its request."""
    if len(live.channel.entries) == 1:
        # It was waited for, and has ended elsewhere: it has no log here.
        return
    took = (time.time() - live.started_at) * 1000
    if isinstance(last, RunFailed):
        logger.warning("[Engine] Run failed: run=%s status=%d code=%s ms=%.0f", live.id, last.status, last.code, took)
    elif isinstance(last, RunFinished):
        logger.info("[Engine] Run finished: run=%s reason=%s ms=%.0f", live.id, last.reason, took)
