"""One command's work on an open kernel, its errors told in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from agentic.errors import AgenticError

if TYPE_CHECKING:
    from agentic.catalog.settings import Settings
    from agentic.kernel import Kernel

T = TypeVar("T")


def with_kernel(work: Callable[[Kernel], Awaitable[T]], *, half_a_copy: bool = False) -> T:
    """What ``work`` returns. What it logs goes to the log file alone.

    An AgenticError is printed on stderr, and the command ends with exit code 1. ``half_a_copy``: do it also over a
    storage to which a copy is not at its end.
    """
    from agentic import logs
    from agentic.catalog.settings import read_settings
    from agentic.kernel import open_kernel
    from agentic.runtime.copying import refuse_half_a_copy

    async def run(settings: Settings) -> T:
        async with open_kernel(settings) as kernel:
            if not half_a_copy:
                await refuse_half_a_copy(kernel.storage)
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
