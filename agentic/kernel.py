"""The kernel put together: what is installed, over one storage, ready to run requests. Server and CLI stand on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager

from agentic.assembly import (
    blobs_of,
    departures_of,
    documents_of,
    engine_of,
    identity_of,
    indexes_of,
    withheld_provider,
)
from agentic.catalog.catalog import Catalog
from agentic.catalog.load import load
from agentic.catalog.settings import Settings, read_settings
from agentic.catalog.stores import Stores
from agentic.documents.shelf import Shelf
from agentic.models.directory import Directory
from agentic.net.client import GuardedClient
from agentic.ports.embedder import EmbedderProvider
from agentic.ports.login import LoginProvider
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import TextIndex
from agentic.ports.tool import Tool
from agentic.ports.vectors import VectorStore
from agentic.runtime.copying import refuse_half_a_copy
from agentic.runtime.presence import Presence
from agentic.runtime.restart import Restart
from agentic.runtime.spaces import Scope

logger = logging.getLogger(__name__)

_Closable = Tool | EmbedderProvider | LoginProvider | VectorStore | TextIndex


class Kernel:
    """Everything that serves requests. Open it with :func:`open_kernel`: making it blocks on the disk."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings = settings
        self.catalog = catalog
        stores = Stores(catalog, settings.data_dir)
        self.storage: StorageBackend = stores.choose("storage_backend", settings.storage, "STORAGE")
        self.blobs = blobs_of(settings, catalog, stores)
        self.http = GuardedClient(settings.fetch_allow)
        self.directory = Directory(catalog.model_providers(), withheld=withheld_provider(catalog))
        indexes = indexes_of(settings, catalog)
        shelf = Shelf(self.storage, self.blobs)
        self.everything = everything = Scope(self.storage, self.blobs, self.http, shelf, indexes, Shelf)
        presence = Presence(self.storage, lease_s=settings.server_lease_seconds)
        self.identity = identity = identity_of(settings, self.storage, self.blobs)
        meter = identity.meter
        self.engine = engine_of(settings, catalog, self.directory, everything, presence=presence, meter=meter)
        self.restart = Restart(self.engine, everything, presence, identity.users, meter, settings.run_max_seconds)
        self.documents = documents_of(settings, catalog, everything, presence, identity)
        self.departures = departures_of(settings, self.engine, everything, identity, self.documents)


@asynccontextmanager
async def open_kernel(
    settings: Settings | None = None, *, only: Collection[str] | None = None, half_a_copy: bool = False
) -> AsyncIterator[Kernel]:
    """Load the plugins, open storage, and close everything at the end.

    ``only`` loads the named plugins alone (safe mode). Raises ConfigurationError for a wrong setting, and StorageError
    where a copy to the storage, or the store of files, is not at its end; ``half_a_copy`` is for going on with it.
    """
    if settings is None:
        settings = await asyncio.to_thread(read_settings)
    catalog = await asyncio.to_thread(load, settings, only=only)
    kernel = await asyncio.to_thread(Kernel, settings, catalog)
    async with AsyncExitStack() as closing:
        _close_at_the_end(closing, kernel)
        if not half_a_copy:
            await refuse_half_a_copy(kernel.storage, kernel.blobs)
        yield kernel


def _close_at_the_end(closing: AsyncExitStack, kernel: Kernel) -> None:
    """What is pushed last is closed first, and one that cannot close keeps no other from closing."""
    for medium in (kernel.storage, kernel.blobs, kernel.http):
        closing.push_async_callback(medium.aclose)
    catalog, indexes = kernel.catalog, kernel.everything.indexes
    plugins: list[_Closable] = [store for store in (indexes.vector_store, indexes.text_index) if store is not None]
    plugins += catalog.tools().values()
    plugins += catalog.embedders().values()
    plugins += catalog.logins().values()
    for one in plugins:
        closing.push_async_callback(_close, one)
    for part in (kernel.identity, kernel.directory, kernel.engine, kernel.documents):
        closing.push_async_callback(part.aclose)


async def _close(one: _Closable) -> None:
    """Close a plugin's object; one that cannot close keeps no other from closing."""
    try:
        await one.aclose()
    except (Exception, SystemExit):
        logger.exception("[Kernel] Not closed: %s", one.name)
