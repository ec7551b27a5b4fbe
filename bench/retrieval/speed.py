"""How long indexing and asking take over real text, beside the embedding, which is measured by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

from agentic import Page, TextIndex, VectorStore
from agentic_rag.chunks import pieces, split
from agentic_rag.search import search
from bench.retrieval.corpus import Source
from bench.retrieval.embedding import RandomEmbedder
from bench.retrieval.library import Library
from bench.routing.embedder import embedder as installed

PAGE = 3000
"""Characters of a page, as a book has them."""


async def indexing_and_asking(
    vectors: VectorStore, texts: TextIndex, sources: Sequence[Source], sizes: Sequence[int], asked: Sequence[str]
) -> list[str]:
    """A row for each size in chunks: pages a second while it grows, and milliseconds of a question."""
    library = Library(RandomEmbedder(), vectors, texts)
    rows = []
    waiting = list(sources)
    pages = taken = 0.0
    for size in sizes:
        while waiting and library.chunks < size:
            batch, waiting = waiting[:4], waiting[4:]
            began = time.perf_counter()
            await library.take_in(batch)
            taken += time.perf_counter() - began
            pages += sum(len(source.text) for source in batch) / PAGE
        spent = [await _milliseconds(library, text) for text in asked]
        rows.append(
            f"{library.chunks:7} chunks   {pages / taken:7.1f} pages/s without embedding"
            f"   query p50 {median(spent):6.1f} ms, p99 {quantiles(spent, n=100)[98]:6.1f} ms without embedding"
        )
    await library.aclose()
    return rows


async def embedding(texts: Sequence[str], asked: Sequence[str]) -> list[str]:
    """How many pieces a second the embedder takes, and how long a question."""
    embedder = await installed()
    await embedder.embed([*texts[:8]], "passage")
    began, used = time.perf_counter(), time.process_time()
    await embedder.embed(texts, "passage")
    spent, used = time.perf_counter() - began, time.process_time() - used
    times = []
    for text in asked:
        began = time.perf_counter()
        await embedder.embed([text], "query")
        times.append((time.perf_counter() - began) * 1000)
    rate, busy = len(texts) / spent, used / spent
    return [
        f"{embedder.id}: {rate:.1f} pieces/s, {rate * sum(map(len, texts)) / len(texts) / PAGE:.2f} pages/s, "
        f"with {busy:.1f} of the cores; a question p50 {median(times):.1f} ms, p99 {quantiles(times, n=100)[98]:.1f} ms"
    ]


def some_pieces(sources: Sequence[Source]) -> list[str]:
    """Pieces of the corpus, of every length."""
    pages = [Page(part.text) for source in sources[::20] for part in source.sections]
    found = [piece.text for piece in pieces(pages, split(pages, 1000, 200))]
    return found[:: max(1, len(found) // 128)]


async def _milliseconds(library: Library, text: str) -> float:
    began = time.perf_counter()
    await search(text, library.space, top_k=5)
    return (time.perf_counter() - began) * 1000


def folder(root: Path, name: str) -> Path:
    """A folder for one run's stores."""
    made = root / name
    made.mkdir(parents=True)
    return made
