"""The kit for storage backends, on a tree of files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agentic.testing.storage import StorageConformance
from agentic_storage_files.backend import FileStorage


class TestFiles(StorageConformance):
    @pytest.fixture
    async def backend(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FileStorage]:
        backend = FileStorage(tmp_path / "data")
        yield backend
        await backend.aclose()
        # The next write of the key takes the place of what a killed process has left.
        assert "maker" in request.fixturenames or left_in(tmp_path) == []

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], FileStorage]:
        return lambda: FileStorage(tmp_path / "data")

    @pytest.fixture
    def maker(self, tmp_path: Path) -> str:
        made = f'FileStorage(Path({str(tmp_path)!r}) / "data")'
        return f"from pathlib import Path\nfrom agentic_storage_files.backend import FileStorage\nmake = lambda: {made}"


def left_in(folder: Path) -> list[Path]:
    """What is on its way to its place, or was not kept."""
    return list(folder.rglob("*.new"))
