"""The embedder and its provider: everything slow happens in one worker thread, so the model loads once."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from agentic import Embedder, EmbedderProvider, ModelUnavailable

if TYPE_CHECKING:
    from agentic_embed_minilm.model import MiniLM

logger = logging.getLogger(__name__)

BATCH = 4
"""Texts per run of the model: eight at a time cost an eighth more for each of them, and many take gigabytes."""

MODEL = "all-MiniLM-L6-v2"
NAMES = frozenset({"", MODEL.lower(), f"sentence-transformers/{MODEL}".lower()})


class MiniLMEmbedder(Embedder):
    """all-MiniLM-L6-v2 with int8 weights. Safe to use from several tasks at once."""

    id = "all-MiniLM-L6-v2-int8"
    dimensions = 384
    max_tokens = 256

    def __init__(self) -> None:
        self._model: MiniLM | None = None
        self._closed = False
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="minilm")

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """A float32 array of shape ``(len(texts), 384)``, rows of length 1.

        Queries and passages are embedded alike. Texts longer than 256 tokens are cut. Raises ModelUnavailable where
        the model is missing, damaged, or cannot be run.
        """
        batches = _batches(texts)
        rows = [await self._in_worker(self._embed, [texts[place] for place in batch]) for batch in batches]
        return await self._in_worker(self._arrange, batches, rows)

    async def aclose(self) -> None:
        """End the worker thread as soon as it has done what it was given; nothing more is embedded."""
        self._closed = True
        self._worker.shutdown(wait=False)

    async def _in_worker(self, work: Callable[..., Any], *args: Any) -> Any:
        """One piece of work at a time: the query of one user goes between the batches of another's upload."""
        if self._closed:
            raise ModelUnavailable("The embedder has been shut down; start the server again.")
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *args)

    def _embed(self, texts: list[str]) -> Any:
        if self._model is None:
            self._model = _library().MiniLM(self.max_tokens)
            logger.info("[Embedder] Loaded: %s", self.id)
        return self._model.embed(texts)

    def _arrange(self, batches: list[list[int]], rows: list[Any]) -> Any:
        return _library().arrange(batches, rows, self.dimensions)


def _library() -> ModuleType:
    """The module that imports onnxruntime, tokenizers and numpy."""
    try:
        return importlib.import_module("agentic_embed_minilm.model")
    except ImportError as error:
        raise ModelUnavailable(
            f"The embedder's libraries are not installed whole ({error}). "
            "Run: pip install --force-reinstall agentic-plugin-embed-minilm"
        ) from error


def _batches(texts: Sequence[str]) -> list[list[int]]:
    """The places of the texts, in batches of neighbours in length: short texts are not padded to long ones."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]


class MiniLMProvider(EmbedderProvider):
    """The provider ``minilm``: one model, on this machine."""

    name = "minilm"
    local = True

    def __init__(self) -> None:
        self._embedder = MiniLMEmbedder()

    async def resolve(self, model_id: str) -> Embedder | None:
        """The embedder for ``all-MiniLM-L6-v2``, with or without ``sentence-transformers/``, and for no name at all."""
        return self._embedder if model_id.lower() in NAMES else None

    async def aclose(self) -> None:
        """End the worker thread; what is embedded afterwards is ModelUnavailable."""
        await self._embedder.aclose()
