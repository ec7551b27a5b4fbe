"""Vectors in FAISS, in memory for each user, over one folder a document."""

from pathlib import Path

from pydantic import BaseModel

from agentic import VectorStore, hookimpl
from agentic_vectors_faiss.settings import Settings


@hookimpl
def agentic_settings() -> type[BaseModel]:
    """Where the vectors lie, and how much memory their indexes may take."""
    return Settings


@hookimpl
def agentic_vector_stores(settings: Settings, data_dir: Path) -> VectorStore:
    """The store ``faiss``; its folder is made at the first use."""
    from agentic_vectors_faiss.store import FaissStore

    return FaissStore(settings.vector_db_path or data_dir / "vector_db", memory_mb=settings.vector_memory_mb)
