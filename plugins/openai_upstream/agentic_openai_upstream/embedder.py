"""The embedding models of one server that speaks OpenAI's API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Literal

from agentic import Embedder, EmbedderProvider, ModelError, ModelNotFound
from agentic_openai_upstream.catalogue import Catalogue
from agentic_openai_upstream.connection import Connection
from agentic_openai_upstream.refusals import Refused
from agentic_openai_upstream.settings import Upstream

_BATCH = 64
_TOKENS = 512
# No tokenizer makes fewer tokens of ordinary text than one for eight characters.
_CHARACTERS_A_TOKEN = 8
_NO_EMBEDDER = (400, 404, 405, 422, 501)
_TOO_LONG = re.compile(r"context|too (long|large|many)|maximum|length|physical batch size|tokens", re.IGNORECASE)


class UpstreamEmbedders(EmbedderProvider):
    """Finds embedding models on one server; its default is its ``embedding_model``."""

    def __init__(self, name: str, upstream: Upstream) -> None:
        self.name = name
        self.rank = upstream.rank
        self._upstream = upstream
        self._connection = Connection(name, upstream)
        self._catalogue = Catalogue(self._connection, name, upstream)

    async def resolve(self, model_id: str) -> Embedder | None:
        """The embedder of that name, or None where the server lists none such, or one that cannot embed.

        Raises ModelUnavailable, ModelTimeout or ModelError where the server cannot tell.
        """
        wanted = model_id or self._upstream.embedding_model
        if not wanted:
            return None
        listed = {entry.id: entry for entry in await self._catalogue.listed()}
        if wanted not in listed:
            wanted = wanted.removeprefix(f"{self.name}/")
        if wanted not in listed:
            return None
        tokens = self._upstream.embedding_tokens or listed[wanted].context or _TOKENS
        embedder = UpstreamEmbedder(self._connection, self.name, wanted, tokens)
        try:
            probe = await embedder.embed(["dimensions"], "query")
        except (Refused, ModelNotFound) as fault:
            if isinstance(fault, Refused) and fault.refusal not in _NO_EMBEDDER:
                raise
            return None
        embedder.dimensions = int(probe.shape[1])
        return embedder

    async def aclose(self) -> None:
        """Close all connections to the server."""
        await self._connection.aclose()


class UpstreamEmbedder(Embedder):
    """One embedding model; its id holds the server's name, since equal names may stand for other weights elsewhere."""

    def __init__(self, connection: Connection, name: str, model: str, max_tokens: int) -> None:
        self.id = f"{name}/{model}"
        self.dimensions = 0
        self.max_tokens = max_tokens
        self._connection = connection
        self._name = name
        self._model = model

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """A float32 array of shape ``(len(texts), dimensions)``, rows of length 1; both kinds are embedded alike.

        Raises ModelUnavailable, ModelTimeout, ModelNotFound or ModelError.
        """
        rows: list[Any] = []
        for start in range(0, len(texts), _BATCH):
            rows.extend(await self._batch([self._sendable(text) for text in texts[start : start + _BATCH]]))
        return await asyncio.to_thread(_normalised, rows, self.dimensions, self._name)

    def _sendable(self, text: str) -> str:
        """The text, cut to what can be ``max_tokens`` tokens; servers refuse one that is empty."""
        cut = text[: self.max_tokens * _CHARACTERS_A_TOKEN].replace("\x00", " ")
        return cut if cut.strip() else "."

    async def _batch(self, texts: list[str]) -> list[Any]:
        try:
            return await self._rows(texts)
        except Refused as refused:
            if not _TOO_LONG.search(refused.reason.said):
                raise
        if len(texts) > 1:
            # Each by itself, so that a text's vector does not depend on its neighbours.
            return [row for text in texts for row in await self._batch([text])]
        return await self._shortened(texts[0])

    async def _shortened(self, text: str) -> list[Any]:
        """The row of a text that is too long, cut by a quarter until the server takes it."""
        while True:
            text = text[: len(text) * 3 // 4]
            try:
                return await self._rows([text])
            except Refused as refused:
                # A text shorter than its limit in tokens is refused for something else.
                if len(text) <= self.max_tokens // 4 or not _TOO_LONG.search(refused.reason.said):
                    raise

    async def _rows(self, texts: list[str]) -> list[Any]:
        body = {"model": self._model, "input": texts, "encoding_format": "float"}
        answer = await self._connection.fetch("POST", "/embeddings", body)
        try:
            rows = {entry["index"]: entry["embedding"] for entry in answer["data"]}
            return [rows[index] for index in range(len(texts))]
        except (KeyError, TypeError):
            raise ModelError(f"{self._name}'s '{self._model}' gave no vector for some of the texts") from None


def _normalised(rows: list[Any], dimensions: int, name: str) -> Any:
    import numpy as np

    if not rows:
        return np.zeros((0, dimensions), dtype=np.float32)
    try:
        vectors = np.asarray(rows, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    except (TypeError, ValueError) as fault:
        raise ModelError(f"{name} gave vectors of unequal length, or no numbers") from fault
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ModelError(f"{name} gave a vector without a direction")
    return vectors / lengths
