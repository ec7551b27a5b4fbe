"""Documents being taken in, with a bar on stderr that shows how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from agentic.cli.steps import printable
from agentic.cli.with_kernel import LOCAL, principal_of
from agentic.documents.library import Library
from agentic.documents.readers import file_pieces
from agentic.documents.reindexing import Reindexing
from agentic.errors import AgenticError, NotFound, StorageError, UnsupportedType
from agentic.kernel import Kernel
from agentic.ports.documents import Document
from agentic.ports.space import Principal

PIECE = 1 << 20
LOOK_S = 0.2


class Adding:
    """Adds files of this machine to a user's documents."""

    def __init__(self, library: Library, principal: Principal) -> None:
        self._library = library
        self._principal = principal
        self._shelf = library.shelf(principal)
        self._is_well = True

    async def run(self, paths: Sequence[Path]) -> bool:
        """Add all files, and wait until each was taken in, or failed; whether all went well."""
        files = await asyncio.to_thread(_files, paths)
        begun: list[str] = []
        with _bar("Adding", len(files)) as (progress, bar):
            async with _watched(self._library):
                for path, is_named in files:
                    document = await self._add(path, is_named)
                    if document is not None:
                        begun.append(document.id)
                progress.update(bar, total=len(begun))
                done = await self._follow(begun, progress, bar)
        ready = sum(one.status == "ready" for one in done)
        chunks = sum(one.chunks for one in done)
        typer.echo(f"Added {ready} of {len(files)} files: {chunks} chunks.", err=True)
        return self._is_well and ready == len(begun)

    async def _add(self, path: Path, is_named: bool) -> Document | None:
        try:
            return await self._library.add(self._principal, path.name, file_pieces(path, PIECE))
        except StorageError:
            # The next file would fare no better.
            raise
        except (AgenticError, OSError) as error:
            why = error.message if isinstance(error, AgenticError) else str(error.strerror)
            is_passed_over = isinstance(error, UnsupportedType) and not is_named
            self._is_well = self._is_well and is_passed_over
            typer.echo(printable(f"{'Passed over' if is_passed_over else 'Not added'}: {path}: {why}"), err=True)
            return None

    async def _follow(self, document_ids: Sequence[str], progress: Progress, bar: TaskID) -> list[Document]:
        """Show how far the documents are until none is being indexed any more."""
        waiting, done = list(document_ids), list[Document]()
        told: set[str] = set()
        while waiting:
            parts = 0.0
            for document_id in waiting.copy():
                try:
                    document = await self._shelf.get(document_id)
                except NotFound:
                    waiting.remove(document_id)
                    continue
                parts += document.progress
                if document.error and document.error not in told:
                    told.add(document.error)
                    _tell_error(document)
                if document.status != "indexing":
                    waiting.remove(document_id)
                    done.append(document)
            progress.update(bar, completed=len(done) + parts if waiting else len(done))
            if waiting:
                await asyncio.sleep(LOOK_S)
        return done


async def reindex_all(kernel: Kernel, user: str | None, *, anew: bool) -> bool:
    """Index the documents of one user or of all anew; whether all went well."""
    library = kernel.documents
    rounds = [Reindexing(library, one) for one in await _principals(kernel, user)]
    left = [await one.left(anew=anew) for one in rounds]
    failed = 0

    def told(document: Document | None) -> None:
        nonlocal failed
        if document is not None:
            failed += document.status == "failed"
            _tell_error(document)
        progress.advance(bar, 0 if document is not None and document.status == "indexing" else 1)

    with _bar("Indexing", sum(map(len, left))) as (progress, bar):
        async with _watched(library):
            for one, document_ids in zip(rounds, left, strict=True):
                await one.run(document_ids, told)
    typer.echo(f"Indexed {sum(map(len, left)) - failed} of {sum(map(len, left))} documents.", err=True)
    return not failed


async def _principals(kernel: Kernel, user: str | None) -> list[Principal]:
    if user is not None:
        return [await principal_of(kernel, user)]
    return [*(Principal(one.id, one.name) for one in await kernel.identity.users.list()), Principal(LOCAL, LOCAL)]


def _tell_error(document: Document) -> None:
    if document.error:
        typer.echo(printable(f"{document.name}: {document.error}"), err=True)


@contextmanager
def _bar(title: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress, progress.add_task(title, total=total)


@asynccontextmanager
async def _watched(library: Library) -> AsyncIterator[None]:
    """Try again what has to wait for something that is away, for as long as this lasts."""
    watching = asyncio.create_task(library.watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def _files(paths: Sequence[Path]) -> list[tuple[Path, bool]]:
    """The files, each with whether it was named itself; hidden ones in folders are left out."""
    found: dict[Path, bool] = {}
    for path in paths:
        if path.is_file():
            found[path] = True
            continue
        for one in sorted(path.rglob("*")):
            is_hidden = any(part.startswith(".") for part in one.relative_to(path).parts)
            if one.is_file() and not is_hidden:
                found.setdefault(one, False)
    return list(found.items())
