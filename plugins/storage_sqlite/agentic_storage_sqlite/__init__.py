"""Everything in one SQLite file."""

from pathlib import Path

from pydantic import BaseModel

from agentic import StorageBackend, hookimpl
from agentic_storage_sqlite.settings import Settings


@hookimpl
def agentic_settings() -> type[BaseModel]:
    """When what was written is flushed to disk."""
    return Settings


@hookimpl
def agentic_storage_backends(settings: Settings, data_dir: Path) -> StorageBackend:
    """The backend ``sqlite``; its file is made at the first use."""
    from agentic_storage_sqlite.backend import SqliteStorage

    return SqliteStorage(data_dir / "agentic.db", flush=settings.sqlite_flush)
