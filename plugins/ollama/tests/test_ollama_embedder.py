"""Embedding models of the server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from agentic import ModelError, ModelUnavailable
from agentic.testing.ollama import ScriptedModel, ScriptedOllama, fails
from agentic_ollama.embedder import OllamaEmbedders
from agentic_ollama.settings import Settings


def a_server() -> ScriptedOllama:
    vectors = ScriptedModel("vectors", capabilities=("embedding",), dimensions=6, context_length=2048)
    return ScriptedOllama([vectors, ScriptedModel("qwen3:8b")])


def embedders(server: ScriptedOllama) -> OllamaEmbedders:
    return OllamaEmbedders(Settings(), transport=httpx.ASGITransport(server))


async def embedder(server: ScriptedOllama, name: str = "vectors") -> Any:
    found = await embedders(server).resolve(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["", "qwen3:8b", "nomic-embed-text", "vectors:v2"])
async def test_names_that_are_no_embedding_model_of_the_server_are_not_resolved(name: str) -> None:
    assert await embedders(a_server()).resolve(name) is None


async def test_server_that_is_busy_is_told() -> None:
    server = a_server()
    server.faults["/api/tags"] = fails(503, "busy")
    with pytest.raises(ModelUnavailable):
        await embedders(server).resolve("vectors")


def answering(rows: Any, server: ScriptedOllama) -> httpx.MockTransport:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/embed" and json.loads(request.content)["input"] != ["dimensions"]:
            return httpx.Response(200, json={"embeddings": rows})
        return await httpx.ASGITransport(server).handle_async_request(request)

    return httpx.MockTransport(answer)


@pytest.mark.parametrize(
    "rows", [None, [], [[1.0]], [[1.0], [1.0, 2.0]], [[0.0], [1.0]], [["a"], ["b"]], [[None], [1.0]], [1.0, 2.0]]
)
async def test_vectors_that_are_none_are_an_error(rows: Any) -> None:
    found = await OllamaEmbedders(Settings(), transport=answering(rows, a_server())).resolve("vectors")
    assert found is not None
    with pytest.raises(ModelError):
        await found.embed(["one", "two"], "passage")


async def test_embedder_says_what_it_is() -> None:
    server = a_server()
    found = await embedder(server, "vectors:latest")
    digest = server.models["vectors:latest"].digest
    assert (found.id, found.dimensions, found.max_tokens) == (f"ollama/vectors:latest@{digest[:12]}", 6, 2048)


async def test_model_pulled_anew_has_another_id() -> None:
    server = a_server()
    before = await embedder(server)
    server.models["vectors:latest"] = ScriptedModel("vectors", capabilities=("embedding",), version=2)
    assert (await embedder(server)).id != before.id


async def test_rows_have_length_one_and_the_order_of_the_texts() -> None:
    found = await embedder(a_server())
    texts = [f"text {number}" for number in range(150)]
    rows = await found.embed(texts, "passage")
    assert rows.shape == (150, 6)
    assert str(rows.dtype) == "float32"
    assert (rows**2).sum(axis=1) == pytest.approx(1)
    assert (rows[149] == (await found.embed(["text 149"], "query"))[0]).all()
