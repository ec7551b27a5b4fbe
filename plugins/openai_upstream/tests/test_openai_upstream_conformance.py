"""The kernel's own suites for providers and embedders, run against a scripted server on a real port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from agentic import Embedder, Json
from agentic.testing.embedder import EmbedderConformance
from agentic.testing.openai import ScriptedModel, ScriptedUpstream, says
from agentic.testing.provider import ProviderConformance
from agentic_openai_upstream.embedder import UpstreamEmbedders
from agentic_openai_upstream.provider import UpstreamProvider
from agentic_openai_upstream.settings import Upstream


def in_words_or_json(body: Json) -> Any:
    if body.get("response_format"):
        return says(json.dumps({"city": "Paris", "big": True}))
    return says("Paris is large. It lies on the Seine. It is old.", delay_s=0.002)


class TestUpstreamProvider(ProviderConformance):
    @pytest.fixture
    async def provider(self) -> AsyncIterator[UpstreamProvider]:  # type: ignore[override]  # the kit's is no generator
        server = ScriptedUpstream()
        server.answer = in_words_or_json
        async with server.serve() as url:
            provider = UpstreamProvider("vllm", Upstream(base_url=url))
            yield provider
            await provider.aclose()

    @pytest.fixture
    async def unreachable(self) -> UpstreamProvider:
        return UpstreamProvider("vllm", Upstream(base_url="http://127.0.0.1:9"))


class TestUpstreamEmbedder(EmbedderConformance):
    @pytest.fixture
    async def embedder(self) -> AsyncIterator[Embedder]:  # type: ignore[override]  # the kit's is no generator
        model = ScriptedModel("maker/vectors", capabilities=("embedding",), dimensions=64, context_length=512)
        async with ScriptedUpstream([model], shows_context=True).serve() as url:
            embedders = UpstreamEmbedders("vllm", Upstream(base_url=url))
            embedder = await embedders.resolve("maker/vectors")
            assert embedder is not None
            yield embedder
            await embedders.aclose()

    @pytest.fixture
    def meanings(self) -> Sequence[tuple[str, str, str]]:
        # The scripted model knows words, not meanings.
        return [("cook rice", "rice to cook", "stock market"), ("flat tire", "a flat tire", "opera opens")]
