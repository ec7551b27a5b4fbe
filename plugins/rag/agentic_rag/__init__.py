"""Answers from a user's documents: hybrid retrieval with citations."""

from collections.abc import Iterable
from typing import Any

from agentic import Indexer, Tool, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """RAG_CHUNK_SIZE and RAG_CHUNK_OVERLAP."""
    from agentic_rag.settings import Settings

    return Settings


@hookimpl
def agentic_indexers(settings: Any) -> Indexer:
    """The indexer ``rag``; what it needs is imported with the first document."""
    from agentic_rag.indexer import RagIndexer

    return RagIndexer(settings)


@hookimpl
def agentic_tools() -> Iterable[Tool]:
    """The tools ``rag_retrieval`` and ``list_documents``."""
    from agentic_rag.listing_tool import ListDocumentsTool
    from agentic_rag.retrieval_tool import RagRetrievalTool

    return [RagRetrievalTool(), ListDocumentsTool()]
