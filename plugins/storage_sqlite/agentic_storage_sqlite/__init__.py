"""Everything in one SQLite file."""

from pathlib import Path
from typing import Any

from agentic import StorageBackend, hookimpl


@hookimpl
def agentic_storage_backends(settings: Any, data_dir: Path) -> StorageBackend:
    """The backend ``sqlite``; its file is made at the first use."""
    from agentic_storage_sqlite.backend import SqliteStorage

    return SqliteStorage(data_dir / "agentic.db")
