"""All that a kernel keeps, as its parts see it, over what is given."""

from __future__ import annotations

from agentic import BlobStore, HttpClient, StorageBackend
from agentic.documents.shelf import Shelf
from agentic.runtime.indexes import Embedders, Indexes
from agentic.runtime.spaces import Scope
from agentic.testing.http import FakeHttp
from agentic.testing.memory_blobs import MemoryBlobs


def scope_over(
    storage: StorageBackend,
    blobs: BlobStore | None = None,
    http: HttpClient | None = None,
    indexes: Indexes | None = None,
) -> Scope:
    """Everything, with a web that has no pages where none is given, and nothing that finds things in documents."""
    files = blobs or MemoryBlobs()
    indexes = indexes or Indexes(Embedders({}), None, None)
    return Scope(storage, files, http or FakeHttp({}), Shelf(storage, files), indexes, Shelf)
