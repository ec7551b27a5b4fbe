"""Port: a full-text index over pieces of documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agentic.ports.vectors import Hit


class Texts(Protocol):
    """The indexed texts of one scope. Every method raises StorageError when the medium fails.

    Whatever ``add`` or ``delete`` returned for survives a crash; one that failed left what was there before.
    """

    async def add(self, doc_id: str, texts: Sequence[str]) -> None:
        """Index a document's pieces, which are numbered from 0, in place of those it had."""
        ...

    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        """The ``k`` pieces that hold the query's words best, the best first; scores are comparable within one search.

        Any text is a query: nothing in it is syntax. ``doc_ids``: of these documents alone.
        """
        ...

    async def delete(self, doc_id: str) -> int:
        """Remove a document's pieces so that no byte of them is left but what ``leaves`` tells; how many that were."""
        ...

    async def documents(self) -> Sequence[str]:
        """The id of each document that is indexed here."""
        ...


class TextIndex(Protocol):
    """A place for full-text indexes. ``scope`` is an opaque name from the kernel, as for vectors.

    ``leaves`` tells people what stays in its files of what was deleted, and until when; empty where nothing does.
    """

    name: str
    rank: int = 0
    leaves: str = ""

    def collection(self, scope: str) -> Texts:
        """The index of a scope. Does no input or output."""
        ...

    async def scopes(self) -> Sequence[str]:
        """Every scope that holds anything."""
        ...

    async def drop(self, scope: str) -> int:
        """Remove all of a scope; how many pieces that were."""
        ...

    async def health(self) -> str | None:
        """None if texts can be indexed and found, else what is wrong."""
        return None

    async def aclose(self) -> None:
        """Let go of the medium."""
        return None
