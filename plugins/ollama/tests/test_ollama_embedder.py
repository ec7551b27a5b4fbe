"""Embedding models of the server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from agentic import ModelError, ModelUnavailable
from agentic.testing.ollama import ScriptedModel, ScriptedOllama, fails
from agentic_ollama.embedder import OllamaEmbedders

Embedders = Callable[..., OllamaEmbedders]
Find = Callable[..., Awaitable[Any]]


def a_server(kind: Any = ScriptedOllama) -> Any:
    vectors = ScriptedModel("vectors", capabilities=("embedding",), dimensions=6, context_length=2048)
    return kind([vectors, ScriptedModel("qwen3:8b")])


@pytest.fixture
def embedders(clients: Any) -> Embedders:
    """Makes the embedders of a scripted server."""
    return partial(clients.make, OllamaEmbedders)


@pytest.fixture
def embedder(embedders: Embedders) -> Find:
    """Finds an embedder of a scripted server."""

    async def embedder(server: ScriptedOllama, name: str = "vectors") -> Any:
        found = await embedders(server).resolve(name)
        assert found is not None
        return found

    return embedder


@pytest.mark.parametrize("name", ["", "qwen3:8b", "nomic-embed-text", "vectors:v2"])
async def test_names_that_are_no_embedding_model_of_the_server_are_not_resolved(
    embedders: Embedders, name: str
) -> None:
    assert await embedders(a_server()).resolve(name) is None


async def test_server_that_is_busy_is_told(embedders: Embedders) -> None:
    server = a_server()
    server.faults["/api/tags"] = fails(503, "busy")
    with pytest.raises(ModelUnavailable):
        await embedders(server).resolve("vectors")


@pytest.mark.parametrize(
    "rows", [None, [], [[1.0]], [[1.0], [1.0, 2.0]], [[0.0], [1.0]], [["a"], ["b"]], [[None], [1.0]], [1.0, 2.0]]
)
async def test_vectors_that_are_none_are_an_error(embedder: Find, odd_ollama: Any, rows: Any) -> None:
    server = a_server(odd_ollama)
    found = await embedder(server)
    server.bodies = {"/api/embed": json.dumps({"embeddings": rows}).encode()}
    with pytest.raises(ModelError):
        await found.embed(["one", "two"], "passage")


async def test_embedder_says_what_it_is(embedder: Find) -> None:
    server = a_server()
    found = await embedder(server, "vectors:latest")
    digest = server.models["vectors:latest"].digest
    assert (found.id, found.dimensions, found.max_tokens) == (f"ollama/vectors:latest@{digest[:12]}", 6, 2048)


async def test_model_pulled_anew_has_another_id(embedder: Find) -> None:
    server = a_server()
    before = await embedder(server)
    server.models["vectors:latest"] = ScriptedModel("vectors", capabilities=("embedding",), version=2)
    assert (await embedder(server)).id != before.id


async def test_rows_have_length_one_and_the_order_of_the_texts(embedder: Find) -> None:
    found = await embedder(a_server())
    texts = [f"text {number}" for number in range(150)]
    rows = await found.embed(texts, "passage")
    assert rows.shape == (150, 6)
    assert str(rows.dtype) == "float32"
    assert (rows**2).sum(axis=1) == pytest.approx(1)
    assert (rows[149] == (await found.embed(["text 149"], "query"))[0]).all()
