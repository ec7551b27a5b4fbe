"""The kits for providers of models and for embedders pass what keeps its promises, and fail what breaks one."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal

import numpy as np
import pytest

from agentic import (
    Embedder,
    ModelDelta,
    ModelInfo,
    ModelNotFound,
    ModelProvider,
    ModelRequest,
    ModelUnavailable,
    Usage,
)
from agentic.testing.embedder import EmbedderConformance
from agentic.testing.provider import ProviderConformance

REFUSED = (AssertionError, pytest.fail.Exception)


class Parrot(ModelProvider):
    """Answers with the last message, a word at a time."""

    name = "parrot"

    def __init__(self, away: bool = False) -> None:
        self.away = away

    async def models(self) -> Sequence[ModelInfo]:
        self._reach()
        return [ModelInfo(id="grey", schema=True, default=True), ModelInfo(id="ara")]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        self._reach()
        if request.model not in ("grey", "ara"):
            raise ModelNotFound(f"no model {request.model}")
        text = json.dumps({"city": "Rome", "big": True}) if request.schema else request.messages[-1].text
        for word in text.split():
            await asyncio.sleep(0.005)
            yield ModelDelta(text=f"{word} ")
        yield ModelDelta(finish="stop", usage=Usage(1, len(text.split())))

    async def health(self) -> str | None:
        return "the parrot has flown: call it" if self.away else None

    def _reach(self) -> None:
        if self.away:
            raise ModelUnavailable("the parrot has flown")


class TestParrot(ProviderConformance):
    @pytest.fixture
    async def provider(self) -> ModelProvider:
        return Parrot()

    @pytest.fixture
    async def unreachable(self) -> ModelProvider:
        return Parrot(away=True)


class TwoDefaults(Parrot):
    async def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(id="grey", default=True), ModelInfo(id="ara", default=True)]


class CutsItsAnswer(Parrot):
    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        async for delta in super().stream(request):
            if not delta.finish:
                yield delta


class IsSlowToClose(Parrot):
    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        try:
            async for delta in super().stream(request):
                yield delta
        finally:
            await asyncio.sleep(1.2)


class AnswersForAnyModel(Parrot):
    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        yield ModelDelta("Hello", finish="stop", usage=Usage(1, 1))


GREY = ModelInfo(id="grey", schema=True)
BROKEN_PROVIDERS: list[tuple[ModelProvider, str, tuple[Any, ...]]] = [
    (TwoDefaults(), "test_models_have_ids_of_their_own_and_at_most_one_default", ()),
    (CutsItsAnswer(), "test_answer_ends_with_its_finish_and_tells_its_usage", (GREY, "a b")),
    (IsSlowToClose(), "test_closing_early_is_prompt_and_the_next_answer_is_whole", (GREY, "a b")),
    (AnswersForAnyModel(), "test_unknown_model_is_not_found", ()),
    (AnswersForAnyModel(), "test_server_that_is_away_is_unavailable", ()),
]


@pytest.mark.parametrize(("broken", "test", "more"), BROKEN_PROVIDERS)
async def test_provider_that_breaks_a_promise_fails_the_kit(
    broken: ModelProvider, test: str, more: tuple[Any, ...]
) -> None:
    with pytest.raises(REFUSED):
        await getattr(ProviderConformance(), test)(broken, *more)


# Embedders


class BagOfWords(Embedder):
    """Counts words in buckets: enough for texts that share words."""

    id = "bag-of-words"
    dimensions = 512
    max_tokens = 64

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        vectors[:, 0] = 0.01
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split()[: self.max_tokens]:
                row[int.from_bytes(hashlib.sha256(word.strip("?.'s").encode()).digest()[:2]) % self.dimensions] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


MEANINGS = [("capital of france", "paris is the capital of france", "bees make honey")]


class TestBagOfWords(EmbedderConformance):
    @pytest.fixture
    async def embedder(self) -> Embedder:
        return BagOfWords()

    @pytest.fixture
    def meanings(self) -> Sequence[tuple[str, str, str]]:
        return MEANINGS


class DoublePrecision(BagOfWords):
    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        return (await super().embed(texts, kind)).astype(np.float64)


class NotUnit(BagOfWords):
    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        return await super().embed(texts, kind) * 2


class Shuffles(BagOfWords):
    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        return (await super().embed(texts, kind))[::-1]


class AlwaysTheSame(BagOfWords):
    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        return await super().embed(["same"] * len(texts), kind)


BROKEN_EMBEDDERS: list[tuple[Embedder, str, tuple[Any, ...]]] = [
    (DoublePrecision(), "test_rows_are_unit_vectors_of_float32", ("query",)),
    (NotUnit(), "test_rows_are_unit_vectors_of_float32", ("query",)),
    (Shuffles(), "test_batch_equals_one_by_one", ()),
    (AlwaysTheSame(), "test_same_meaning_is_nearer_than_another", (MEANINGS,)),
]


@pytest.mark.parametrize(("broken", "test", "more"), BROKEN_EMBEDDERS)
async def test_embedder_that_breaks_a_promise_fails_the_kit(broken: Embedder, test: str, more: tuple[Any, ...]) -> None:
    with pytest.raises(REFUSED):
        await getattr(EmbedderConformance(), test)(broken, *more)
