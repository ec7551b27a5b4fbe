"""Threads that help a search, as tests of them and of what they search have them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentic_vectors_faiss.beside import Beside


@pytest.fixture(params=[0, 1, 3])
def beside(request: pytest.FixtureRequest) -> Iterator[Beside]:
    """None, one, and more than there are processors."""
    beside = Beside(request.param)
    yield beside
    beside.close()


@pytest.fixture
def two() -> Iterator[Beside]:
    """Two threads with the caller's own."""
    beside = Beside(1)
    yield beside
    beside.close()
