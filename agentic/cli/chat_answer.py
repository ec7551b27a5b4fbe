"""An answer on a terminal: the text as it comes, steps folded, and below it what else there is to tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentic.cli.approval import ask_person
from agentic.cli.chat_fold import Fold
from agentic.cli.plain import is_answered
from agentic.cli.steps import printable
from agentic.events import (
    ApprovalGiven,
    CitationAdded,
    Event,
    FileAdded,
    Notice,
    Progress,
    RunFailed,
    RunFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallStarted,
)

if TYPE_CHECKING:
    from agentic.runtime.run import LiveRun

TICK_S = 1.0
"""Seconds of silence after which the folded line tells anew how long it has been."""


class Screen:
    """Where answers are shown: ``console``, and ``errors`` for what went wrong where the two are no terminal.

    A remark that came once is not repeated with each answer.
    """

    def __init__(self, console: Console, errors: Console) -> None:
        self._console = console
        self._errors = console if console.is_terminal else errors
        self._told: set[str] = set()

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it."""
        return self._console.is_terminal

    def tell(self, text: str, style: str = "") -> None:
        """Print text of any origin, with an end of line."""
        _print(self._console, text, style)

    def error(self, message: str) -> None:
        """Print what went wrong, in one line."""
        _print(self._errors, f"error: {' '.join(message.split())}", "red")

    def rows(self, rows: Sequence[tuple[str, str]], current: str = "") -> None:
        """Print names and what is told of each; the ``current`` one is marked."""
        marked = [(f"{'*' if current and name == current else ' '} {name}", told) for name, told in rows]
        width = max(len(name) for name, _ in marked)
        if not self.is_terminal:
            for name, told in marked:
                self.tell(f"{name:{width}}  {told}")
            return
        table = Table.grid("", "", padding=(0, 2, 0, 0))
        table.columns[0].no_wrap = True
        for name, told in marked:
            table.add_row(Text(printable(name)), Text(printable(told)))
        self._console.print(table)

    def gap(self) -> None:
        """Set the next question apart from what was answered."""
        if self.is_terminal:
            self.tell("")

    async def show(self, live: LiveRun) -> bool:
        """Show a run to its end; whether it was answered."""
        answer = _Answer(self._console)
        last: Event | None = None
        async for batch in live.batches(quiet_s=TICK_S):
            for _, _, last in batch:
                answer.take(last)
            if live.approvals.waiting:
                answer.end()
                await ask_person(live, self._console)
            answer.draw()
        answer.end()
        for line in self._remarks(live):
            self.tell(line, "yellow" if line.startswith("!") else "dim")
        if isinstance(last, RunFailed):
            self.error(last.message)
        elif isinstance(last, RunFinished) and last.reason == "cancelled":
            self.tell("Stopped.", "dim")
        return is_answered(last)

    def _remarks(self, live: LiveRun) -> list[str]:
        """Notices that the answer does not hold, its sources, and its files."""
        events = [entry.event for entry in live.channel.entries]
        notices = [event.text for event in events if isinstance(event, Notice)]
        fresh = [text for text in dict.fromkeys(notices) if text not in live.text and text not in self._told]
        self._told.update(notices)
        cited = {event.citation.url: event.citation.title for event in events if isinstance(event, CitationAdded)}
        files = [event.file for event in events if isinstance(event, FileAdded)]
        return [
            *(f"! {text}" for text in fresh),
            *(f"source: {title or url}" + (f" <{url}>" if title else "") for url, title in cited.items()),
            *(f"file: {file.name} ({_size(file.size)}); /save {file.name}" for file in files),
        ]


class _Answer:
    """Text and folded steps in turn, each beginning on a line of its own."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._fold: Fold | None = Fold(console)
        self._in_line = False

    def take(self, event: Event) -> None:
        """Show text; leave anything else to the folded line."""
        if isinstance(event, TextDelta):
            self._write(printable(event.text))
            return
        if self._fold is None and isinstance(event, (ThinkingDelta, ToolCallStarted, ApprovalGiven, Progress)):
            self._end_line()
            self._fold = Fold(self._console)
        if self._fold is not None:
            self._fold.take(event)

    def draw(self) -> None:
        """Bring the folded line up to date."""
        if self._fold is not None:
            self._fold.draw()

    def end(self) -> None:
        """Settle what is folded, and end the line."""
        self._settle()
        self._end_line()

    def _write(self, text: str) -> None:
        if self._fold is not None:
            # Models begin what they say with empty lines.
            text = text.lstrip("\n")
        if text:
            self._settle()
            self._console.file.write(text)
            self._console.file.flush()
            self._in_line = not text.endswith("\n")

    def _end_line(self) -> None:
        if self._in_line:
            self._console.file.write("\n")
            self._in_line = False

    def _settle(self) -> None:
        if self._fold is not None:
            self._fold.settle()
            self._fold = None


def _print(console: Console, text: str, style: str) -> None:
    console.print(Text(printable(text), style=style), soft_wrap=True)


def _size(count: int) -> str:
    return f"{count} bytes" if count < 1000 else f"{count / 1000:,.0f} KB"
