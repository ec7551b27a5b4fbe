"""The kernel put together: what is installed, over one storage, ready to run requests. Server and CLI stand on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

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
from agentic.documents.library import Library
from agentic.documents.shelf import Shelf
from agentic.identity.identity import Identity
from agentic.models.directory import Directory
from agentic.net.client import GuardedClient
from agentic.ports.blobs import BlobStore
from agentic.ports.embedder import EmbedderProvider
from agentic.ports.login import LoginProvider
from agentic.ports.storage import StorageBackend
from agentic.ports.texts import TextIndex
from agentic.ports.tool import Tool
from agentic.ports.vectors import VectorStore
from agentic.runtime.departures import Departures
from agentic.runtime.engine import Engine
from agentic.runtime.presence import Presence
from agentic.runtime.restart import Restart
from agentic.runtime.spaces import Scope

logger = logging.getLogger(__name__)

_Closable = Tool | EmbedderProvider | LoginProvider | VectorStore | TextIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Everything that serves requests. Open it with :func:`open_kernel`."""

    settings: Settings
    catalog: Catalog
    storage: StorageBackend
    blobs: BlobStore
    identity: Identity
    directory: Directory
    engine: Engine
    restart: Restart
    documents: Library
    departures: Departures
    everything: Scope


@asynccontextmanager
async def open_kernel(
    settings: Settings | None = None, *, only: Collection[str] | None = None
) -> AsyncIterator[Kernel]:
    """Load the plugins, open storage, and close everything at the end.

    ``only`` loads the named plugins alone (safe mode). Raises ConfigurationError for a wrong setting.
    """
    if settings is None:
        settings = await asyncio.to_thread(read_settings)
    catalog = await asyncio.to_thread(load, settings, only=only)
    storage: StorageBackend = catalog.choose("storage_backend", settings.storage, "STORAGE")
    blobs = blobs_of(settings, catalog)
    directory = Directory(catalog.model_providers(), withheld=withheld_provider(catalog))
    http = GuardedClient(settings.fetch_allow)
    indexes = indexes_of(settings, catalog)
    everything = Scope(storage, blobs, http, Shelf(storage, blobs), indexes, Shelf)
    presence = Presence(storage, lease_s=settings.server_lease_seconds)
    identity = await identity_of(settings, storage, blobs)
    engine = engine_of(settings, catalog, directory, everything, presence=presence, meter=identity.meter)
    documents = documents_of(settings, catalog, everything, presence, identity)
    kernel = Kernel(
        settings=settings,
        catalog=catalog,
        storage=storage,
        blobs=blobs,
        identity=identity,
        directory=directory,
        engine=engine,
        restart=Restart(engine, everything, presence, identity.users, identity.meter, settings.run_max_seconds),
        departures=departures_of(settings, engine, everything, identity, documents),
        documents=documents,
        everything=everything,
    )
    async with AsyncExitStack() as closing:
        _close_at_the_end(closing, kernel, http)
        yield kernel


def _close_at_the_end(closing: AsyncExitStack, kernel: Kernel, http: GuardedClient) -> None:
    """What is pushed last is closed first, and one that cannot close keeps no other from closing."""
    closing.push_async_callback(kernel.storage.aclose)
    closing.push_async_callback(kernel.blobs.aclose)
    closing.push_async_callback(http.aclose)
    catalog, indexes = kernel.catalog, kernel.everything.indexes
    plugins: list[_Closable] = [store for store in (indexes.vector_store, indexes.text_index) if store is not None]
    plugins += catalog.tools().values()
    plugins += catalog.embedders().values()
    plugins += catalog.logins().values()
    for one in plugins:
        closing.push_async_callback(_close, one)
    closing.push_async_callback(kernel.identity.aclose)
    closing.push_async_callback(kernel.directory.aclose)
    closing.push_async_callback(kernel.engine.aclose)
    closing.push_async_callback(kernel.documents.aclose)


async def _close(one: _Closable) -> None:
    """Close a plugin's object; one that cannot close keeps no other from closing."""
    try:
        await one.aclose()
    except (Exception, SystemExit):
        logger.exception("[Kernel] Not closed: %s", one.name)
