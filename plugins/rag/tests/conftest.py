"""What the tests of rag share: a user's space with documents in it, and a watch over the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from blockbuster import blockbuster_ctx

from agentic import Document, Page
from agentic.testing.space import FakeSpace
from agentic_rag.indexer import RagIndexer
from agentic_rag.settings import Settings


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    """Fails a test in which the plugin blocks the event loop."""
    with blockbuster_ctx("agentic_rag"):
        yield


@pytest.fixture
def space() -> FakeSpace:
    return FakeSpace()


@pytest.fixture
def indexer() -> RagIndexer:
    return RagIndexer(Settings())


@pytest.fixture
def document(space: FakeSpace) -> Callable[..., tuple[Document, Sequence[Page]]]:
    """Makes a document of the user's from its pages, which may be plain texts."""

    def make(name: str, *pages: Page | str) -> tuple[Document, Sequence[Page]]:
        whole = [page if isinstance(page, Page) else Page(page) for page in pages]
        size = sum(len(page.text) for page in whole)
        made = Document(id=f"id-{name}", name=name, size=size, media_type="text/plain", status="ready", created_at=1.0)
        space.documents.put(made, b"", whole)
        return made, whole

    return make
