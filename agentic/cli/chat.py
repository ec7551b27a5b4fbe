"""``agentic chat``: a conversation in the terminal, no server needed."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.choice import AUTO, Agent, Choice, Model
from agentic.cli.with_kernel import principal_of, with_kernel

if TYPE_CHECKING:
    from agentic.cli.chat_pipe import Pipe
    from agentic.cli.chat_prompt import Prompt
    from agentic.cli.chat_talk import Talk
    from agentic.kernel import Kernel

    Lines = Pipe | Prompt
    """Where the lines of a conversation come from."""

_LEAVE_ON = (signal.SIGTERM, signal.SIGHUP)


def chat(
    agent: Agent = None,
    model: Model = None,
    user: Annotated[
        str | None, typer.Option(help="Talk as this user; otherwise the only admin, or a local one.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Go on with this conversation.", metavar="ID")] = None,
) -> None:
    """Talk in the terminal; without one, each line of standard input is a question.

    /help tells what else can be written.
    """
    from agentic.cli.output import end_with, need_output

    need_output()
    if sys.stdin is None:
        end_with("there is no standard input to read questions from")
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    async def work(kernel: Kernel) -> int:
        choice = Choice("" if agent == AUTO else agent, model)
        talk = await _open(kernel, user, choice, session, is_terminal=is_terminal)
        return await converse(talk, await _prompt(talk) if is_terminal else _pipe())

    if code := with_kernel(work):
        raise typer.Exit(code)


async def converse(talk: Talk, lines: Lines) -> int:
    """Answer line by line, and obey commands; returns the exit code.

    On a terminal that is 0. Without one it is 1 if something was not answered, and 130 after ctrl-C.
    """
    from agentic.cli.chat_commands import is_command, obey

    code = 0
    with _signals(talk, lines) as received:
        while not talk.is_over and (line := await lines.next()) is not None:
            if not line.strip():
                continue
            with lines.busy():
                done = await talk.take(obey(talk, line) if is_command(line) else talk.ask(line))
            if not done:
                code = 1
            talk.screen.gap()
    return 0 if talk.screen.is_terminal else 130 if signal.SIGINT in received else code


async def _open(kernel: Kernel, user: str | None, choice: Choice, session: str | None, *, is_terminal: bool) -> Talk:
    from rich.console import Console

    from agentic.cli.chat_answer import Screen
    from agentic.cli.chat_commands import tell_last
    from agentic.cli.chat_talk import Talk
    from agentic.cli.plain import print_answer

    principal = await principal_of(kernel, user)
    screen = Screen(Console(highlight=False, force_terminal=is_terminal), Console(stderr=True, highlight=False))
    talk = Talk(kernel, principal, screen, screen.show if is_terminal else partial(print_answer, steps=False))
    await talk.choose(choice)
    messages = await talk.go_on(session) if session is not None else []
    if is_terminal:
        screen.tell(f"Talking as {principal.name}. /help tells what can be written, ctrl-D leaves.", "dim")
        if messages:
            tell_last(talk, messages)
    return talk


async def _prompt(talk: Talk) -> Lines:
    from agentic.cli.chat_commands import COMMANDS
    from agentic.cli.chat_prompt import Prompt

    async def models() -> AsyncIterator[str]:
        for chosen in await talk.kernel.directory.listing():
            yield chosen.id

    async def agents() -> AsyncIterator[str]:
        for name in (AUTO, *talk.kernel.catalog.agents()):
            yield name

    completions = {name: {"model": models, "agent": agents}.get(name) for name in COMMANDS}
    return Prompt(lambda: talk.model, await talk.questions(), completions)


def _pipe() -> Lines:
    from agentic.cli.chat_pipe import Pipe

    # A file object of its own: the interpreter's must not be held by a thread when it ends.
    return Pipe(open(sys.stdin.fileno(), encoding="utf-8", errors="replace", closefd=False))


@contextmanager
def _signals(talk: Talk, lines: Lines) -> Iterator[set[int]]:
    """While this is held ctrl-C stops what is being done; a terminal that goes away, or SIGTERM, ends it all.

    Gives the signals that have come.
    """
    received: set[int] = set()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        received.add(signal.SIGINT)
        if not talk.stop() or not talk.screen.is_terminal:
            lines.interrupt()

    def leave(which: int) -> None:
        received.add(which)
        talk.is_over = True
        talk.stop()
        lines.end()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    for which in _LEAVE_ON:
        loop.add_signal_handler(which, leave, which)
    try:
        yield received
    finally:
        for which in (signal.SIGINT, *_LEAVE_ON):
            loop.remove_signal_handler(which)
