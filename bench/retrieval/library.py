"""One user's space with the corpus in it, indexed as in the server, in the stores that are installed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from agentic import Document, Embedder, Page, TextIndex, VectorStore
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.testing.space import FakeSpace
from agentic_rag.indexer import RagIndexer
from agentic_rag.settings import Settings as RagSettings
from bench.retrieval.corpus import Source


class Library:
    """The space, and what indexes it. A document's id is its name."""

    def __init__(self, embedder: Embedder, vectors: VectorStore, texts: TextIndex) -> None:
        self.space = FakeSpace(embedder=embedder)
        self.space.vector_store, self.space.text_index = vectors, texts  # type: ignore[assignment]  # not in memory
        self.indexer = RagIndexer(RagSettings())
        self.chunks = 0

    async def take_in(self, sources: Iterable[Source]) -> None:
        """Index documents, four at a time."""
        turns = asyncio.Semaphore(4)

        async def one(source: Source) -> None:
            pages = [Page(part.text, 0, part.heading) for part in source.sections]
            document = Document(
                id=source.name,
                name=source.name,
                size=len(source.text),
                media_type="text/html",
                status="indexing",
                created_at=0.0,
            )
            async with turns:
                count = await self.indexer.index(document, pages, self.space, lambda done: None)
            self.chunks += count

        await asyncio.gather(*map(one, sources))

    async def aclose(self) -> None:
        """Let go of the stores."""
        await self.space.vector_store.aclose()
        await self.space.text_index.aclose()


def stores(folder: Path) -> tuple[dict[str, VectorStore], TextIndex]:
    """The installed stores of vectors by name, and the full-text index (TEXT_INDEX), in a folder of their own."""
    settings = read_settings(data_dir=folder)
    catalog = load(settings)
    vectors = {one.name: one.object for one in catalog.all("vector_store")}
    return vectors, catalog.choose("text_index", settings.text_index, "TEXT_INDEX")
