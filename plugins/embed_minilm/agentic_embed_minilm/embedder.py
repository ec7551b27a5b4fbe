"""The embedder and its provider: everything slow happens in worker threads, which share one model.

Passages are embedded by a thread for each core, in runs of few tokens, and give way to whatever else the machine does.
Queries have a thread of their own: somebody waits for each of them.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from agentic import Embedder, EmbedderProvider, ModelUnavailable

if TYPE_CHECKING:
    from agentic_embed_minilm.model import MiniLM

logger = logging.getLogger(__name__)

RUN = 256
"""Tokens per run of the model, with what pads them: each costs more in smaller runs and, past the caches, in larger."""
AT_ONCE = 64
"""Texts that are made tokens at once."""
MOST_THREADS = 8
NICE = 5
"""Steps by which threads for passages are behind all others, where the system knows that of a thread."""

MODEL = "all-MiniLM-L6-v2"
NAMES = frozenset({"", MODEL.lower(), f"sentence-transformers/{MODEL}".lower()})


class MiniLMEmbedder(Embedder):
    """all-MiniLM-L6-v2 with int8 weights. Safe to use from several tasks at once."""

    id = "all-MiniLM-L6-v2-int8"
    dimensions = 384
    max_tokens = 256

    def __init__(self) -> None:
        self._model: MiniLM | None = None
        self._loading = threading.Lock()
        self._closed = False
        self._cores = min(_cores(), MOST_THREADS)
        self._for_queries = ThreadPoolExecutor(1, "minilm-query")
        self._for_passages = ThreadPoolExecutor(self._cores, "minilm", _give_way)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        """A float32 array of shape ``(len(texts), 384)``, rows of length 1.

        Queries and passages are embedded alike. Texts longer than 256 tokens are cut. Raises ModelUnavailable where
        the model is missing, damaged, or cannot be run.
        """
        pool = self._for_queries if kind == "query" else self._for_passages
        if len(texts) == 1:
            return await self._in(pool, self._alone, texts)
        tokens: list[list[int]] = []
        for start in range(0, len(texts), AT_ONCE):
            tokens += await self._in(pool, self._tokens, texts[start : start + AT_ONCE])
        runs = _runs([len(each) for each in tokens])
        rows: list[Any] = [None] * len(runs)
        # Shared by the tasks, each of which takes the next when it has done one: no call fills the threads' queue, and
        # several take turns.
        waiting = iter(enumerate(runs))

        async def work() -> None:
            for number, run in waiting:
                rows[number] = await self._in(pool, self._embed, [tokens[place] for place in run])

        await _all(work, min(self._cores, len(runs)))
        return await self._in(pool, self._arrange, runs, rows)

    async def aclose(self) -> None:
        """End the threads as soon as they have done what they were given; nothing more is embedded."""
        self._closed = True
        self._for_queries.shutdown(wait=False)
        self._for_passages.shutdown(wait=False)

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[..., Any], *args: Any) -> Any:
        if self._closed:
            raise ModelUnavailable("The embedder has been shut down; start the server again.")
        return await asyncio.get_running_loop().run_in_executor(pool, work, *args)

    def _loaded(self) -> MiniLM:
        with self._loading:
            if self._model is None:
                self._model = _library().MiniLM(self.max_tokens)
                logger.info("[Embedder] Loaded: %s", self.id)
            return self._model

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return self._loaded().tokens(texts)

    def _embed(self, tokens: Sequence[list[int]]) -> Any:
        return self._loaded().embed(tokens)

    def _alone(self, texts: Sequence[str]) -> Any:
        """A text for which somebody waits: every change of threads costs time, the more so on a busy machine."""
        model = self._loaded()
        return model.embed(model.tokens(texts))

    def _arrange(self, runs: list[list[int]], rows: list[Any]) -> Any:
        return _library().arrange(runs, rows, self.dimensions)


def _library() -> ModuleType:
    """The module that imports onnxruntime, tokenizers and numpy."""
    # From its import on, onnxruntime would note who runs it in the home folder, and tell Microsoft.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module("agentic_embed_minilm.model")
    except ImportError as error:
        # numpy writes a page of advice, and what is wrong at its end.
        reason = str(error).strip().splitlines()[-1:]
        raise ModelUnavailable(
            f"The embedder's libraries cannot be loaded ({' '.join(reason)}). Give the server more memory if that is "
            "short, or else run: pip install --force-reinstall agentic-plugin-embed-minilm"
        ) from error


def _runs(lengths: Sequence[int]) -> list[list[int]]:
    """The places of texts of these lengths in tokens, as runs of neighbours in length: little is padding."""
    runs: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if runs and (len(runs[-1]) + 1) * lengths[place] <= RUN:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


async def _all(work: Callable[[], Coroutine[Any, Any, None]], count: int) -> None:
    """So many of it at once; where one fails or this is cancelled, the others end too."""
    tasks = [asyncio.create_task(work()) for _ in range(count)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _give_way() -> None:
    """Put the calling thread behind all others, which Linux knows of a single thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICE)


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
        """End the threads; what is embedded afterwards is ModelUnavailable."""
        await self._embedder.aclose()
