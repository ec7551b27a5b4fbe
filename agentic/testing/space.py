"""A space for tests: :class:`FakeSpace`, in memory but whole."""

from __future__ import annotations

from agentic.ports.blobs import BlobStore
from agentic.ports.embedder import Embedder
from agentic.ports.http import HttpClient
from agentic.ports.space import Space
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import Texts
from agentic.ports.vectors import Vectors
from agentic.testing.http import FakeHttp
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_indexes import MemoryDocuments, MemoryTextIndex, MemoryVectorStore, WordEmbedder
from agentic.testing.memory_storage import MemoryStorage

__all__ = ["FakeSpace"]


class FakeSpace(Space):
    """Storage, files, documents and indexes in memory, and a web that holds the given pages or, left out, none.

    ``current_embedder`` may be replaced, as an operator may change EMBEDDING_MODEL.
    """

    documents: MemoryDocuments

    def __init__(
        self,
        storage: StorageBackend | None = None,
        blobs: BlobStore | None = None,
        http: HttpClient | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.storage = storage or MemoryStorage()
        self.blobs = blobs or MemoryBlobs()
        self.http = http or FakeHttp()
        self.documents = MemoryDocuments()
        self.current_embedder = embedder or WordEmbedder()
        self.vector_store = MemoryVectorStore()
        self.text_index = MemoryTextIndex()

    async def embedder(self) -> Embedder:
        """See :class:`Space`."""
        return self.current_embedder

    async def vectors(self) -> Vectors:
        """See :class:`Space`."""
        embedder = self.current_embedder
        return self.vector_store.collection("test", embedder=embedder.id, dimensions=embedder.dimensions)

    def texts(self) -> Texts:
        """See :class:`Space`."""
        return self.text_index.collection("test")
