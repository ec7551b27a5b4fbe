"""The kit for full-text indexes, on files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from agentic.testing.texts import TextIndexConformance
from agentic_texts_sqlite.index import SqliteTextIndex


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    with blockbuster_ctx("agentic_texts_sqlite"):
        yield


class TestSqliteTexts(TextIndexConformance):
    @pytest.fixture
    async def index(self, tmp_path: Path) -> AsyncIterator[SqliteTextIndex]:
        index = SqliteTextIndex(tmp_path / "texts")
        yield index
        await index.aclose()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SqliteTextIndex]:
        return lambda: SqliteTextIndex(tmp_path / "texts")

    @pytest.fixture
    def program(self, tmp_path: Path) -> str:
        return f"""
from pathlib import Path
from agentic_texts_sqlite.index import SqliteTextIndex
index = SqliteTextIndex(Path({str(tmp_path / "texts")!r}))
"""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path
