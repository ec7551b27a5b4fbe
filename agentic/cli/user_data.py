"""``agentic users export`` and ``delete``: everything that is a user's, handed over or removed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.with_kernel import on_kernel, with_kernel
from agentic.errors import BadRequest

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.messages import Json

Name = Annotated[str, typer.Argument(help="The user's name.", show_default=False)]


def delete(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")] = False
) -> None:
    """Delete a user with all conversations, files, documents and keys, and say what was removed."""
    typed = ""
    if not yes and sys.stdin.isatty():
        typed = typer.prompt(f"Everything of {name}'s is removed. Type the name again", err=True)

    async def work(kernel: Kernel) -> Json:
        if not yes and typed != name:
            raise BadRequest("nothing was removed; say --yes, or type the user's name when asked")
        return await kernel.departures.delete(name)

    removed = with_kernel(work)
    counts = ", ".join(f"{count} {thing}" for thing, count in removed.items() if type(count) is int)
    typer.echo(f"Deleted {name}: {counts}.", err=True)


@on_kernel
async def export(
    kernel: Kernel,
    name: Name,
    to: Annotated[Path | None, typer.Option(help="The file to write; left out, NAME.zip in this folder.")] = None,
) -> None:
    """Write all that is a user's into a ZIP file: profile, conversations, runs, files and documents."""
    from agentic.runtime.export import export as write

    target = to or Path(f"{name}.zip")
    counts = await write(kernel.everything, kernel.identity, name, target)
    typer.echo(f"Wrote {target}: {', '.join(f'{count} {thing}' for thing, count in counts.items())}.", err=True)
