"""Embedding models of a server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentic import ModelError, ModelUnavailable
from agentic.testing.openai import ScriptedModel, ScriptedUpstream, fails, streams
from agentic_openai_upstream.embedder import UpstreamEmbedders
from agentic_openai_upstream.settings import Upstream


def a_server(context: int = 512, **options: Any) -> ScriptedUpstream:
    vectors = ScriptedModel("maker/vectors", capabilities=("embedding",), dimensions=6, context_length=context)
    return ScriptedUpstream([vectors, ScriptedModel("maker/chat-8b")], **options)


@contextlib.asynccontextmanager
async def served(server: ScriptedUpstream, **fields: Any) -> AsyncIterator[UpstreamEmbedders]:
    async with server.serve() as url:
        embedders = UpstreamEmbedders("vllm", Upstream(**{"base_url": url, "retry_s": 0, **fields}))
        try:
            yield embedders
        finally:
            await embedders.aclose()


@pytest.mark.parametrize("name", ["", "maker/chat-8b", "vectors", "other/maker/vectors"])
async def test_names_that_are_no_embedding_model_of_the_server_are_not_resolved(name: str) -> None:
    async with served(a_server()) as embedders:
        assert await embedders.resolve(name) is None


async def test_server_that_is_busy_or_broken_is_told() -> None:
    server = a_server()
    async with served(server) as embedders:
        server.faults["/v1/embeddings"] = fails(500, "boom")
        with pytest.raises(ModelError, match="boom"):
            await embedders.resolve("maker/vectors")
        server.faults["/v1/models"] = fails(503, "busy")
        with pytest.raises(ModelUnavailable):
            await embedders.resolve("maker/vectors")


@pytest.mark.parametrize(
    "rows", [None, [], [[1.0]], [[1.0], [1.0, 2.0]], [[0.0], [1.0]], [["a"], ["b"]], [[None], [1.0]], [1.0, 2.0]]
)
async def test_vectors_that_are_none_are_an_error(rows: Any) -> None:
    server = a_server()
    async with served(server) as embedders:
        found = await embedders.resolve("maker/vectors")
        assert found is not None
        listed = [{"index": index, "embedding": row} for index, row in enumerate(rows)] if rows is not None else None
        server.faults["/v1/embeddings"] = streams(json.dumps({"data": listed}))
        with pytest.raises(ModelError):
            await found.embed(["one", "two"], "passage")


async def test_embedder_says_what_it_is() -> None:
    async with served(a_server(shows_context=True)) as embedders:
        for name in ("maker/vectors", "vllm/maker/vectors"):
            found = await embedders.resolve(name)
            assert found is not None
            assert (found.id, found.dimensions, found.max_tokens) == ("vllm/maker/vectors", 6, 512)


async def test_settings_name_the_default_and_its_limit() -> None:
    async with served(a_server(), embedding_model="maker/vectors", embedding_tokens=100) as embedders:
        found = await embedders.resolve("")
        assert found is not None
        assert (found.id, found.max_tokens) == ("vllm/maker/vectors", 100)


async def test_rows_have_length_one_and_the_order_of_the_texts() -> None:
    server = a_server()
    async with served(server) as embedders:
        found: Any = await embedders.resolve("maker/vectors")
        texts = [f"text {number}" for number in range(150)]
        rows = await found.embed(texts, "passage")
        assert rows.shape == (150, 6)
        assert str(rows.dtype) == "float32"
        assert (rows**2).sum(axis=1) == pytest.approx(1)
        assert (rows[149] == (await found.embed(["text 149"], "query"))[0]).all()
    asked = [request.body for request in server.requests if request.path == "/v1/embeddings"]
    assert [len(body["input"]) for body in asked] == [1, 64, 64, 22, 1]
    assert {body["encoding_format"] for body in asked} == {"float"}


async def test_a_text_that_is_too_long_is_cut_and_its_neighbours_are_not() -> None:
    async with served(a_server(context=20), embedding_tokens=20) as embedders:
        found: Any = await embedders.resolve("maker/vectors")
        short, long = "a b c d e f g h i j", "x y " * 40
        together = await found.embed([short, long], "passage")
        assert together.shape == (2, 6)
        assert (together[0] == (await found.embed([short], "passage"))[0]).all()


async def test_a_refusal_that_cutting_does_not_mend_is_told() -> None:
    server = a_server()
    async with served(server) as embedders:
        found: Any = await embedders.resolve("maker/vectors")
        server.faults["/v1/embeddings"] = fails(400, "maximum of something else exceeded")
        with pytest.raises(ModelError, match="something else"):
            await found.embed(["word " * 1000, "b"], "passage")
        assert len(server.requests) < 20
