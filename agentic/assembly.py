"""The parts of the kernel, each made of the settings and of what is installed."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, get_args

from agentic.catalog.catalog import Catalog, Kind
from agentic.catalog.settings import Settings
from agentic.catalog.stores import Stores
from agentic.documents.intake import InstalledIndexer
from agentic.documents.library import Library
from agentic.documents.readers import Readers
from agentic.events import AUCTION
from agentic.fitness.client_tools import ClientFitness
from agentic.fitness.fitness import Fitness
from agentic.identity.identity import Identity
from agentic.identity.limits import Meter
from agentic.identity.tokens import secret_key
from agentic.models.directory import Directory
from agentic.ports.blobs import BlobStore
from agentic.ports.embedder import Embedder
from agentic.ports.model import ToolSpec
from agentic.ports.router import Router as Chooser
from agentic.ports.space import Allowance
from agentic.ports.storage import StorageBackend
from agentic.ports.tool import Risk, Tool
from agentic.runtime.approval import Policy
from agentic.runtime.budget import Limits
from agentic.runtime.departures import Departures
from agentic.runtime.engine import Engine
from agentic.runtime.equipment import Equipment, Installed
from agentic.runtime.indexes import Embedders, Indexes
from agentic.runtime.presence import Presence
from agentic.runtime.router import Router
from agentic.runtime.spaces import NoBlobs, Scope

logger = logging.getLogger(__name__)


def blobs_of(settings: Settings, catalog: Catalog, stores: Stores) -> BlobStore:
    """The chosen store of files. The server works without one, but for making files."""
    if settings.blobs is None and not catalog.all("blob_store"):
        return NoBlobs()
    chosen: BlobStore = stores.choose("blob_store", settings.blobs, "BLOBS")
    return chosen


def indexes_of(settings: Settings, catalog: Catalog) -> Indexes:
    """What finds things in documents. The server works without; a setting that names what is not there is wrong."""

    def chosen(kind: Kind, wanted: str | None, setting: str) -> Any:
        return catalog.choose(kind, wanted, setting) if wanted or catalog.all(kind) else None

    return Indexes(
        Embedders(catalog.embedders(), settings.embedding_model or ""),
        chosen("vector_store", settings.vector_db_type, "VECTOR_DB_TYPE"),
        chosen("text_index", settings.text_index, "TEXT_INDEX"),
    )


def identity_of(settings: Settings, storage: StorageBackend, blobs: BlobStore) -> Identity:
    """Who users are and what they may use. Blocks on the disk: it makes the secret key at the first start."""
    configured = settings.secret_key.get_secret_value() if settings.secret_key else None
    secret = secret_key(configured, settings.data_dir)
    defaults = Allowance(
        requests_per_minute=settings.limit_requests_per_minute,
        runs_at_once=settings.limit_runs_at_once,
        tokens_per_day=settings.limit_tokens_per_day,
        storage_bytes=settings.limit_storage_bytes,
    )
    meter = Meter(storage, blobs, defaults)
    return Identity(storage, secret=secret, token_hours=settings.jwt_expiration_hours, meter=meter)


def engine_of(
    settings: Settings,
    catalog: Catalog,
    directory: Directory,
    everything: Scope,
    *,
    presence: Presence,
    meter: Meter,
) -> Engine:
    """What runs requests: the installed agents and tools, the router over them, and the limits."""
    specs = [spec_of(tool) for tool in catalog.tools().values()]
    fitness = Fitness(specs, partial(_local_embedder, catalog))
    installed = Installed(
        tools=catalog.tools(),
        specs=specs,
        agent_plugins={one.name: one.plugin for one in catalog.all("agent")},
        tool_plugins={one.name: one.plugin for one in catalog.all("tool")},
    )
    limits = Limits(
        model_calls=settings.run_max_model_calls,
        tool_calls=settings.run_max_tool_calls,
        tokens=settings.run_max_tokens,
        seconds=settings.run_max_seconds,
    )
    equipment = Equipment(
        installed,
        everything,
        fitness,
        shortlist=settings.tool_shortlist,
        policy=_policy(settings, catalog),
        meter=meter,
        rank=ClientFitness(fitness).near,
        history=settings.history,
    )
    router = Router(catalog.agents(), _router(settings, catalog), timeout_s=settings.router_timeout)
    return Engine(equipment, router, directory, everything, limits, presence=presence, meter=meter)


def _policy(settings: Settings, catalog: Catalog) -> Policy:
    for name in unknown_approvals(settings, catalog):
        logger.warning("[Approval] APPROVE names neither a risk nor an installed tool: %s", name)
    return Policy(
        approve=frozenset(settings.approve),
        after_untrusted=settings.after_untrusted,
        timeout_s=settings.approval_timeout,
    )


def unknown_approvals(settings: Settings, catalog: Catalog) -> list[str]:
    """What APPROVE names and is not there: a slip, or a tool whose plugin is out. It does not stop the start."""
    known = {*get_args(Risk), *catalog.tools()}
    return [name for name in settings.approve if name not in known]


def _router(settings: Settings, catalog: Catalog) -> Chooser | None:
    """The router that ROUTER names; None for the auction."""
    if settings.router is None or settings.router.lower() == AUCTION:
        return None
    chosen: Chooser = catalog.choose("router", settings.router, "ROUTER")
    return chosen


async def _local_embedder(catalog: Catalog) -> Embedder | None:
    """The default embedder of the highest-ranked plugin that embeds within this process."""
    for provider in catalog.embedders().values():
        if provider.local and (embedder := await provider.resolve("")) is not None:
            return embedder
    return None


def spec_of(tool: Tool) -> ToolSpec:
    """The tool as models see it. Made once: schemas are dear."""
    args = tool.args
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=args.model_json_schema() if isinstance(args, type) else args,
        examples=tool.traits.examples,
        suggest=tool.suggest,
        untrusted=tool.traits.untrusted,
        parallel=tool.traits.parallel,
    )


def documents_of(
    settings: Settings, catalog: Catalog, everything: Scope, presence: Presence, identity: Identity
) -> Library:
    """The users' documents: those who read them, and those who index them."""
    readers = Readers(
        {one.name: one.object for one in catalog.all("document_reader")},
        # By its name one tells whose it is, and removes it when that process is gone.
        settings.data_dir / "reading" / presence.id,
        workers=settings.reader_workers,
        timeout_s=settings.reader_timeout,
        memory_mb=settings.reader_memory_mb,
        most_characters=settings.reader_max_characters,
    )
    indexers = [InstalledIndexer(one.object, one.plugin) for one in catalog.all("indexer")]
    return Library(
        everything,
        presence,
        readers,
        indexers,
        identity.meter,
        at_once=settings.documents_at_once,
        max_upload_mb=settings.max_upload_mb,
        patience_s=settings.index_timeout,
    )


def departures_of(
    settings: Settings, engine: Engine, everything: Scope, identity: Identity, documents: Library
) -> Departures:
    """What deletes users at every server."""
    # So long may a server that has not heard of it yet go on to store what is of a user's.
    linger_s = settings.run_max_seconds + settings.approval_timeout + settings.server_lease_seconds
    return Departures(engine, everything, identity, linger_s=linger_s, erase_documents=documents.erase)


def withheld_provider(catalog: Catalog) -> str:
    """What is wrong with a plugin of models that the operator has configured, but wrongly; empty if there is none."""
    for plugin in catalog.plugins:
        misset = plugin.settings_type is not None and plugin.settings is None
        if plugin.state == "quarantined" and misset and "agentic_model_providers" in plugin.hooks:
            return str(plugin)
    return ""
