"""The kit for stores of vectors, on Chroma within the process and on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agentic.testing.vectors import VectorStoreConformance
from agentic_vectors_chroma.connection import Connection
from agentic_vectors_chroma.settings import Settings
from agentic_vectors_chroma.store import ChromaStore


class TestEmbedded(VectorStoreConformance):
    least_recall = 0.99

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[ChromaStore]:
        store = ChromaStore(Connection(Settings(), tmp_path / "chroma"))
        yield store
        await store.aclose()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], ChromaStore]:
        return lambda: ChromaStore(Connection(Settings(), tmp_path / "chroma"))


class TestServer(VectorStoreConformance):
    least_recall = 0.99

    @pytest.fixture
    async def store(self, server: Any, tmp_path: Path) -> AsyncIterator[ChromaStore]:
        store = self._opened(server)
        yield store
        await store.aclose()
        clearing = self._opened(server)
        await asyncio.gather(*(clearing.drop(scope) for scope in await clearing.scopes()))
        await clearing.aclose()

    @pytest.fixture
    def reopen(self, server: Any) -> Callable[[], ChromaStore]:
        return lambda: self._opened(server)

    @pytest.fixture
    def program(self, server: Any) -> str:
        return f"""
from pathlib import Path
from agentic_vectors_chroma.connection import Connection
from agentic_vectors_chroma.settings import Settings
from agentic_vectors_chroma.store import ChromaStore
store = ChromaStore(Connection(Settings(chroma_host="127.0.0.1", chroma_port={server.port}), Path("unused")))
"""

    @staticmethod
    def _opened(server: Any) -> ChromaStore:
        settings = Settings(chroma_host="127.0.0.1", chroma_port=server.port)
        return ChromaStore(Connection(settings, Path("unused")))
