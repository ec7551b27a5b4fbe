"""``agentic storage``: move everything to another storage, or to another store of files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic.cli.with_kernel import with_kernel
from agentic.errors import BadRequest, Conflict

if TYPE_CHECKING:
    from agentic.catalog.catalog import Kind
    from agentic.kernel import Kernel
    from agentic.runtime.copying import Copied, Tell

storage = typer.Typer(help="Where the server keeps its data.", no_args_is_help=True)


@storage.callback()
def _storage() -> None:
    """Keep `copy` a command of its own, though it is the only one."""


@storage.command("copy")
def copy(
    to: Annotated[str | None, typer.Option(help="The storage to copy documents and logs to.")] = None,
    blobs_to: Annotated[str | None, typer.Option(help="The store to copy files to.")] = None,
    source: Annotated[str | None, typer.Option("--from", help="The storage to copy from; unset, STORAGE.")] = None,
    blobs_source: Annotated[str | None, typer.Option("--blobs-from", help="The store of files to copy from.")] = None,
) -> None:
    """Copy everything that is kept, and compare it at the end. Begun anew, it goes on where it was.

    No server may be at work meanwhile. The source stays as it is; afterwards set STORAGE or BLOBS, and start it again.
    """
    copied = with_kernel(lambda kernel: _copy(kernel, (source, to), (blobs_source, blobs_to)), half_a_copy=True)
    if to:
        typer.echo(f"Copied and compared {copied.documents} documents and {copied.items} items of logs.", err=True)
    if blobs_to:
        typer.echo(f"Copied and compared {copied.files} files, {copied.bytes} bytes.", err=True)
    chosen = [f"{name}={value}" for name, value in (("STORAGE", to), ("BLOBS", blobs_to)) if value]
    typer.echo(f"Now set {' and '.join(chosen)}, and start the server.", err=True)


async def _copy(
    kernel: Kernel, storages: tuple[str | None, str | None], blobs: tuple[str | None, str | None]
) -> Copied:
    from agentic.runtime import copying

    copied = copying.Copied()
    if not (storages[1] or blobs[1]):
        raise BadRequest("Say where to: --to NAME for documents and logs, --blobs-to NAME for files.")
    if not storages[1]:
        await _copy_files(kernel, blobs, copied)
        return copied
    async with _both(kernel, "storage_backend", kernel.storage, storages) as (source, target):
        for one in (source, target):
            await _refuse_company(kernel, one)
        await _shown(
            f"{source.name} to {target.name}",
            copying.count_keys(source),
            lambda tell: copying.copy_storage(source, target, copied, tell),
        )
        if blobs[1]:
            await _copy_files(kernel, blobs, copied)
        # One that has begun meanwhile may have changed what was compared already.
        await _refuse_company(kernel, source)
        await copying.finish(target)
    return copied


async def _copy_files(kernel: Kernel, blobs: tuple[str | None, str | None], copied: Copied) -> None:
    from agentic.runtime import copying

    # Files are written by the servers of the storage that is in use.
    await _refuse_company(kernel, kernel.storage)
    async with _both(kernel, "blob_store", kernel.blobs, blobs) as (source, target):
        await _shown(
            f"files of {source.name} to {target.name}",
            copying.count_files(source),
            lambda tell: copying.copy_blobs(kernel.storage, source, target, copied, tell),
        )
        await _refuse_company(kernel, kernel.storage)
        await copying.finish_files(kernel.storage, target)


@asynccontextmanager
async def _both(
    kernel: Kernel, kind: Kind, in_use: Any, names: tuple[str | None, str | None]
) -> AsyncIterator[tuple[Any, Any]]:
    """Source and target by name, closed at the end where the kernel does not do that itself."""
    options = ("--from", "--to") if kind == "storage_backend" else ("--blobs-from", "--blobs-to")
    source, target = (
        kernel.catalog.choose(kind, name, option) if name else in_use
        for name, option in zip(names, options, strict=True)
    )
    if source is target:
        raise BadRequest(f"{options[1]} {target.name}: that is where it is copied from. Name another one.")
    try:
        yield source, target
    finally:
        for one in (source, target):
            if one is not in_use:
                await one.aclose()


async def _refuse_company(kernel: Kernel, storage: Any) -> None:
    """Raises Conflict while a server is at work on the storage."""
    from agentic.runtime.presence import Presence

    present = await Presence(storage, lease_s=kernel.settings.server_lease_seconds).present()
    if present:
        seconds = kernel.settings.server_lease_seconds
        raise Conflict(
            f"{len(present)} servers are at work on the storage {storage.name}. End them and try again; one that was "
            f"killed counts as gone after {seconds:g} seconds."
        )


async def _shown(title: str, counting: Awaitable[int], work: Callable[[Tell], Awaitable[None]]) -> None:
    """Do it with a bar of progress on stderr: each thing is copied, and then compared."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=2 * await counting)
        await work(lambda _key: progress.advance(task))
