"""Passages of a user's documents, found by the indexers without a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from agentic.documents.intake import InstalledIndexer
from agentic.errors import Conflict, NotFound, StorageError, ToolError
from agentic.ports.documents import Passage
from agentic.ports.space import Principal
from agentic.runtime.spaces import Scope, of_plugin, of_user


async def search(
    everything: Scope,
    indexers: Sequence[InstalledIndexer],
    principal: Principal,
    query: str,
    *,
    top_k: int,
    documents: Sequence[str] | None,
) -> Sequence[Passage]:
    """The best passages of all indexers, which are in the order of their ranks.

    Raises Conflict with the reason of an indexer that cannot search as things are, StorageError, ModelError.
    """
    found = []
    for one in indexers:
        space = of_plugin(everything, principal, one.plugin)
        try:
            found.append(await one.indexer.search(query, space, top_k=top_k, documents=documents))
        except ToolError as error:
            raise Conflict(error.message) from error
    shelf = of_user(everything, principal).documents
    there: dict[str, bool] = {}
    passages: list[Passage] = []
    for passage in _in_turn(found):
        if len(passages) == top_k:
            break
        if passage.document_id not in there:
            # An index may lag behind a deletion.
            try:
                there[passage.document_id] = bool(await shelf.get(passage.document_id))
            except NotFound:
                there[passage.document_id] = False
            except StorageError:
                # A damaged record hides no other's passages; a storage that is away raises here as well.
                await shelf.list(limit=1)
                there[passage.document_id] = False
        if there[passage.document_id]:
            passages.append(passage)
    return passages


def _in_turn(found: Sequence[Sequence[Passage]]) -> Iterator[Passage]:
    """The best of each, then the second best, and so on: scores of different indexers say nothing of one another."""
    seen = set()
    for passage in (one for row in zip_longest(*found) for one in row if one is not None):
        place = (passage.document_id, passage.start, passage.end)
        if place not in seen:
            seen.add(place)
            yield passage
