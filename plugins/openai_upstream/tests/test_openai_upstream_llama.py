"""The provider and the embedder over a real server: llama.cpp's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agentic import Embedder, Message, ModelError, ModelRequest, Sampling, ToolCall, ToolSpec
from agentic.testing.embedder import EmbedderConformance
from agentic.testing.provider import ProviderConformance
from agentic_openai_upstream.embedder import UpstreamEmbedders
from agentic_openai_upstream.provider import UpstreamProvider
from agentic_openai_upstream.settings import Upstream

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
WEATHER = ToolSpec(
    "weather",
    "Tells the weather of a city",
    {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]},
)


@pytest.fixture
async def provider(llama_chat: str, llama_key: str) -> AsyncIterator[UpstreamProvider]:
    provider = UpstreamProvider("llama", Upstream(base_url=llama_chat, api_key=llama_key))
    yield provider
    await provider.aclose()


class TestLlamaProvider(ProviderConformance):
    @pytest.fixture
    async def provider(self, llama_chat: str, llama_key: str) -> AsyncIterator[UpstreamProvider]:  # type: ignore[override]
        # So small a model may go on until its context is full where nothing limits it.
        upstream = Upstream(base_url=llama_chat, api_key=llama_key, extra_body={"max_tokens": 64})
        provider = UpstreamProvider("llama", upstream)
        yield provider
        await provider.aclose()

    @pytest.fixture
    async def unreachable(self) -> UpstreamProvider:
        return UpstreamProvider("llama", Upstream(base_url="http://127.0.0.1:9"))

    @pytest.fixture
    def prompt(self) -> str:
        return "Name three colours."


class TestLlamaEmbedder(EmbedderConformance):
    @pytest.fixture
    async def embedder(self, llama_embeddings: str, llama_key: str) -> AsyncIterator[Embedder]:  # type: ignore[override]
        upstream = Upstream(base_url=llama_embeddings, api_key=llama_key, embedding_tokens=200)
        embedders = UpstreamEmbedders("llama", upstream)
        embedder = await embedders.resolve(MODEL)
        assert embedder is not None
        yield embedder
        await embedders.aclose()


async def test_a_wrong_key_is_told_without_it(llama_chat: str) -> None:
    provider = UpstreamProvider("llama", Upstream(base_url=llama_chat, api_key="sk-wrong-key"))
    with pytest.raises(ModelError, match=r'api_key of "llama"') as caught:
        await provider.models()
    assert "sk-wrong" not in caught.value.message
    await provider.aclose()


async def test_its_listing_tells_id_and_context(provider: UpstreamProvider) -> None:
    (info,) = await provider.models()
    assert (info.id, info.default, info.tool_mode) == (MODEL, True, "native")
    assert info.context and info.context <= 2048


async def test_calls_and_results_of_a_tool_are_taken(provider: UpstreamProvider) -> None:
    messages = [
        Message("user", "What is the weather in Paris?"),
        Message("assistant", tool_calls=(ToolCall("call_1", "weather", {"city": "Paris"}),)),
        Message("tool", "Sunny, 21 degrees", tool_call_id="call_1", name="weather"),
    ]
    asks = ModelRequest(model=MODEL, messages=messages, tools=[WEATHER], sampling=Sampling(max_tokens=20))
    deltas = [delta async for delta in provider.stream(asks)]
    assert deltas[-1].finish in ("stop", "length", "tool_calls")
    assert deltas[-1].usage is not None and deltas[-1].usage.prompt > 10


async def test_a_prompt_beyond_its_context_is_an_error_that_says_so(provider: UpstreamProvider) -> None:
    asks = ModelRequest(model=MODEL, messages=[Message("user", "word " * 3000)])
    with pytest.raises(ModelError, match="context"):
        _ = [delta async for delta in provider.stream(asks)]


async def test_a_server_that_only_chats_has_no_embedder(llama_chat: str, llama_key: str) -> None:
    embedders = UpstreamEmbedders("llama", Upstream(base_url=llama_chat, api_key=llama_key))
    assert await embedders.resolve(MODEL) is None
    await embedders.aclose()
