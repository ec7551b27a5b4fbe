"""A run's steps as lines for people, the same on the terminal and among an answer's reasoning."""

from __future__ import annotations

from agentic.events import ApprovalGiven, ApprovalNeeded, Event, Notice, Progress, ToolCallFinished, ToolCallStarted
from agentic.messages import dump


def line(event: Event, *, shown: int | None = None) -> str:
    """An event as one step's line, without a line break at its end; empty for what is no step.

    ``shown``: how many characters of a tool's result are shown; None for all.
    """
    if isinstance(event, ToolCallStarted):
        arguments = ", ".join(f"{name}={dump(value).decode()}" for name, value in event.arguments.items())
        return f"→ {event.tool}({arguments})"
    if isinstance(event, ToolCallFinished):
        result = event.result if shown is None or len(event.result) <= shown else f"{event.result[:shown]}…"
        return f"{'✗' if event.error else '←'} {result}"
    if isinstance(event, ApprovalNeeded):
        return f"? {event.tool} waits for approval: {event.reason}"
    if isinstance(event, ApprovalGiven):
        return f"{'✓ approved' if event.approved else '✗ denied'}{f': {event.reason}' if event.reason else ''}"
    if isinstance(event, Progress):
        return f"… {event.title}"
    if isinstance(event, Notice):
        return f"! {event.text}"
    return ""
