"""Kit for embedders: :class:`EmbedderConformance`. A plugin subclasses it in its own tests::

    class TestMyEmbedder(EmbedderConformance):
        @pytest.fixture
        async def embedder(self):
            return await MyProvider().resolve("")

The kit needs numpy, which every embedder brings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from agentic.ports.embedder import Embedder

__all__ = ["EmbedderConformance"]

TEXTS = [
    "A cat sleeps on the sofa.",
    "Die Katze schläft.",
    "E = mc²",
    "東京は日本の首都です。",
    "😀😀",
    "def f(x):\n    return x",
    "one",
]


class EmbedderConformance:
    """What every embedder owes to a vector store. Override ``embedder``."""

    @pytest.fixture
    async def embedder(self) -> Embedder:
        """The embedder under test."""
        raise NotImplementedError("override the fixture `embedder`")

    @pytest.fixture
    def meanings(self) -> Sequence[tuple[str, str, str]]:
        """Triples: a query, a passage that answers it, and one that speaks of something else."""
        return [
            ("How do I cook rice?", "Boil the rice in water for ten minutes.", "The stock market fell on Monday."),
            ("What is the capital of France?", "Paris is the capital city of France.", "Bees make honey in hives."),
            ("repair a flat bicycle tire", "Patch the inner tube of the bike's wheel.", "The opera opens in May."),
        ]

    def test_it_says_what_it_is(self, embedder: Embedder) -> None:
        assert embedder.id.strip()
        assert embedder.dimensions > 0
        assert embedder.max_tokens > 0

    @pytest.mark.parametrize("kind", ["query", "passage"])
    async def test_rows_are_unit_vectors_of_float32(
        self, embedder: Embedder, kind: Literal["query", "passage"]
    ) -> None:
        vectors = await embedder.embed(TEXTS, kind)
        assert vectors.shape == (len(TEXTS), embedder.dimensions)
        assert str(vectors.dtype) == "float32"
        assert (vectors**2).sum(axis=1) ** 0.5 == pytest.approx(1, abs=1e-3), "rows have length 1"

    async def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        vectors = await embedder.embed([], "passage")
        assert vectors.shape == (0, embedder.dimensions)

    async def test_same_text_gives_the_same_vector(self, embedder: Embedder) -> None:
        first, second = [await embedder.embed(TEXTS[:1], "passage") for _ in range(2)]
        assert _nearness(first[0], second[0]) == pytest.approx(1, abs=1e-4)

    async def test_batch_equals_one_by_one(self, embedder: Embedder) -> None:
        together = await embedder.embed(TEXTS, "passage")
        for text, row in zip(TEXTS, together, strict=True):
            assert _nearness((await embedder.embed([text], "passage"))[0], row) == pytest.approx(1, abs=1e-2), text

    async def test_many_at_once_stay_apart(self, embedder: Embedder) -> None:
        together = await embedder.embed(TEXTS, "query")
        alone = await asyncio.gather(*(embedder.embed([text], "query") for text in TEXTS))
        for row, single in zip(together, alone, strict=True):
            assert _nearness(row, single[0]) == pytest.approx(1, abs=1e-2)

    async def test_empty_and_long_texts_are_taken(self, embedder: Embedder) -> None:
        long = "word " * (embedder.max_tokens * 4)
        vectors = await embedder.embed(["", " \n", "\x00", long], "passage")
        assert vectors.shape == (4, embedder.dimensions)
        assert (vectors**2).sum(axis=1) ** 0.5 == pytest.approx(1, abs=1e-3), "rows have length 1"

    async def test_same_meaning_is_nearer_than_another(
        self, embedder: Embedder, meanings: Sequence[tuple[str, str, str]]
    ) -> None:
        for query, answer, other in meanings:
            question = (await embedder.embed([query], "query"))[0]
            near, far = await embedder.embed([answer, other], "passage")
            assert _nearness(question, near) > _nearness(question, far), query


def _nearness(one: Any, other: Any) -> float:
    """The cosine, since rows have length 1."""
    return float((one * other).sum())
