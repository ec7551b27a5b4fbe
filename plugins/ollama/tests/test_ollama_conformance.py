"""The kernel's own suites for providers and embedders, run against a scripted Ollama on a real port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from agentic import Embedder, Json
from agentic.testing.embedder import EmbedderConformance
from agentic.testing.ollama import ScriptedModel, ScriptedOllama, says
from agentic.testing.provider import ProviderConformance
from agentic_ollama.embedder import OllamaEmbedders
from agentic_ollama.provider import OllamaProvider
from agentic_ollama.settings import Settings


def in_words_or_json(body: Json) -> Any:
    if body.get("format"):
        return says(json.dumps({"city": "Paris", "big": True}))
    return says("Paris is large. It lies on the Seine. It is old.", delay_s=0.002)


class TestOllamaProvider(ProviderConformance):
    @pytest.fixture
    async def provider(self) -> AsyncIterator[OllamaProvider]:  # type: ignore[override]  # the kit's is no generator
        server = ScriptedOllama()
        server.answer = in_words_or_json
        async with server.serve() as url:
            provider = OllamaProvider(Settings(ollama_host=url))
            yield provider
            await provider.aclose()

    @pytest.fixture
    async def unreachable(self) -> OllamaProvider:
        return OllamaProvider(Settings(ollama_host="http://127.0.0.1:9"))


class TestOllamaEmbedder(EmbedderConformance):
    @pytest.fixture
    async def embedder(self) -> AsyncIterator[Embedder]:  # type: ignore[override]  # the kit's is no generator
        model = ScriptedModel("vectors", capabilities=("embedding",), dimensions=64, context_length=512)
        async with ScriptedOllama([model]).serve() as url:
            embedders = OllamaEmbedders(Settings(ollama_host=url))
            embedder = await embedders.resolve("vectors")
            assert embedder is not None
            yield embedder
            await embedders.aclose()

    @pytest.fixture
    def meanings(self) -> Sequence[tuple[str, str, str]]:
        # The scripted model knows words, not meanings.
        return [("cook rice", "rice to cook", "stock market"), ("flat tire", "a flat tire", "opera opens")]
