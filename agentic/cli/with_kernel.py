"""Commands on an open kernel, their errors told in one line."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import typer

from agentic.errors import AgenticError

if TYPE_CHECKING:
    from agentic.catalog.settings import Settings
    from agentic.kernel import Kernel

T = TypeVar("T")
P = ParamSpec("P")


def on_kernel(work: Callable[Concatenate[Kernel, P], Awaitable[None]]) -> Callable[P, None]:
    """Make a command of what is done on an open kernel: its first argument is the kernel, the others are typed.

    It runs as :func:`with_kernel` runs ``work``.
    """

    @functools.wraps(work)
    def command(*arguments: P.args, **options: P.kwargs) -> None:
        with_kernel(lambda kernel: work(kernel, *arguments, **options))

    # Typer reads from the signature what may be typed; the kernel is none of it, and its class is not imported here.
    kernel, *_ = inspect.signature(work).parameters
    del work.__annotations__[kernel]
    typed = inspect.signature(work, eval_str=True)
    signature: Any = typed.replace(parameters=[*typed.parameters.values()][1:])
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


def with_kernel(work: Callable[[Kernel], Awaitable[T]]) -> T:
    """What ``work`` returns. What it logs goes to the log file alone.

    An AgenticError is printed on stderr, and the command ends with exit code 1.
    """
    from agentic import logs
    from agentic.catalog.settings import read_settings
    from agentic.kernel import open_kernel

    async def run(settings: Settings) -> T:
        async with open_kernel(settings) as kernel:
            return await work(kernel)

    try:
        settings = read_settings()
        stop_logging = logs.configure(settings, console=False)
        try:
            return asyncio.run(run(settings))
        finally:
            stop_logging()
    except AgenticError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(1) from None
