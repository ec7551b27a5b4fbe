"""The embedder inside the process, as the server would find it."""

from __future__ import annotations

from functools import cache

from agentic import Embedder, EmbedderProvider
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings


@cache
def _providers() -> list[EmbedderProvider]:
    return list(load(read_settings()).embedders().values())


async def embedder() -> Embedder:
    """The first local one. Raises LookupError where none is installed."""
    for provider in _providers():
        found = await provider.resolve("") if provider.local else None
        if found is not None:
            return found
    raise LookupError("No embedder inside the process is installed. Run: pip install agentic-plugin-embed-minilm")
