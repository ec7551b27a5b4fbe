"""Vectors in Chroma, embedded or on a server."""

from pathlib import Path

from pydantic import BaseModel

from agentic import VectorStore, hookimpl
from agentic_vectors_chroma.settings import Settings


@hookimpl
def agentic_settings() -> type[BaseModel]:
    """Where Chroma is: a server, or a folder."""
    return Settings


@hookimpl
def agentic_vector_stores(settings: Settings, data_dir: Path) -> VectorStore:
    """The store ``chroma``; its server or folder is opened at the first use."""
    from agentic_vectors_chroma.connection import Connection
    from agentic_vectors_chroma.store import ChromaStore

    return ChromaStore(Connection(settings, settings.chroma_path or data_dir / "chroma"))
