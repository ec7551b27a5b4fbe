"""Everything in a PostgreSQL database that several servers share."""

from agentic import NotConfigured, StorageBackend, hookimpl
from agentic_storage_postgres.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """POSTGRES_URL and what belongs to it."""
    return Settings


@hookimpl
def agentic_storage_backends(settings: Settings) -> StorageBackend | NotConfigured:
    """The backend ``postgres``; it connects at the first use."""
    if settings.postgres_url is None:
        return NotConfigured("postgres", "Set POSTGRES_URL, for example postgresql://agentic:secret@localhost/agentic")
    from agentic_storage_postgres.backend import PostgresStorage

    return PostgresStorage(
        settings.postgres_url.get_secret_value(),
        schema=settings.postgres_schema,
        connections=settings.postgres_connections,
    )
