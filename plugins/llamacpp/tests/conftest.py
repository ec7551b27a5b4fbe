"""The real model for tests: fetched once for this machine, shared by all runs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentic_llamacpp.provider import LlamaCpp
from agentic_llamacpp.weights import Weights


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """A folder with the real weights."""
    folder = Path(tempfile.gettempdir()) / "agentic-test-models"
    asyncio.run(Weights(folder).path())
    return folder


@pytest.fixture
async def provider(models_folder: Path) -> AsyncIterator[LlamaCpp]:
    """The provider with its real engine and weights."""
    provider = LlamaCpp(models_folder)
    yield provider
    await provider.aclose()
