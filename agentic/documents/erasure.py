"""All documents of a user removed, on the way to removing the user."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from agentic.documents.library import Library, erased_key
from agentic.errors import NotFound, StorageError
from agentic.ports.space import Principal

logger = logging.getLogger(__name__)


async def erase_documents(library: Library, user_id: str) -> Mapping[str, int]:
    """Remove a user's documents, and take no more of theirs in; what was removed, counted.

    The caller removes afterwards whatever else is the user's, with what a document left that somebody else is removing
    at this moment. May be begun again when it was cut short. Raises StorageError.
    """
    principal = Principal(user_id, "")
    await library.everything.storage.save(erased_key(user_id), {})
    removed: Counter[str] = Counter(documents=0, bytes=0, pages=0, chunks=0)
    for document in [one.document for one in await library.shelf(principal).records()]:
        try:
            receipt = await library.delete(principal, document.id)
        except (NotFound, StorageError) as error:
            logger.info("[Documents] Not counted: document=%s: %s", document.id, error.message)
            continue
        removed.update(documents=1, bytes=receipt.bytes, pages=receipt.pages, chunks=receipt.chunks)
    for job in await library.jobs.of_user(user_id):
        await library.jobs.end(job.key)
    logger.info("[Documents] All of a user's removed: user=%s documents=%d", user_id, removed["documents"])
    return dict(removed)
