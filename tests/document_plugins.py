"""A plugin for tests: a reader of plain text, and an indexer of its lines, that fail as a document's text says."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agentic import (
    Citation,
    Document,
    DocumentReader,
    Embedder,
    EmbedderProvider,
    Indexer,
    ModelUnavailable,
    Page,
    Passage,
    TextIndex,
    ToolError,
    VectorStore,
    hookimpl,
)
from agentic.ports.space import Space
from agentic.testing.memory_indexes import MemoryTextIndex, MemoryVectorStore, WordEmbedder


class PlainReader(DocumentReader):
    """Pages are parted by form feeds. A text that begins with a command is not read well."""

    name = "plain_reader"
    media_types = ("application/pdf", "text/html", "text/plain")

    def recognise(self, head: bytes, name: str) -> str | None:
        if head.startswith(b"RAISE"):
            raise RuntimeError("a bug in the reader")
        if b"\x00" in head:
            return None
        if head.startswith(b"<html"):
            return "text/html"
        return "application/pdf" if head.startswith(b"%PDF") else "text/plain"

    def read(self, path: Path) -> Iterator[Page]:
        text = path.read_text(errors="replace")
        match text.split(maxsplit=1)[0] if text.strip() else "":
            case "CRASH":
                os._exit(9)
            case "HANG":
                time.sleep(600)
            case "BUG":
                raise ValueError("what the file holds")
            case "ENCRYPTED":
                raise ToolError("It is encrypted. Upload it without a password.")
            case "MEMORY":
                bytearray(1 << 40)
            case "BOMB":
                while True:
                    yield Page("x" * 100_000)
            case "FULL" if (path.parents[3] / "full").exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case "DISK":
                with path.with_suffix(".unpacked").open("wb") as file:
                    while True:
                        file.write(bytes(1 << 20))
        yield from (Page(page, n, ("Top",)) for n, page in enumerate(text.split("\f"), 1))


class LineIndexer(Indexer):
    """Keeps every line of a document as a piece, in storage, full text and vectors."""

    name = "lines"
    away = False
    calls = 0
    released = False
    """Whether what does not heed that it is cancelled ends at last."""

    async def index(
        self, document: Document, pages: Sequence[Page], space: Space, progress: Callable[[float], None]
    ) -> int:
        type(self).calls += 1
        lines = [line for page in pages for line in page.text.splitlines() if line]
        for n, line in enumerate(lines):
            await self._obey(line)
            progress((n + 1) / len(lines))
        await space.storage.save(f"lines/{document.id}", lines)
        await space.storage.delete(f"log/{document.id}")
        await space.storage.append(f"log/{document.id}", lines)
        await self._fill(document.id, lines, space)
        return len(lines)

    async def _obey(self, line: str) -> None:
        match line.split(maxsplit=1)[0]:
            case "SLOW":
                await asyncio.sleep(0.2)
            case "FOREVER":
                await asyncio.sleep(600)
            case "STUBBORN":
                while not self.released:
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(0.05)
            case "AWAY" if self.away:
                raise ModelUnavailable("The embedding server cannot be reached.")
            case "BROKEN":
                raise RuntimeError(line)
            case "REFUSED":
                raise ToolError("There is nothing in it to index.")
            case "EXIT":
                os._exit(9)

    async def _fill(self, document_id: str, lines: Sequence[str], space: Space) -> None:
        """Nothing more, for a server that shall keep what it has over its end."""

    async def forget(self, document_id: str, space: Space) -> int:
        kept = await space.storage.load(f"lines/{document_id}")
        if kept is not None and any("UNFORGETTABLE" in line for line in kept.value) and self.away:
            raise RuntimeError("cannot forget")
        await space.storage.delete(f"lines/{document_id}")
        await space.storage.delete(f"log/{document_id}")
        return len(kept.value) if kept else 0

    async def search(
        self, query: str, space: Space, *, top_k: int = 5, documents: Sequence[str] | None = None
    ) -> Sequence[Passage]:
        if query == "stale":
            raise ToolError("The index is of another embedder. Run: agentic documents reindex")
        found = []
        for stored in await space.storage.list("lines/", limit=1000):
            document_id = stored.key.removeprefix("lines/")
            if documents is not None and document_id not in documents:
                continue
            for n, line in enumerate(stored.value):
                if query.lower() in line.lower():
                    url = f"/api/files/documents/{document_id}/content#page=1"
                    citation = Citation(url, "a title")
                    passage = Passage(
                        document_id=document_id, text=line, score=1 / (n + 1), start=n, end=n + 1, citation=citation
                    )
                    found.append(passage)
        return sorted(found, key=lambda one: -one.score)[:top_k]


class StoreIndexer(LineIndexer):
    """The same, with vectors and full text in stores that last as long as the process."""

    async def _fill(self, document_id: str, lines: Sequence[str], space: Space) -> None:
        embedder = await space.embedder()
        await (await space.vectors()).add(document_id, range(len(lines)), await embedder.embed(lines, "passage"))
        await space.texts().add(document_id, lines)

    async def forget(self, document_id: str, space: Space) -> int:
        await (await space.vectors()).delete(document_id)
        await space.texts().delete(document_id)
        return await super().forget(document_id, space)


@hookimpl
def agentic_document_readers() -> DocumentReader:
    return PlainReader()


@hookimpl
def agentic_indexers() -> Indexer:
    return LineIndexer()


class Words(EmbedderProvider):
    """The embedder that counts words, unless it is away."""

    name = "words"
    away = False

    async def resolve(self, model_id: str) -> Embedder | None:
        if self.away:
            raise ModelUnavailable("The embedding server cannot be reached.")
        return WordEmbedder()


@hookimpl
def agentic_embedders() -> EmbedderProvider:
    return Words()


@hookimpl
def agentic_vector_stores() -> VectorStore:
    return MemoryVectorStore()


@hookimpl
def agentic_text_indexes() -> TextIndex:
    return MemoryTextIndex()
