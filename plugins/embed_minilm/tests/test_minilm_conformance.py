"""The kit for embedders, run on the real model."""

from __future__ import annotations

import pytest

from agentic import Embedder
from agentic.testing.embedder import EmbedderConformance
from agentic_embed_minilm import agentic_embedders


class TestMiniLM(EmbedderConformance):
    @pytest.fixture
    async def embedder(self) -> Embedder:
        found = await agentic_embedders().resolve("")
        assert found is not None
        return found
