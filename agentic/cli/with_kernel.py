"""Commands on an open kernel, their errors told in one line; and as whom they ask."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from agentic.cli.output import end_with
from agentic.errors import AgenticError, NotFound

if TYPE_CHECKING:
    from agentic.catalog.settings import Settings
    from agentic.kernel import Kernel
    from agentic.ports.space import Principal

T = TypeVar("T")
P = ParamSpec("P")
LOCAL = "local"
"""The id and name under which someone without a user account asks on this machine."""


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


def with_kernel(work: Callable[[Kernel], Awaitable[T]], *, half_a_copy: bool = False) -> T:
    """What ``work`` returns. What it logs goes to the log file alone.

    An AgenticError is printed on stderr, and the command ends with exit code 1. ``half_a_copy``: do it also over a
    storage, or a store of files, to which a copy is not at its end.
    """
    from agentic import logs
    from agentic.catalog.settings import read_settings
    from agentic.kernel import open_kernel

    async def run(settings: Settings) -> T:
        async with open_kernel(settings, half_a_copy=half_a_copy) as kernel:
            return await work(kernel)

    try:
        settings = read_settings()
        stop_logging = logs.configure(settings, console=False)
        try:
            return asyncio.run(run(settings))
        finally:
            stop_logging()
    except AgenticError as error:
        end_with(error.message)


async def principal_of(kernel: Kernel, name: str | None) -> Principal:
    """The enabled user of this name; without one the only admin, or else a local one. Raises NotFound."""
    from agentic.ports.space import Principal

    users = kernel.identity.users
    found = await (users.find(name) if name else kernel.identity.sole_admin())
    if found is not None and not found.disabled:
        return Principal(found.id, found.name, found.role, via="cli")
    if name:
        raise NotFound(f"There is no enabled user '{name}'. Run: agentic users list")
    return Principal(LOCAL, LOCAL, "user", via="cli")
