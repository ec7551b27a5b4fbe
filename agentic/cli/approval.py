"""The person at the terminal is asked whether a call may run."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from agentic.cli.steps import printable
from agentic.cli.terminal import changed
from agentic.errors import Conflict
from agentic.messages import dump

if TYPE_CHECKING:
    from agentic.events import ApprovalNeeded
    from agentic.runtime.run import LiveRun

QUESTION = "Run it? [y/N] "
YES = ("y", "yes")
CTRL_D = b"\x04"


async def ask_person(live: LiveRun, console: Console) -> None:
    """Show each call that waits, and let it run if the answer is yes; until it is too late, or the run ends."""
    for needed in live.approvals.waiting:
        for line in shown(needed):
            console.print(Text(line), soft_wrap=True)
        reading = asyncio.ensure_future(_answer(console))
        settled = asyncio.ensure_future(live.approvals.settled(needed.id))
        try:
            await asyncio.wait([reading, settled], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                with suppress(Conflict):
                    live.approvals.answer(needed.id, approved=reading.result() in YES, by=live.principal.name)
            else:
                console.print()
        finally:
            settled.cancel()
            reading.cancel()
            # The terminal is as it was before anything else is read from it.
            await asyncio.wait([reading])


def shown(needed: ApprovalNeeded) -> list[str]:
    """A call in lines for a person who must see what it does: all of it, and nothing that looks like the question."""
    lines = [f"? {needed.tool}: {needed.reason}."]
    for name, value in needed.arguments.items():
        text = value if isinstance(value, str) else dump(value).decode()
        lines.append(f"  {_plain(name)}:")
        lines += (f"  | {_plain(line)}" for line in text.splitlines() or [""])
    return lines


def _plain(text: str) -> str:
    """The text with what is invisible in it spelt out: marks that turn the writing can make a program look harmless."""
    spelt = (f"\\u{ord(one):04x}" if unicodedata.category(one) == "Cf" else one for one in text)
    return printable("".join(spelt)).replace("\n", " ")


async def _answer(console: Console) -> str:
    """The line that is typed after the question, in lower case; empty where there is none to come."""
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str] = loop.create_future()

    def take() -> None:
        try:
            typed = os.read(descriptor, 4096)
        except OSError:
            # The terminal has gone away.
            typed = b""
        if not read.done():
            read.set_result(typed.decode(errors="replace").strip().lower())

    descriptor = sys.stdin.fileno()
    # What was typed before the question is no answer to it.
    with changed(descriptor, _listen, when=termios.TCSAFLUSH):
        loop.add_reader(descriptor, take)
        # Not before the terminal listens: an answer to what is on the screen must not be dropped.
        console.print(Text(QUESTION), end="")
        try:
            return await read
        finally:
            loop.remove_reader(descriptor)


def _listen(settings: list[Any]) -> None:
    """Have a terminal echo whole lines."""
    settings[3] |= termios.ECHO | termios.ICANON
    # An answer that is being written has it put aside for the next prompt; here it is no.
    settings[6][termios.VEOF] = CTRL_D
