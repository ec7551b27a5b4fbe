"""The kit for storage backends, on files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agentic.testing.storage import StorageConformance
from agentic_storage_sqlite.backend import SqliteStorage


class TestSqlite(StorageConformance):
    """As the server uses it: what was written is flushed after it is told."""

    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[SqliteStorage]:
        backend = SqliteStorage(tmp_path / "data" / "agentic.db", flush="after")
        yield backend
        await backend.aclose()

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SqliteStorage]:
        return lambda: SqliteStorage(tmp_path / "data" / "agentic.db", flush="after")

    @pytest.fixture
    def maker(self, tmp_path: Path) -> str:
        made = f'SqliteStorage(Path({str(tmp_path)!r}) / "data" / "agentic.db", flush="after")'
        return (
            f"from pathlib import Path\nfrom agentic_storage_sqlite.backend import SqliteStorage\nmake = lambda: {made}"
        )
