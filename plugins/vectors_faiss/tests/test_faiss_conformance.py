"""The kit for stores of vectors, on files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from agentic.testing.vectors import VectorStoreConformance
from agentic_vectors_faiss.store import FaissStore


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    with blockbuster_ctx("agentic_vectors_faiss"):
        yield


class TestFaiss(VectorStoreConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FaissStore]:
        store = FaissStore(tmp_path / "vector_db")
        yield store
        await store.aclose()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], FaissStore]:
        return lambda: FaissStore(tmp_path / "vector_db")

    @pytest.fixture
    def program(self, tmp_path: Path) -> str:
        return f"""
from pathlib import Path
from agentic_vectors_faiss.store import FaissStore
store = FaissStore(Path({str(tmp_path / "vector_db")!r}))
"""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path
