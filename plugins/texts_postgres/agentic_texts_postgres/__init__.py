"""Full text in a PostgreSQL database that several servers share."""

from agentic import NotConfigured, TextIndex, hookimpl
from agentic_texts_postgres.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """TEXTS_POSTGRES_URL and what belongs to it."""
    return Settings


@hookimpl
def agentic_text_indexes(settings: Settings) -> TextIndex | NotConfigured:
    """The index ``postgres``; it connects at the first use."""
    if settings.texts_postgres_url is None:
        example = "postgresql://agentic:secret@localhost/agentic"
        return NotConfigured("postgres", f"Set TEXTS_POSTGRES_URL, for example {example}")
    from agentic_texts_postgres.index import PostgresTextIndex

    return PostgresTextIndex(
        settings.texts_postgres_url.get_secret_value(),
        schema=settings.texts_postgres_schema,
        connections=settings.texts_postgres_connections,
    )
