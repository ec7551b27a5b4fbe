"""What a run does besides answering, folded into one line that is written anew as it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from agentic.cli.steps import call, printable
from agentic.events import (
    ApprovalGiven,
    Event,
    ModelStarted,
    Progress,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)

_ANEW = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


@dataclass(slots=True)
class _Call:
    tool: str
    words: str
    began: float
    seconds: float | None = None
    error: bool = False


class Fold:
    """The steps between two stretches of an answer. ``draw`` shows where they are, ``settle`` what they came to.

    A terminal that cannot erase is shown the settled line alone.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._calls: dict[str, _Call] = {}
        self._since = clock()
        self._thinking_since: float | None = None
        self._thought_s = 0.0
        self._doing = ""
        self._drawn = ""

    def take(self, event: Event) -> None:
        """Note what happened; events that are no step change nothing."""
        now = self._clock()
        if isinstance(event, ThinkingDelta):
            if self._thinking_since is None:
                self._thinking_since = now
            self._thought_s = now - self._thinking_since
        elif isinstance(event, ToolCallStarted):
            self._calls[event.id] = _Call(event.tool, call(event), now)
            self._doing = ""
        elif isinstance(event, ToolCallFinished):
            ended = self._calls.setdefault(event.id, _Call(event.tool, f"{event.tool}()", now))
            ended.seconds, ended.error = event.seconds, event.error
        elif isinstance(event, ApprovalGiven):
            self._doing, self._since = "approved" if event.approved else "denied", now
        elif isinstance(event, ModelStarted):
            self._doing, self._since, self._thinking_since = f"waiting for {event.model}", now, None
        elif isinstance(event, Progress):
            self._doing = event.title if event.done is None else f"{event.title} {event.done:.0%}"

    def draw(self) -> None:
        """Write the line anew if it has changed."""
        line = self._line([*self._told(), self._now()])
        if line == self._drawn or not self._console.is_terminal or self._console.is_dumb_terminal:
            return
        self._drawn = line
        self._console.control(_ANEW)
        self._console.print(Text(line, style="dim"), end="", soft_wrap=True)

    def settle(self) -> None:
        """Leave what was done as the line's last words; where there was nothing worth a line, leave none."""
        if self._drawn:
            self._console.control(_ANEW)
        told = self._told()
        if not told and self._thinking_since is not None:
            told = [f"thought {_seconds(self._thought_s)}"]
        if told:
            self._console.print(Text(self._line(told), style="dim"), soft_wrap=True)

    def _told(self) -> list[str]:
        """The calls that ended; of a single one its arguments too."""
        ended = [one for one in self._calls.values() if one.seconds is not None]
        alone = len(self._calls) == 1
        return [
            f"{self._short(one.words) if alone else one.tool} {'✗' if one.error else '✓'} {_seconds(one.seconds or 0)}"
            for one in ended
        ]

    def _now(self) -> str:
        now = self._clock()
        running = [one for one in self._calls.values() if one.seconds is None]
        if running:
            title = f" ({self._doing})" if self._doing else ""
            words = ", ".join(self._short(one.words) if len(running) == 1 else one.tool for one in running)
            return f"{words}{title} … {_whole(now - running[0].began)}"
        if self._thinking_since is not None:
            return f"thinking {_whole(now - self._thinking_since)}"
        return f"{self._doing or 'starting'} {_whole(now - self._since)}"

    def _short(self, words: str) -> str:
        """A call's words, cut where its outcome would find no place behind them."""
        return _cut(_flat(words), max(20, self._console.width - 16))

    def _line(self, parts: list[str]) -> str:
        """The parts in one row of the terminal: the last ones, if not all find place."""
        width = self._console.width - 3
        parts = [_flat(part) for part in parts]
        sign = "→" if self._calls else "·"
        for first in range(len(parts)):
            line = " · ".join(["…", *parts[first:]] if first else parts)
            if cell_len(line) <= width:
                return f"{sign} {line}"
        return f"{sign} {_cut(parts[-1], width)}"


def _flat(text: str) -> str:
    """The text on one line, and nothing in it that would steer the terminal, whoever has written it."""
    return printable(text).replace("\n", " ")


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1))}…"


def _whole(seconds: float) -> str:
    return f"{seconds:.0f} s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.05 else "0 s"
