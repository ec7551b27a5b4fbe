"""One command's work on an open kernel, its errors told in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from agentic.errors import AgenticError

if TYPE_CHECKING:
    from agentic.kernel import Kernel

T = TypeVar("T")


def with_kernel(work: Callable[[Kernel], Awaitable[T]]) -> T:
    """What ``work`` returns. An AgenticError is printed on stderr, and the command ends with exit code 1."""

    async def run() -> T:
        from agentic.kernel import open_kernel

        async with open_kernel() as kernel:
            return await work(kernel)

    try:
        return asyncio.run(run())
    except AgenticError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(1) from None
