"""``agentic ask``: one question, no server needed. Steps go to stderr, the answer to stdout."""

from __future__ import annotations

import signal
from asyncio import get_running_loop
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from agentic.cli.with_kernel import with_kernel
from agentic.errors import BadRequest, NotFound
from agentic.events import (
    Decided,
    Event,
    RunFailed,
    RunFinished,
    TextDelta,
    ThinkingDelta,
)
from agentic.messages import dump
from agentic.server.dialects.steps import line

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.ports.space import Principal
    from agentic.runtime.run import LiveRun

LOCAL = "local"
"""The id and name under which someone without a user account asks on this machine."""


def ask(
    question: Annotated[str, typer.Argument(help="What to ask; '-' reads it from standard input.")],
    agent: Annotated[str | None, typer.Option(help="The agent that shall answer.")] = None,
    model: Annotated[str | None, typer.Option(help="The model to use; DEFAULT_MODEL otherwise.")] = None,
    user: Annotated[
        str | None, typer.Option(help="Ask as this user; otherwise the only admin, or a local one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as one JSON object.")] = False,
) -> None:
    """Ask one question and print the answer."""
    text = typer.get_text_stream("stdin").read() if question == "-" else question

    async def work(kernel: Kernel) -> bool:
        return await _ask(kernel, text, _model(kernel, agent, model), user, as_json=as_json)

    if not with_kernel(work):
        raise typer.Exit(1)


def _model(kernel: Kernel, agent: str | None, model: str | None) -> str:
    """The ``model`` value that asks for this agent over this model."""
    if agent is None:
        return model or kernel.settings.default_model
    if model is not None and model.split("/", 1)[0] == "agentic":
        raise BadRequest("--agent and --model each name an agent; leave one out.")
    return f"agentic/{agent}@{model}" if model else f"agentic/{agent}"


async def _ask(kernel: Kernel, text: str, model: str, user: str | None, *, as_json: bool) -> bool:
    from agentic.messages import Message
    from agentic.runtime.request import RunRequest

    principal = await _principal(kernel, user)
    request = RunRequest(model=model, messages=(Message("user", text),))
    live = await kernel.engine.start(request, principal)
    # Ctrl-C stops the answer; what came of it is stored.
    get_running_loop().add_signal_handler(signal.SIGINT, live.cancel)
    return await (_print_json(live, model) if as_json else _print(live))


async def _principal(kernel: Kernel, name: str | None) -> Principal:
    from agentic.ports.space import Principal

    users = kernel.identity.users
    found = await (users.find(name) if name else kernel.identity.sole_admin())
    if found is not None and not found.disabled:
        return Principal(found.id, found.name, found.role, via="cli")
    if name:
        raise NotFound(f"There is no enabled user '{name}'. Run: agentic users list")
    return Principal(LOCAL, LOCAL, "user", via="cli")


async def _print(live: LiveRun) -> bool:
    steps = Console(stderr=True, highlight=False, style="dim")
    ended_with: Event | None = None
    async for batch in live.batches():
        for _, _, event in batch:
            ended_with = event
            if isinstance(event, TextDelta):
                typer.echo(_printable(event.text), nl=False)
            elif isinstance(event, ThinkingDelta):
                steps.print(_printable(event.text), end="", markup=False)
            elif step := _step(event):
                steps.print(_printable(step), markup=False, soft_wrap=True)
    if live.text:
        typer.echo()
    if isinstance(ended_with, RunFailed):
        typer.echo(f"error: {_printable(ended_with.message)}", err=True)
    return _is_answered(ended_with)


async def _print_json(live: LiveRun, model: str) -> bool:
    from agentic.server.dialects.chat_completions import Completion
    from agentic.server.errors import error_body
    from agentic.server.sse import failure

    entries = await live.log()
    last = entries[-1].event
    error = failure(last)
    body = Completion(live, model).whole(entries) if error is None else error_body(error)
    typer.echo(dump(body, indent=True).decode())
    return _is_answered(last)


def _is_answered(last: Event | None) -> bool:
    return isinstance(last, RunFinished) and last.reason != "cancelled"


def _step(event: Event) -> str:
    """An event as a line for people; empty for what is none."""
    return f"agent {event.agent}: {event.reason}" if isinstance(event, Decided) else line(event)


def _printable(text: str) -> str:
    """The text without halves of emoji, which no terminal can be sent."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
