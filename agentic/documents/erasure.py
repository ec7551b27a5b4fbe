"""Everything of a user removed: documents, indexes, conversations, runs, files, and what plugins keep for them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from agentic.documents.library import Library, erased_key
from agentic.errors import NotFound, StorageError
from agentic.ports.space import Principal
from agentic.ports.texts import TextIndex
from agentic.ports.vectors import VectorStore

logger = logging.getLogger(__name__)


async def erase_user(library: Library, user_id: str) -> Mapping[str, int]:
    """Remove all that is kept for a user but the account itself, which the caller shuts out before and removes after.

    What was removed: ``documents`` with their ``bytes``, ``pages`` and ``chunks``, then ``vectors`` and ``texts`` that
    no document led to, ``keys`` of storage and ``blobs``. May be begun again when it was cut short. Raises StorageError
    where something is left.
    """
    principal = Principal(user_id, "")
    await library.everything.storage.save(erased_key(user_id), {})
    removed: Counter[str] = Counter(documents=0, bytes=0, pages=0, chunks=0)
    for document in [one.document for one in await library.shelf(principal).records()]:
        try:
            receipt = await library.delete(principal, document.id)
        except (NotFound, StorageError) as error:
            # Somebody else deletes it at this moment, or its index is not removed yet, which is done below.
            logger.info("[Documents] Not counted: document=%s: %s", document.id, error.message)
            continue
        removed.update(documents=1, bytes=receipt.bytes, pages=receipt.pages, chunks=receipt.chunks)
    everything, indexes = library.everything, library.everything.indexes
    removed["vectors"] = await _drop(indexes.vector_store, user_id)
    removed["texts"] = await _drop(indexes.text_index, user_id)
    removed["keys"] = await everything.storage.delete_under(f"spaces/{user_id}/")
    removed["blobs"] = await everything.blobs.delete_under(f"spaces/{user_id}/")
    for job in await library.jobs.of_user(user_id):
        await library.jobs.end(job.key)
    logger.info("[Documents] User erased: user=%s documents=%d", user_id, removed["documents"])
    return dict(removed)


async def _drop(store: VectorStore | TextIndex | None, user_id: str) -> int:
    """Remove the scopes of a user from a store; how many rows or pieces that were."""
    if store is None:
        return 0
    return sum([await store.drop(scope) for scope in await store.scopes() if scope.partition(".")[0] == user_id])
