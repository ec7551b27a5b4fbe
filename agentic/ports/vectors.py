"""Port: a store of vectors, each of a piece of a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Hit:
    """A piece that was found: ``number`` within its document, from 0; a higher ``score`` is better."""

    doc_id: str
    number: int
    score: float


class Vectors(Protocol):
    """The vectors of one scope, all of one embedder. Every method raises StorageError when the medium fails.

    Whatever ``add`` or ``delete`` returned for survives a crash; one that failed left what was there before.
    """

    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        """Store a document's vectors in place of those it had.

        ``vectors``: float32 of shape ``(len(numbers), dimensions)``, rows of length 1; row n is of piece
        ``numbers[n]``, and a piece may have several rows. Raises ValueError for another shape.
        """
        ...

    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """The ``k`` nearest pieces, the best first, by cosine; a piece counts by its nearest row, and once.

        ``vector``: shape ``(dimensions,)``. ``doc_ids``: of these documents alone; an empty sequence finds nothing.
        Documents that another embedder has stored are passed over.
        """
        ...

    async def delete(self, doc_id: str) -> int:
        """Remove a document's vectors, whoever embedded them; how many rows that were."""
        ...

    async def documents(self) -> Mapping[str, str]:
        """The id of each document that has vectors here, with the id of the embedder that made them."""
        ...


class VectorStore(Protocol):
    """A place for vectors.

    ``scope`` is an opaque name from the kernel: 1 to 120 of the letters A to Z and a to z, digits, ``_``, ``-`` and
    ``.``; another is a ValueError. A document's id may be any text. ``leaves`` tells people what stays in its files of
    what was deleted, and until when; empty where nothing does.
    """

    name: str
    rank: int = 0
    leaves: str = ""

    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        """The vectors of a scope, bound to one embedder, whose id is kept with them. Does no input or output."""
        ...

    async def scopes(self) -> Sequence[str]:
        """Every scope that holds anything."""
        ...

    async def drop(self, scope: str) -> int:
        """Remove all of a scope; how many rows that were."""
        ...

    async def health(self) -> str | None:
        """None if vectors can be stored and found, else what is wrong."""
        return None

    async def aclose(self) -> None:
        """Let go of the medium."""
        return None
