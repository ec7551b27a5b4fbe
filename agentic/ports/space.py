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


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one user may use; None: as much as they like. A day is one of UTC."""

    requests_per_minute: int | None = None
    runs_at_once: int | None = None
    tokens_per_day: int | None = None
    storage_bytes: int | None = None


UNLIMITED = Allowance()


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated user: an opaque id, a name for people, a role, and how they came in (``token``, ``key``, …).

    ``scopes``: what the API key that was sent is good for; empty for one that is good for everything, and for tokens.
    """

    id: str
    name: str
    role: Role = "user"
    via: str = "token"
    scopes: tuple[str, ...] = ()
    allowance: Allowance = UNLIMITED


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
