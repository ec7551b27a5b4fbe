"""What the tests of the readers of text share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentic import DocumentReader, Page, ToolError

Read = Callable[[DocumentReader, bytes], list[Page]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a document of these bytes."""

    def read(reader: DocumentReader, data: bytes) -> list[Page]:
        (tmp_path / "document").write_bytes(data)
        return list(reader.read(tmp_path / "document"))

    return read


@pytest.fixture
def refusal(read: Read) -> Callable[[DocumentReader, bytes], str]:
    """Gives what a reader says of a document of these bytes that it refuses."""

    def refusal(reader: DocumentReader, data: bytes) -> str:
        with pytest.raises(ToolError) as refused:
            read(reader, data)
        return refused.value.message

    return refusal
