"""A document removed with every trace of it, and the receipt that counts what was removed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from agentic.documents.intake import InstalledIndexer
from agentic.documents.record import file_key, pages_key
from agentic.errors import StorageError
from agentic.ports.documents import Document
from agentic.ports.space import Principal
from agentic.ports.vectors import Vectors
from agentic.runtime.spaces import Scope, of_plugin, of_user

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was removed: a file's ``name`` and ``bytes``, ``pages`` of its text, and how many pieces an indexer had.

    ``notes`` tell by kind of store (vectors, texts, storage) what stays of it in the store's files, where anything
    does.
    """

    name: str
    bytes: int
    pages: int
    indexers: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """All pieces together."""
        return sum(self.indexers.values())


class Leaving(Scope):
    """A space from which a document leaves: for that nobody need tell who embedded its vectors."""

    async def vectors(self) -> Vectors:
        """The user's vectors under this plugin, to be listed and deleted."""
        return self.indexes.vectors_of_any(self.name)


class Removal:
    """Removes documents, whatever state they are in. Once begun it may be begun again until it is done."""

    def __init__(self, everything: Scope, indexers: Sequence[InstalledIndexer]) -> None:
        self._everything = Leaving(**{one.name: getattr(everything, one.name) for one in fields(Scope)})
        self._indexers = indexers

    async def clear(self, principal: Principal, document: Document, pages: int = 0) -> Receipt:
        """Remove all that is kept of a document, which is its user's no more, and has so many pages.

        Raises StorageError where something is left; what could be removed is gone then.
        """
        receipt = await self.clear_left(principal, document.id, document.name)
        # Another server may have removed a part of it.
        indexes = self._everything.indexes
        stores = (
            ("vectors", indexes.vector_store),
            ("texts", indexes.text_index),
            ("storage", self._everything.storage),
        )
        notes = {kind: store.leaves for kind, store in stores if store is not None and store.leaves}
        return replace(receipt, bytes=document.size, pages=pages, notes=notes)

    async def clear_left(self, principal: Principal, document_id: str, name: str) -> Receipt:
        """The same for a document of which there is no record."""
        faults: list[str] = []
        forgotten = {
            one.indexer.name: await self._forget(principal, document_id, one, faults) for one in self._indexers
        }
        blobs = of_user(self._everything, principal).blobs
        key = file_key(document_id, name)
        size = await blobs.size(key) or 0
        await blobs.delete(key)
        await blobs.delete(pages_key(document_id))
        if faults:
            raise StorageError(
                "The document is deleted, but not all of its index is removed yet; the server goes on trying. "
                + " ".join(faults)
            )
        return Receipt(name=name, bytes=size, pages=0, indexers=forgotten)

    async def _forget(self, principal: Principal, document_id: str, one: InstalledIndexer, faults: list[str]) -> int:
        space = of_plugin(self._everything, principal, one.plugin)
        try:
            return await one.indexer.forget(document_id, space)
        except StorageError as error:
            faults.append(error.message)
        except Exception as error:
            logger.exception("[Documents] Not forgotten: indexer=%s document=%s", one.indexer.name, document_id)
            faults.append(f"The indexer '{one.indexer.name}' failed ({type(error).__name__}).")
        return 0
