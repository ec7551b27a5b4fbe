"""``agentic documents``: add, list, delete, search and index anew the documents of a user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentic.cli.output import AsJson, day, print_json
from agentic.cli.steps import printable
from agentic.cli.with_kernel import on_kernel, principal_of

if TYPE_CHECKING:
    from agentic.kernel import Kernel
    from agentic.ports.documents import Document

documents = typer.Typer(help="Documents that answers may be found in.", no_args_is_help=True)

User = Annotated[str | None, typer.Option("--user", help="Whose; otherwise the only admin's, or a local user's.")]


@documents.command("add")
@on_kernel
async def add(
    kernel: Kernel,
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with all that is in them.", exists=True)],
    user: User = None,
) -> None:
    """Add files, and wait until they are taken in. Files in folders that no reader knows are passed over."""
    from agentic.cli.documents_progress import Adding

    adding = Adding(kernel.documents, await principal_of(kernel, user))
    if not await adding.run(paths):
        raise typer.Exit(1)


@documents.command("list")
@on_kernel
async def show(kernel: Kernel, user: User = None, as_json: AsJson = False) -> None:
    """List the documents, the newest first."""
    shelf = kernel.documents.shelf(await principal_of(kernel, user))
    found = [record.document for record in await shelf.records()]
    if as_json:
        from agentic.server.routes_files import shown_document

        print_json([shown_document(one) for one in found])
        return
    if not found:
        typer.echo("No documents yet. Add some: agentic documents add PATH", err=True)
    for one in found:
        state = f"{one.progress:.0%}" if one.status == "indexing" else one.status
        line = f"{one.id}  {day(one.created_at)}  {state:8}  {one.chunks:6}  {one.size:10}  {one.name}"
        typer.echo(printable(f"{line}  ({one.error})" if one.error else line))


@documents.command("delete")
@on_kernel
async def delete(
    kernel: Kernel,
    names: Annotated[list[str], typer.Argument(metavar="DOCUMENT...", help="Ids, or names that one document has.")],
    user: User = None,
) -> None:
    """Delete documents with every trace of them, and say what was removed."""
    principal = await principal_of(kernel, user)
    known = [record.document for record in await kernel.documents.shelf(principal).records()]
    for document_id in [_named(known, name) for name in names]:
        removed = await kernel.documents.delete(principal, document_id)
        counts = f"{removed.bytes} bytes, {removed.pages} pages, {removed.chunks} chunks"
        typer.echo(printable(f"Deleted {removed.name} ({document_id}): {counts}."), err=True)


@documents.command("search")
@on_kernel
async def search(
    kernel: Kernel,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    top_k: Annotated[int, typer.Option(min=1, max=50, help="Most passages.")] = 5,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Find the passages that fit a query best, without a model."""
    principal = await principal_of(kernel, user)
    shelf = kernel.documents.shelf(principal)
    passages = await kernel.documents.search(principal, query, top_k=top_k)
    found = [(one, (await shelf.get(one.document_id)).name) for one in passages]
    if as_json:
        from agentic.server.routes_files import shown_passage

        print_json({"passages": [shown_passage(one, name) for one, name in found]})
        return
    if not found:
        typer.echo("Nothing was found.", err=True)
    for passage, name in found:
        place = f", page {passage.page}" if passage.page else ""
        typer.echo(printable(f"[{passage.score:.2f}] {name}{place}\n{passage.text}\n"))


@documents.command("reindex")
@on_kernel
async def reindex(
    kernel: Kernel,
    user: Annotated[str | None, typer.Option("--user", help="Only of this user; otherwise of all.")] = None,
    anew: Annotated[bool, typer.Option(help="Begin with the first one, not where it was cut short.")] = False,
) -> None:
    """Index all documents anew, as is due after EMBEDDING_MODEL was changed. Cut short, it goes on where it was."""
    from agentic.cli.documents_progress import reindex_all

    if not await reindex_all(kernel, user, anew=anew):
        raise typer.Exit(1)


def _named(known: list[Document], name: str) -> str:
    """The id of the one document with this name; an id is taken as it is. Raises NotFound, BadRequest."""
    from agentic.documents.record import ID
    from agentic.errors import BadRequest, NotFound

    found = [one.id for one in known if name == one.name]
    if not found and ID.fullmatch(name):
        # One whose record is damaged is not known, and can be deleted all the same.
        return name
    if not found:
        raise NotFound(f"There is no document '{name}'. Run: agentic documents list")
    if len(found) > 1:
        raise BadRequest(f"There are {len(found)} documents named '{name}'; say which by its id: {', '.join(found)}")
    return found[0]
