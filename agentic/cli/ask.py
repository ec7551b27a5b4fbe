"""``agentic ask``: one question, no server needed. Steps go to stderr, the answer to stdout."""

from __future__ import annotations

import signal
import sys
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.choice import Agent, Choice, Model
from agentic.cli.plain import is_answered, print_answer
from agentic.cli.with_kernel import principal_of, with_kernel

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.runtime.run import LiveRun


def ask(
    question: Annotated[str, typer.Argument(help="What to ask; '-' reads it from standard input.")],
    agent: Agent = None,
    model: Model = None,
    user: Annotated[
        str | None, typer.Option(help="Ask as this user; otherwise the only admin, or a local one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as one JSON object.")] = False,
) -> None:
    """Ask one question and print the answer."""
    from agentic.cli.output import end_with, need_output

    need_output()
    text = _read() if question == "-" else question
    if not text.strip():
        end_with("the question is empty")

    # A person is asked where there is one who sees the question and can type.
    is_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    approvals = not as_json and question != "-" and is_terminal

    async def work(kernel: Kernel) -> bool:
        value = Choice(agent, model).value(kernel.settings.default_model)
        return await _ask(kernel, text, value, user, as_json=as_json, approvals=approvals)

    if not with_kernel(work):
        raise typer.Exit(1)


def _read() -> str:
    """The question from standard input; bytes that are no text do not end it."""
    from agentic.cli.output import end_with

    if sys.stdin is None:
        end_with("there is no standard input to read the question from")
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    return sys.stdin.read()


async def _ask(kernel: Kernel, text: str, model: str, user: str | None, *, as_json: bool, approvals: bool) -> bool:
    from agentic.messages import Message
    from agentic.runtime.request import RunRequest

    principal = await principal_of(kernel, user)
    request = RunRequest(model=model, messages=(Message("user", text),), approvals=approvals)
    live = await kernel.engine.start(request, principal)
    # Ctrl-C stops the answer; what came of it is stored.
    get_running_loop().add_signal_handler(signal.SIGINT, live.cancel)
    return await (_print_json(live, model) if as_json else print_answer(live, steps=True))


async def _print_json(live: LiveRun, model: str) -> bool:
    from agentic.cli.output import print_json
    from agentic.server.dialects.chat_completions import Completion
    from agentic.server.errors import error_body
    from agentic.server.sse import failure

    entries = await live.log()
    last = entries[-1].event
    error = failure(last)
    body = Completion(live, model).whole(entries) if error is None else error_body(error)
    print_json(body)
    return is_answered(last)
