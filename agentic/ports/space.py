"""What one principal owns, as one plugin sees it. No method takes a user: the handles are bound when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from agentic.ports.blobs import BlobStore
from agentic.ports.documents import Documents
from agentic.ports.embedder import Embedder
from agentic.ports.http import HttpClient
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import Texts
from agentic.ports.vectors import Vectors

Role = Literal["admin", "user"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated user: an opaque id, a name for people, a role, and how they came in (``token``, ``key``, …)."""

    id: str
    name: str
    role: Role = "user"
    via: str = "token"


class Space(Protocol):
    """One principal's belongings under one plugin. Keys need no prefix: nobody else can reach them.

    ``http`` fetches whatever a model, a page or a user names; no other client may.
    """

    storage: StorageBackend
    blobs: BlobStore
    http: HttpClient
    documents: Documents

    async def embedder(self) -> Embedder:
        """The embedder that EMBEDDING_MODEL names, resolved at the first use.

        Raises ModelNotFound where no plugin has it, ModelUnavailable while its server is away.
        """
        ...

    async def vectors(self) -> Vectors:
        """The user's vectors as this plugin stores them, bound to that embedder; VECTOR_DB_TYPE chose the store.

        Raises what ``embedder`` raises, and StorageError where no store of vectors is installed.
        """
        ...

    def texts(self) -> Texts:
        """The user's full-text index under this plugin. Raises StorageError where none is installed."""
        ...
