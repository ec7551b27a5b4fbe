"""The embedding models of an Ollama server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from agentic import Embedder, EmbedderProvider, ModelError
from agentic_ollama.catalogue import Catalogue, Listed, full_name
from agentic_ollama.connection import Connection
from agentic_ollama.settings import Settings

_BATCH = 64


class OllamaEmbedders(EmbedderProvider):
    """Finds embedding models on the server at OLLAMA_HOST; it has no default of its own."""

    name = "ollama"

    def __init__(self, settings: Settings) -> None:
        self._connection = Connection(settings)
        self._catalogue = Catalogue(self._connection, settings)

    async def resolve(self, model_id: str) -> Embedder | None:
        """The embedder of that name, ``:latest`` implied, or None where the server has none such.

        Raises ModelUnavailable, ModelTimeout or ModelError where the server cannot tell.
        """
        wanted = full_name(model_id)
        entry = next((entry for entry in await self._catalogue.listed() if entry.name == wanted), None)
        if not model_id or entry is None:
            return None
        facts = await self._catalogue.facts(entry.name)
        if not facts.embedding:
            return None
        embedder = OllamaEmbedder(self._connection, entry, facts.context)
        # The dimensions that a model tells of are those of its inner layers, for some not those of its vectors.
        probe = await embedder.embed(["dimensions"], "query")
        embedder.dimensions = int(probe.shape[1])
        return embedder

    async def aclose(self) -> None:
        """Close all connections to the server."""
        await self._connection.aclose()


class OllamaEmbedder(Embedder):
    """One embedding model. Its id holds the weights' digest: a model pulled anew makes other vectors."""

    def __init__(self, connection: Connection, entry: Listed, max_tokens: int) -> None:
        self.id = f"ollama/{entry.name}@{entry.digest[:12]}"
        self.dimensions = 0
        self.max_tokens = max_tokens
        self._connection = connection
        self._model = entry.name

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """A float32 array of shape ``(len(texts), dimensions)``, rows of length 1; both kinds are embedded alike.

        Raises ModelUnavailable, ModelTimeout, ModelNotFound or ModelError.
        """
        rows: list[Any] = []
        for start in range(0, len(texts), _BATCH):
            rows.extend(await self._batch(texts[start : start + _BATCH]))
        return await asyncio.to_thread(_normalised, rows, self.dimensions)

    async def _batch(self, texts: Sequence[str]) -> list[Any]:
        body = {
            "model": self._model,
            "input": list(texts),
            "truncate": True,
            "options": {"num_ctx": self.max_tokens},
        }
        answer = await self._connection.fetch("POST", "/api/embed", body)
        rows = answer.get("embeddings")
        if not isinstance(rows, list) or len(rows) != len(texts):
            raise ModelError(f"Ollama's '{self._model}' gave no vector for some of the texts")
        return rows


def _normalised(rows: list[Any], dimensions: int) -> Any:
    import numpy as np

    if not rows:
        return np.zeros((0, dimensions), dtype=np.float32)
    try:
        vectors = np.asarray(rows, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    except (TypeError, ValueError) as fault:
        raise ModelError("Ollama gave vectors of unequal length, or no numbers") from fault
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ModelError("Ollama gave a vector without a direction")
    return vectors / lengths
