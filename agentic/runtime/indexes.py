"""What finds things in a user's documents: the chosen embedder, store of vectors and full-text index."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NoReturn

from agentic.errors import ModelError, ModelNotFound, StorageError
from agentic.ports.embedder import Embedder, EmbedderProvider
from agentic.ports.texts import TextIndex, Texts
from agentic.ports.vectors import Vectors, VectorStore

MOST_OTHERS = 32
"""Embedders beside the chosen one that are remembered, since to find one may ask its server."""


class Embedders:
    """The embedder that ``model_id`` names, found among the providers when it is first needed.

    Where it names none, it is the default of the highest-ranked provider that has one.
    """

    def __init__(self, providers: Mapping[str, EmbedderProvider], model_id: str = "") -> None:
        self._providers = providers
        self._model_id = model_id
        self._found: Embedder | None = None
        self._finding = asyncio.Lock()
        self._others: dict[str, Embedder] = {}

    async def chosen(self) -> Embedder:
        """The embedder, the same one every time.

        Raises ModelNotFound where no provider has it, else the ModelError of one that could not tell.
        """
        async with self._finding:
            if self._found is None:
                self._found = await self._find(self._model_id) or self._missing()
            return self._found

    async def named(self, model_id: str) -> Embedder:
        """The embedder of this name; the chosen one for its own and for none.

        Raises ModelNotFound where no provider has it, else the ModelError of one that could not tell.
        """
        if model_id in ("", self._model_id):
            return await self.chosen()
        if model_id not in self._others:
            found = await self._find(model_id)
            if found is None:
                raise ModelNotFound(f"The embedding model '{model_id[:200]}' does not exist.", param="model")
            if len(self._others) >= MOST_OTHERS:
                del self._others[next(iter(self._others))]
            self._others[model_id] = found
        return self._others[model_id]

    async def _find(self, model_id: str) -> Embedder | None:
        fault: ModelError | None = None
        for provider in self._providers.values():
            try:
                found = await provider.resolve(model_id)
            except ModelError as error:
                fault = fault or error
                continue
            if found is not None:
                return found
        if fault is not None:
            raise fault
        return None

    def _missing(self) -> NoReturn:
        named = f"EMBEDDING_MODEL={self._model_id}: no" if self._model_id else "EMBEDDING_MODEL: no default"
        known = ", ".join(self._providers) or "none; install a plugin that brings one"
        raise ModelNotFound(f"{named} embedder has this name. Providers of embedders: {known}", param="EMBEDDING_MODEL")


class Indexes:
    """The chosen stores, or None where none is installed, and what one scope holds of them."""

    def __init__(self, embedders: Embedders, vectors: VectorStore | None, texts: TextIndex | None) -> None:
        self.embedders = embedders
        self.vector_store = vectors
        self.text_index = texts

    async def vectors(self, scope: str) -> Vectors:
        """The vectors of a scope, of the chosen embedder. Raises StorageError where there is no store, ModelError."""
        store = self._store_of_vectors()
        embedder = await self.embedders.chosen()
        return store.collection(scope, embedder=embedder.id, dimensions=embedder.dimensions)

    def vectors_of_any(self, scope: str) -> Vectors:
        """The vectors of a scope, to be listed and deleted: whoever embedded them, whose server may be away.

        Raises StorageError where there is no store.
        """
        return self._store_of_vectors().collection(scope, embedder="", dimensions=1)

    def texts(self, scope: str) -> Texts:
        """The full-text index of a scope. Raises StorageError where there is none."""
        if self.text_index is None:
            raise StorageError("No full-text index is installed. Install a plugin that brings one.")
        return self.text_index.collection(scope)

    def _store_of_vectors(self) -> VectorStore:
        if self.vector_store is None:
            raise StorageError("No store of vectors is installed. Install a plugin that brings one.")
        return self.vector_store
