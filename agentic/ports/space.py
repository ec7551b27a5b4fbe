"""What one principal owns, as one plugin sees it. No method takes a user: the handles are bound when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from agentic.ports.blobs import BlobStore
from agentic.ports.http import HttpClient
from agentic.ports.storage import StorageBackend

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
