"""Users, conversations and runs as readable JSON files."""

from pathlib import Path

from agentic import StorageBackend, hookimpl
from agentic_storage_files.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """USERS_PATH, SESSIONS_PATH and CONVERSATIONS_PATH."""
    return Settings


@hookimpl
def agentic_storage_backends(settings: Settings, data_dir: Path) -> StorageBackend:
    """The backend ``files``; its folders are made at the first use."""
    from agentic_storage_files.backend import FileStorage

    return FileStorage(
        data_dir,
        users=settings.users_path,
        sessions=settings.sessions_path,
        conversations=settings.conversations_path,
    )
