"""Embedding for several documents at once: pieces wait in one queue and go to the embedder in full batches.

Documents take turns, so that a short one does not wait for the whole of a long one, and many short ones share a call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentic import Embedder, ModelError, ModelUnavailable

BATCH = 64
"""Pieces of a call. A model in the process cuts it further; to one behind HTTP each call costs a round trip."""
SHARE = 16
"""Pieces that a document gives at its turn."""
LONGEST_CALL_S = 300.0
"""How long an embedder may take over a call: one that hangs would hold up every document behind it."""


@dataclass(eq=False)
class _Job:
    """One document's texts on their way: ``rows`` holds the arrays that came back, in order."""

    texts: Sequence[str]
    done: asyncio.Future[None]
    progress: Callable[[float], None]
    taken: int = 0
    rows: list[Any] = field(default_factory=list)
    arrived: int = 0


class EmbeddingQueue:
    """Passages of several documents, embedded in common calls; one call at a time for each embedder."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[_Job]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def embed(self, embedder: Embedder, texts: Sequence[str], progress: Callable[[float], None]) -> Any:
        """A float32 array of shape ``(len(texts), dimensions)``. ``progress`` is told the part done after each call.

        Raises what the embedder raises for these texts. Cancelled, what is left of them is not embedded.
        """
        if not texts:
            return await embedder.embed([], "passage")
        job = _Job(texts, asyncio.get_running_loop().create_future(), progress)
        self._waiting.setdefault(embedder.id, deque()).append(job)
        if embedder.id not in self._workers:
            self._workers[embedder.id] = asyncio.create_task(self._work(embedder))
        await job.done
        return await asyncio.to_thread(_joined, job.rows)

    async def _work(self, embedder: Embedder) -> None:
        waiting = self._waiting[embedder.id]
        try:
            while batch := _next(waiting):
                await _embed(embedder, batch)
        finally:
            # Nothing is awaited in between: who comes now makes a worker of their own.
            del self._workers[embedder.id], self._waiting[embedder.id]
            for job in waiting:
                job.done.cancel()


def _joined(rows: list[Any]) -> Any:
    """One array of all rows, made in a thread: so is the first import of numpy, which takes a quarter of a second."""
    import numpy

    return numpy.concatenate(rows)


def _next(waiting: deque[_Job]) -> list[tuple[_Job, Sequence[str]]]:
    """Texts for one call: SHARE of each document in turn, more where there are few documents."""
    batch: dict[_Job, int] = {}
    room = BATCH
    while room and waiting:
        job = waiting.popleft()
        if job.done.done():
            continue
        count = min(SHARE, room, len(job.texts) - job.taken - batch.get(job, 0))
        batch[job] = batch.get(job, 0) + count
        room -= count
        if job.taken + batch[job] < len(job.texts):
            waiting.append(job)
    taken = []
    for job, count in batch.items():
        taken.append((job, job.texts[job.taken : job.taken + count]))
        job.taken += count
    return taken


class _Silent(ModelUnavailable):
    """The embedder gave no answer, and would give none for a part either."""


async def _called(embedder: Embedder, texts: Sequence[str]) -> Any:
    """The embedder's answer. One that does not heed that it is cancelled is left to itself. Raises _Silent."""
    calling = asyncio.create_task(embedder.embed(texts, "passage"))
    try:
        await asyncio.wait([calling], timeout=LONGEST_CALL_S)
        if not calling.done():
            raise _Silent(f"The embedder {embedder.id} gave no answer for {LONGEST_CALL_S:.0f} seconds.")
        return calling.result()
    finally:
        if not calling.done():
            calling.add_done_callback(lambda done: done.cancelled() or done.exception())
            calling.cancel()


async def _embed(embedder: Embedder, batch: list[tuple[_Job, Sequence[str]]]) -> None:
    """Embed a batch; where that fails, each document's part by itself, so that one cannot spoil the others."""
    wanted = [text for _, texts in batch for text in texts]
    try:
        rows = await _called(embedder, wanted)
        if len(rows) != len(wanted):
            raise ModelError(f"The embedder {embedder.id} gave {len(rows)} vectors for {len(wanted)} texts.")
    except Exception as error:  # noqa: BLE001 it is raised where the documents wait
        if len(batch) == 1 or isinstance(error, _Silent):
            for job, _ in batch:
                _fail(job, error)
            return
        for part in batch:
            await _embed(embedder, [part])
        return
    start = 0
    for job, texts in batch:
        _arrived(job, rows[start : start + len(texts)])
        start += len(texts)


def _fail(job: _Job, error: Exception) -> None:
    if not job.done.done():
        job.done.set_exception(error)


def _arrived(job: _Job, rows: Any) -> None:
    if job.done.done():
        return
    job.rows.append(rows)
    job.arrived += len(rows)
    try:
        job.progress(job.arrived / len(job.texts))
    except Exception as error:  # noqa: BLE001 it is the listener's, and raised where its document waits
        _fail(job, error)
        return
    if job.arrived == len(job.texts):
        job.done.set_result(None)
