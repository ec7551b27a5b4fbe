"""Port: text to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol


class Embedder(Protocol):
    """One embedding model. ``id`` names it for good: vectors of two ids are never mixed."""

    id: str
    dimensions: int
    max_tokens: int

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """A float32 array of shape ``(len(texts), dimensions)``, rows of length 1. Longer texts are cut."""
        ...


class EmbedderProvider(Protocol):
    """Finds embedders by their model's name. ``local`` ones work inside this process."""

    name: str
    local: bool = False
    rank: int = 0

    async def resolve(self, model_id: str) -> Embedder | None:
        """The embedder that ``model_id`` names here, or None. ``model_id`` empty: this provider's default, or None."""
        ...

    async def aclose(self) -> None:
        """Close connections and let go of models."""
        return None
