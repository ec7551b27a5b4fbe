"""An answer for programs, files and pipes: the text on stdout as it comes, all else on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agentic.cli.output import for_output
from agentic.cli.steps import printable, step
from agentic.events import Event, Notice, RunFailed, RunFinished, TextDelta, ThinkingDelta

if TYPE_CHECKING:
    from agentic.runtime.run import LiveRun


async def print_answer(live: LiveRun, *, steps: bool) -> bool:
    """Print a run's answer, with its thinking and steps where ``steps`` is set; whether it was answered.

    Where the run was asked for with approvals, the person at the terminal is asked.
    """
    from rich.console import Console

    from agentic.cli.approval import ask_person

    console = Console(stderr=True, highlight=False, style="dim")
    ended_with: Event | None = None
    async for batch in live.batches():
        for _, _, event in batch:
            ended_with = event
            if isinstance(event, TextDelta):
                typer.echo(for_output(event.text), nl=False)
            elif isinstance(event, ThinkingDelta):
                if steps:
                    console.print(printable(event.text), end="", markup=False, soft_wrap=True)
            elif (steps or isinstance(event, Notice)) and (line := step(event)):
                console.print(printable(line), markup=False, soft_wrap=True)
        if live.approvals.waiting:
            await ask_person(live, console)
    if live.text:
        typer.echo()
    if isinstance(ended_with, RunFailed):
        typer.echo(f"error: {printable(ended_with.message)}", err=True)
    return is_answered(ended_with)


def is_answered(last: Event | None) -> bool:
    """Whether a run that ended with this event gave its whole answer."""
    return isinstance(last, RunFinished) and last.reason != "cancelled"
