"""The last event of a run: how its agent's work came out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any

from agentic.errors import AgenticError, BudgetExceeded
from agentic.events import Decided, EndReason, Event, ModelFinished, Notice, RunFailed, RunFinished
from agentic.runtime.files import links, made_files
from agentic.runtime.record import failed
from agentic.runtime.run import LiveRun

logger = logging.getLogger(__name__)


async def outcome(live: LiveRun, working: Coroutine[Any, Any, None], limit_s: float) -> Event:
    """Wait until the agent is done, or is ended, and say how it came out; it may work for ``limit_s`` seconds."""
    work = asyncio.ensure_future(working)
    live.attach(work)
    left_s = max(0, limit_s - live.spent_s)
    live.clock.start(left_s, partial(live.end, "length", live.budget.time_is_up))
    await asyncio.wait([work, live.abandoned], return_when=asyncio.FIRST_COMPLETED)
    live.clock.stop()
    if not work.done():
        logger.error("[Engine] Agent does not let go and is left behind: run=%s agent=%s", live.id, live.agent)
    error = _raised(work)
    if live.ended_early is not None:
        return finished(live, *live.ended_early)
    if isinstance(error, BudgetExceeded):
        return finished(live, "length", error.message)
    if error is not None:
        return failure(live, error)
    reason: EndReason = "length" if last_finish(live) == "length" else "stop"
    return finished(live, reason, _silence(live, reason))


def _raised(work: asyncio.Task[None]) -> BaseException | None:
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
    if reason == "length":
        live.give_draft()
    if told:
        live.channel.note(Notice(told))
        live.tell(told)
    # What goes on at the client's is not done yet.
    if reason in ("stop", "length") and (made := links(live.channel.entries, live.text)):
        live.tell(made)
    return RunFinished(reason, live.budget.usage)


def _silence(live: LiveRun, reason: EndReason) -> str:
    """What is said where the agent asked a model, and there is nothing to be read or opened; else empty."""
    if live.is_plain or live.text.strip() or made_files(live.channel.entries) or not last_finish(live):
        return ""
    cut = ": its limit of length was reached before it began one" if reason == "length" else ""
    return f"The model gave no answer{cut}."


def last_finish(live: LiveRun) -> str:
    """How the agent's last model call ended; a router's calls come before the first decision, and do not count."""
    entries = live.channel.entries
    # A run that goes on is decided on once more: what its agent asked before is the agent's all the same.
    decided = next((n for n, entry in enumerate(entries) if isinstance(entry.event, Decided)), len(entries))
    for entry in reversed(entries[decided:]):
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
