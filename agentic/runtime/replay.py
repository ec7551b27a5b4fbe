"""What the log of a run that goes on knows of its tool calls, so that none is repeated that must not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentic.events import (
    ApprovalGiven,
    ApprovalNeeded,
    Entry,
    HandedOver,
    Resumed,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from agentic.messages import Json, ToolCall

_TAKEN_BACK = (TextDelta, ThinkingDelta, HandedOver)


@dataclass(slots=True)
class Logged:
    """A call in the log; ``end`` is None where it was cut off. ``redone``: its id belongs to work that is done anew.

    ``untrusted`` is its tool's trait; ``waits``: it was cut off before a person had allowed it.
    """

    id: str
    tool: str
    arguments: Json
    redone: bool
    untrusted: bool = False
    waits: bool = False
    end: ToolCallFinished | None = None

    @property
    def result(self) -> str:
        """What came back; empty where it was cut off."""
        return self.end.result if self.end else ""

    def is_equal(self, call: ToolCall) -> bool:
        """Whether it calls the same tool with the same arguments."""
        return self.tool == call.name and self.arguments == call.arguments


class Replay:
    """The calls in the log of a run that goes on from its checkpoint with the number ``since``.

    A call is known by its id. An agent that asks its model again instead of going on with the calls it had gets new
    ids: what follows the checkpoint is therefore known by tool and arguments too, each call once.
    """

    def __init__(self, entries: Sequence[Entry] = (), since: int = 0) -> None:
        self._calls: dict[str, Logged] = {}
        for entry in entries:
            event = entry.event
            if isinstance(event, ToolCallStarted):
                self._calls[event.id] = Logged(
                    event.id, event.tool, event.arguments, entry.number > since, event.untrusted
                )
            elif isinstance(event, (ApprovalNeeded, ApprovalGiven)) and event.id in self._calls:
                self._calls[event.id].waits = not (isinstance(event, ApprovalGiven) and event.approved)
            elif isinstance(event, ToolCallFinished) and event.id in self._calls:
                self._calls[event.id].end = event
                self._calls[event.id].waits = False

    def find(self, call: ToolCall) -> Logged | None:
        """What the log knows of a call, None for a new one."""
        known = self._calls.get(call.id)
        if known is not None and known.is_equal(call):
            known.redone = False
            return known
        for other in self._calls.values():
            if other.redone and other.is_equal(call):
                other.redone = False
                return other
        return None

    @property
    def untrusted(self) -> list[str]:
        """The untrusted tools, one for each call that has come to an end and brought in the words of strangers."""
        return [call.tool for call in self.finished() if call.untrusted]

    def finished(self) -> list[Logged]:
        """The calls that have an end, in their order."""
        return [call for call in self._calls.values() if call.end is not None]


def last_call_number(entries: Sequence[Entry]) -> int:
    """The highest number at the end of a call's id, see :meth:`agentic.runtime.run.LiveRun.new_call_id`."""
    ends = [entry.event.id.rpartition("-")[2] for entry in entries if isinstance(entry.event, ToolCallStarted)]
    return max((int(end) for end in ends if end.isascii() and end.isdigit()), default=0)


def standing(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without what was said in work that was then done anew: that is no part of the answer."""
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry.event, Resumed):
            kept = without_said(kept, entry.event.since)
        kept.append(entry)
    return kept


def without_said(entries: Sequence[Entry], since: int) -> list[Entry]:
    """The entries, of those after the one with the number ``since`` only what was not said to anybody."""
    return [entry for entry in entries if entry.number <= since or not isinstance(entry.event, _TAKEN_BACK)]
