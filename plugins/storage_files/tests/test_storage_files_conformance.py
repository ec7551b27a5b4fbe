"""The kit for storage backends, on a tree of files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agentic.testing.storage import StorageConformance
from agentic_storage_files.backend import FileStorage


class TestFiles(StorageConformance):
    @pytest.fixture
    async def backend(self, tmp_path: Path) -> AsyncIterator[FileStorage]:
        backend = FileStorage(tmp_path / "data")
        yield backend
        await backend.aclose()
        assert left_in(tmp_path) == [], "nothing is left of what was not kept"

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], FileStorage]:
        return lambda: FileStorage(tmp_path / "data")


def left_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*.new"))
