"""The kit for stores of files, on a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agentic.testing.blobs import BlobConformance
from agentic_blobs_files.store import FileBlobs


class TestFileBlobs(BlobConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[FileBlobs]:
        store = FileBlobs(tmp_path / "data" / "files")
        yield store
        await store.aclose()
        left = [path for path in (tmp_path / "data").rglob("*") if ".incoming/" in str(path)]
        assert left == [], "nothing is left of what was not kept"

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], FileBlobs]:
        return lambda: FileBlobs(tmp_path / "data" / "files")
