"""A run's steps as lines for people, the same on the terminal and among an answer's reasoning, and as data."""

from __future__ import annotations

from collections.abc import Sequence

from agentic.events import (
    ApprovalGiven,
    ApprovalNeeded,
    CitationAdded,
    Decided,
    Entry,
    Event,
    FileAdded,
    Notice,
    Progress,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
    entry_to_json,
)
from agentic.messages import Json, dump

PLAIN_STEPS = (ToolCallStarted, ToolCallFinished, ApprovalNeeded, ApprovalGiven, Progress, Notice, FileAdded)
STEPS = (*PLAIN_STEPS, CitationAdded)
SHOWN_CHARACTERS = 500
"""How much of a tool's result is shown among the reasoning; ``agentic`` has it whole."""


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


def thought(event: Event) -> str:
    """An event among the reasoning: thinking as it comes, a step as a line; empty for what is neither."""
    if isinstance(event, ThinkingDelta):
        return event.text
    step = line(event, shown=SHOWN_CHARACTERS)
    # Thinking need not end its line.
    before = "\n" if isinstance(event, ToolCallStarted) else ""
    return f"{before}{step}\n" if step else ""


def origin(run_id: str, session_id: str, decided: Decided | None) -> Json:
    """Where an answer comes from, under the key ``agentic``: its run, its conversation, and who was decided on."""
    told: Json = {"run_id": run_id, "session_id": session_id}
    if decided is not None:
        told["agent"] = decided.agent
        told["decision"] = {"reason": decided.reason, "bids": list(decided.bids), "router": decided.router}
    return told


def steps_of(entries: Sequence[Entry]) -> Json:
    """All steps of a run, and what its user was told beside the answer, for the key ``agentic``."""
    steps = [entry_to_json(entry) for entry in entries if isinstance(entry.event, STEPS)]
    return {"steps": steps, "notices": [entry.event.text for entry in entries if isinstance(entry.event, Notice)]}
