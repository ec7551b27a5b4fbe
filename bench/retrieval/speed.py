"""How long indexing and asking take over real text, beside the embedding, which is measured by itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from agentic import Page, TextIndex, VectorStore
from agentic_rag.chunks import pieces, split
from agentic_rag.search import search
from bench.retrieval.corpus import Source
from bench.retrieval.embedding import RandomEmbedder
from bench.retrieval.library import Library
from bench.routing.embedder import embedder as installed

PAGE = 3000
"""Characters of a page, as a book has them."""
TURN, LOOP = 64, 4
"""Texts that embedder and loop take in turn, and of the loop's run: of 1, 4, 8 and 16, four cost least."""


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
        await _milliseconds(library, asked[0])
        used = time.process_time()
        spent = [await _milliseconds(library, text) for text in asked]
        used = (time.process_time() - used) / len(asked) * 1000
        rows.append(
            f"{library.chunks:7} chunks   {pages / taken:7.1f} pages/s without embedding"
            f"   query p50 {median(spent):6.1f} ms, p99 {quantiles(spent, n=100)[98]:6.1f} ms, "
            f"{used:5.1f} ms of CPU time, without embedding   {_resident():5.0f} MB in the process"
        )
    await library.aclose()
    return rows


async def embedding(texts: Sequence[str], asked: Sequence[str]) -> list[str]:
    """How many pieces a second the embedder takes, beside a plain loop over its model, and how long a question."""
    embedder = await installed()
    await embedder.embed([*texts[:8]], "passage")
    plain = await asyncio.to_thread(PlainLoop)
    spent = used = loop_spent = loop_used = 0.0
    for start in range(0, len(texts), TURN):
        part = texts[start : start + TURN]
        began, before = time.perf_counter(), time.process_time()
        await embedder.embed(part, "passage")
        spent, used = spent + time.perf_counter() - began, used + time.process_time() - before
        began, before = time.perf_counter(), time.process_time()
        await asyncio.to_thread(plain.embed, part)
        loop_spent, loop_used = loop_spent + time.perf_counter() - began, loop_used + time.process_time() - before
    times = []
    for text in asked:
        began = time.perf_counter()
        await embedder.embed([text], "query")
        times.append((time.perf_counter() - began) * 1000)
    rate, busy = len(texts) / spent, used / spent
    loop = (
        f"a plain loop over the same model, {LOOP} texts at a time: {len(texts) / loop_spent:.1f} pieces/s; "
        f"the embedder beside it: {loop_spent / spent:.2f} by the clock, {loop_used / used:.2f} by CPU time"
    )
    return [
        f"{embedder.id}: {rate:.1f} pieces/s, {rate * sum(map(len, texts)) / len(texts) / PAGE:.2f} pages/s, "
        f"with {busy:.1f} of the cores; "
        f"a question p50 {median(times):.1f} ms, p99 {quantiles(times, n=100)[98]:.1f} ms",
        loop,
    ]


class PlainLoop:
    """What anybody would write: the texts in their order, some at a time, padded to the longest of them."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        from agentic_embed_minilm import model

        self._tokenizer = Tokenizer.from_file(str(model.TOKENIZER_FILE))
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(256)
        self._session = onnxruntime.InferenceSession(model.installed_model(), providers=["CPUExecutionProvider"])

    def embed(self, texts: Sequence[str]) -> list[Any]:
        """Their vectors, an array for each run."""
        import numpy

        made = []
        for start in range(0, len(texts), LOOP):
            found = self._tokenizer.encode_batch([*texts[start : start + LOOP]])
            ids = numpy.array([each.ids for each in found], dtype=numpy.int64)
            mask = numpy.array([each.attention_mask for each in found], dtype=numpy.int64)
            fields = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            names = [each.name for each in self._session.get_inputs()]
            hidden = self._session.run(["last_hidden_state"], {name: fields[name] for name in names})[0]
            means = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            made.append(means / numpy.linalg.norm(means, axis=1, keepdims=True))
        return made


def some_pieces(sources: Sequence[Source]) -> list[str]:
    """Pieces of the corpus, of every length."""
    pages = [Page(part.text) for source in sources[::20] for part in source.sections]
    found = [piece.text for piece in pieces(pages, split(pages, 1000, 200))]
    return found[:: max(1, len(found) // 128)]


async def _milliseconds(library: Library, text: str) -> float:
    began = time.perf_counter()
    await search(text, library.space, top_k=5)
    return (time.perf_counter() - began) * 1000


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def folder(root: Path, name: str) -> Path:
    """A folder for one run's stores."""
    made = root / name
    made.mkdir(parents=True)
    return made
