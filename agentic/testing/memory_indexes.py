"""Indexes in memory for tests: an embedder that counts words, vectors, full text, and a user's documents."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from agentic.errors import NotFound
from agentic.ports.documents import Document, Documents, Page
from agentic.ports.embedder import Embedder
from agentic.ports.texts import TextIndex, Texts
from agentic.ports.vectors import Hit, Vectors, VectorStore


class WordEmbedder(Embedder):
    """Texts that share words are near one another: each word has a place, told by its checksum."""

    max_tokens = 256

    def __init__(self, model_id: str = "words", dimensions: int = 256) -> None:
        self.id = model_id
        self.dimensions = dimensions

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """See :class:`Embedder`."""
        import numpy

        rows = numpy.full((len(texts), self.dimensions), 1e-6, dtype=numpy.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in _words(text):
                row[zlib.crc32(word.encode("utf-8", "replace")) % self.dimensions] += 1
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


class MemoryVectors(Vectors):
    """The vectors of one scope, in ``rows``: document → (embedder's id, numbers, array)."""

    def __init__(self, rows: dict[str, tuple[str, list[int], Any]], embedder: str, dimensions: int) -> None:
        self._rows = rows
        self._embedder = embedder
        self._dimensions = dimensions

    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        """See :class:`Vectors`."""
        if tuple(vectors.shape) != (len(numbers), self._dimensions):
            raise ValueError(f"{len(numbers)} rows of {self._dimensions}, not {vectors.shape}")
        self._rows.pop(doc_id, None)
        if len(numbers):
            self._rows[doc_id] = (self._embedder, list(numbers), vectors.copy())

    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """See :class:`Vectors`."""
        best: dict[tuple[str, int], float] = {}
        for doc_id, (embedder, numbers, rows) in self._rows.items():
            if embedder == self._embedder and (doc_ids is None or doc_id in doc_ids):
                for number, score in zip(numbers, rows @ vector, strict=True):
                    best[doc_id, number] = max(best.get((doc_id, number), -1.0), float(score))
        hits = [Hit(doc_id, number, score) for (doc_id, number), score in best.items()]
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    async def delete(self, doc_id: str) -> int:
        """See :class:`Vectors`."""
        _, numbers, _ = self._rows.pop(doc_id, ("", [], None))
        return len(numbers)

    async def documents(self) -> Mapping[str, str]:
        """See :class:`Vectors`."""
        return {doc_id: embedder for doc_id, (embedder, _, _) in self._rows.items()}


class MemoryVectorStore(VectorStore):
    """A store of vectors that is gone with the process."""

    name = "memory"

    def __init__(self) -> None:
        self._scopes: dict[str, dict[str, tuple[str, list[int], Any]]] = {}

    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        """See :class:`VectorStore`."""
        return MemoryVectors(self._scopes.setdefault(_scope(scope), {}), embedder, dimensions)

    async def scopes(self) -> Sequence[str]:
        """See :class:`VectorStore`."""
        return [scope for scope, documents in self._scopes.items() if documents]

    async def drop(self, scope: str) -> int:
        """See :class:`VectorStore`."""
        documents = self._scopes.get(_scope(scope), {})
        count = sum(len(numbers) for _, numbers, _ in documents.values())
        documents.clear()
        return count


class MemoryTexts(Texts):
    """The texts of one scope: a piece scores by how many of the query's words it holds."""

    def __init__(self, pieces: dict[str, list[str]]) -> None:
        self._pieces = pieces

    async def add(self, doc_id: str, texts: Sequence[str]) -> None:
        """See :class:`Texts`."""
        self._pieces.pop(doc_id, None)
        if texts:
            self._pieces[doc_id] = list(texts)

    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """See :class:`Texts`."""
        wanted = set(_words(query))
        hits = [
            Hit(doc_id, number, float(shared))
            for doc_id, texts in self._pieces.items()
            if doc_ids is None or doc_id in doc_ids
            for number, text in enumerate(texts)
            if (shared := len(wanted & set(_words(text))))
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:k]

    async def delete(self, doc_id: str) -> int:
        """See :class:`Texts`."""
        return len(self._pieces.pop(doc_id, []))

    async def documents(self) -> Sequence[str]:
        """See :class:`Texts`."""
        return list(self._pieces)


class MemoryTextIndex(TextIndex):
    """A full-text index that is gone with the process."""

    name = "memory"

    def __init__(self) -> None:
        self._scopes: dict[str, dict[str, list[str]]] = {}

    def collection(self, scope: str) -> Texts:
        """See :class:`TextIndex`."""
        return MemoryTexts(self._scopes.setdefault(_scope(scope), {}))

    async def scopes(self) -> Sequence[str]:
        """See :class:`TextIndex`."""
        return [scope for scope, documents in self._scopes.items() if documents]

    async def drop(self, scope: str) -> int:
        """See :class:`TextIndex`."""
        documents = self._scopes.get(_scope(scope), {})
        count = sum(map(len, documents.values()))
        documents.clear()
        return count


class MemoryDocuments(Documents):
    """A user's documents, put there with ``put``."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Document, bytes, tuple[Page, ...]]] = {}

    def put(self, document: Document, data: bytes = b"", pages: Sequence[Page] = ()) -> None:
        """Keep a document with its file and its pages, in place of one with the same id."""
        self._kept[document.id] = (document, data, tuple(pages))

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[Document]:
        """See :class:`Documents`."""
        newest = sorted((document for document, _, _ in self._kept.values()), key=lambda one: -one.created_at)
        ids = [document.id for document in newest]
        start = ids.index(after) + 1 if after in ids else 0
        return newest[start : start + limit]

    async def get(self, document_id: str) -> Document:
        """See :class:`Documents`."""
        return self._entry(document_id)[0]

    async def open(self, document_id: str, start: int = 0) -> AsyncIterator[bytes]:
        """See :class:`Documents`."""
        yield self._entry(document_id)[1][start:]

    async def pages(self, document_id: str) -> Sequence[Page]:
        """See :class:`Documents`."""
        return self._entry(document_id)[2]

    def _entry(self, document_id: str) -> tuple[Document, bytes, tuple[Page, ...]]:
        if document_id not in self._kept:
            raise NotFound("there is no such document")
        return self._kept[document_id]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _scope(scope: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,120}", scope):
        raise ValueError(f"no scope: {scope!r}")
    return scope
