"""Embedders for the bench: the server's own with its vectors kept on disk, and one that costs nothing."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy

from agentic import Embedder
from bench.retrieval.corpus import CACHE
from bench.routing.embedder import embedder as installed


class KeptEmbedder(Embedder):
    """What an embedder made of passages is kept under ``.cache/retrieval``, so that the bench embeds them once."""

    def __init__(self, embedder: Embedder) -> None:
        self.id, self.dimensions, self.max_tokens = embedder.id, embedder.dimensions, embedder.max_tokens
        self.embedded = 0
        self._embedder = embedder
        self._kept: dict[str, Any] = {}
        if self._file.exists():
            with numpy.load(self._file) as held:
                self._kept = dict(zip(held["keys"].tolist(), held["rows"], strict=True))

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """See :class:`Embedder`. Queries are always embedded anew: their time is measured."""
        if kind == "query":
            return await self._embedder.embed(texts, kind)
        keys = [hashlib.sha1(text.encode("utf-8", "replace")).hexdigest() for text in texts]
        missing = [place for place, key in enumerate(keys) if key not in self._kept]
        if missing:
            rows = await self._embedder.embed([texts[place] for place in missing], kind)
            self._kept |= {keys[place]: row for place, row in zip(missing, rows, strict=True)}
            self.embedded += len(missing)
        return numpy.stack([self._kept[key] for key in keys]) if keys else numpy.empty((0, self.dimensions), "float32")

    def keep(self) -> None:
        """Write what is new to the disk."""
        if self.embedded:
            numpy.savez(self._file, keys=numpy.array([*self._kept]), rows=numpy.stack([*self._kept.values()]))

    @property
    def _file(self) -> Path:
        return CACHE / f"vectors-{self.id}.npz"


class RandomEmbedder(Embedder):
    """A random direction for each text, always the same: what the rest of the work costs shows beside it."""

    id = "random"
    dimensions = 384
    max_tokens = 256

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """See :class:`Embedder`."""
        return await asyncio.to_thread(self._rows, texts)

    def _rows(self, texts: Sequence[str]) -> Any:
        rows = numpy.empty((len(texts), self.dimensions), dtype=numpy.float32)
        for row, text in zip(rows, texts, strict=True):
            row[:] = numpy.random.default_rng(zlib.crc32(text.encode())).standard_normal(self.dimensions)
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


async def kept() -> KeptEmbedder:
    """The embedder inside the process, with its vectors kept. Raises LookupError where none is installed."""
    return KeptEmbedder(await installed())
