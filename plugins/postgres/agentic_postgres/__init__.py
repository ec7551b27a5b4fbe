"""Storage and full text in a PostgreSQL database that several servers share; each is chosen by itself."""

from agentic import NotConfigured, StorageBackend, TextIndex, hookimpl
from agentic_postgres.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """POSTGRES_URL and what belongs to it."""
    return Settings


@hookimpl
def agentic_storage_backends(settings: Settings) -> StorageBackend | NotConfigured:
    """The backend ``postgres``; it connects at the first use."""
    pool = settings.pool
    if pool is None:
        return NotConfigured("postgres", settings.fix)
    from agentic_postgres.storage.backend import PostgresStorage

    return PostgresStorage(pool)


@hookimpl
def agentic_text_indexes(settings: Settings) -> TextIndex | NotConfigured:
    """The index ``postgres``; it connects at the first use, with the connections of the storage if that is used too."""
    pool = settings.pool
    if pool is None:
        return NotConfigured("postgres", settings.fix)
    from agentic_postgres.texts.index import PostgresTextIndex

    return PostgresTextIndex(pool)
