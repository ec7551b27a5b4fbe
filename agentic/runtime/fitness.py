"""How well tools fit a request, judged by the tools' own examples.

Two judges: a cheap one for every request (rules and words, well under a millisecond) and a dearer one for models that
cannot choose by themselves (vectors of the in-process embedder, some milliseconds). Nothing is trained: each tool
brings its own examples, so that installing one changes nothing for the others.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from agentic.models.fit import suggestion
from agentic.ports.agent import Fit
from agentic.ports.embedder import Embedder
from agentic.ports.model import ToolSpec

logger = logging.getLogger(__name__)

WORD = re.compile(r"[^\W\d_]{2,}|\d+")
STOP_WORDS = frozenset(
    (
        "a an and any are as at be but by can could do does for from get give has have how i if in is it its just let "
        "me my of on or our please show so some tell than that the their them then there these they this to us was we "
        "were what when where which who will with would you your"
    ).split()
)
NO_TOOL = (
    "Hello, how are you?",
    "Thank you very much",
    "Who are you?",
    "Tell me a joke",
    "Write a short poem about the sea",
    "Translate good morning into French",
    "Explain what love is",
    "Summarise what we have talked about",
    "Give me advice on writing a letter to a friend",
    "What do you think about that?",
)
"""Requests for plain conversation: what the dearer judge holds the tools' examples against."""
Embedding = Callable[[], Awaitable[Embedder | None]]


def words(text: str) -> Counter[str]:
    """The words that carry meaning, with a plural's ``s`` taken off."""
    found = (word for word in WORD.findall(text.lower()) if word not in STOP_WORDS)
    return Counter(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found)


class Fitness:
    """Judges the tools of one catalog. Made once, at start."""

    def __init__(self, specs: Sequence[ToolSpec], embedding: Embedding) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._examples = {
            name: [words(text) for text in (*spec.examples, spec.name.replace("_", " "))]
            for name, spec in self._specs.items()
        }
        self._weights = self._rarity()
        self._embedding = embedding
        self._centroids: tuple[list[str], list[Any]] | None = None
        self._lock = asyncio.Lock()

    def quick(self, text: str) -> list[Fit]:
        """Every tool with its fit, best first: 0.95 and more where a rule reads arguments, else by shared words.

        Tools that fit alike stay in the catalog's order, which is by rank.
        """
        asked = words(text)
        fits = [self._fit(spec, text, asked) for spec in self._specs.values()]
        return sorted(fits, key=lambda fit: -fit.score)

    async def near(self, text: str, tools: Sequence[ToolSpec]) -> list[Fit]:
        """The tools that are nearer to the text than plain conversation is, best first; rules come before vectors."""
        names = {tool.name for tool in tools}
        ruled = [fit for fit in self.quick(text) if fit.suggested is not None and fit.tool in names]
        if ruled:
            return ruled
        try:
            embedder = await self._embedding()
            if embedder is not None:
                return await self._nearest(embedder, text, names)
        except Exception:
            logger.exception("[Router] Embedder failed, so words decide")
        return [fit for fit in self.quick(text) if fit.score >= 0.5 and fit.tool in names]

    async def _nearest(self, embedder: Embedder, text: str, names: Collection[str]) -> list[Fit]:
        known, centroids = await self._learn(embedder)
        [vector] = await embedder.embed([text], "query")
        scores = {name: float(row @ vector) for name, row in zip(["", *known], centroids, strict=True)}
        found = [Fit(name, score) for name, score in scores.items() if name in names and score > scores[""]]
        return sorted(found, key=lambda fit: -fit.score)

    def _fit(self, spec: ToolSpec, text: str, asked: Counter[str]) -> Fit:
        suggested = suggestion(spec, text)
        score = max((self._likeness(asked, example) for example in self._examples[spec.name]), default=0.0)
        if suggested is not None:
            return Fit(spec.name, 0.95 + 0.05 * score, suggested)
        return Fit(spec.name, 0.9 * score)

    def _likeness(self, asked: Counter[str], example: Counter[str]) -> float:
        """Cosine of the two texts' words, each weighed by how few tools use it."""
        shared = sum(self._weight(word) ** 2 for word in asked.keys() & example.keys())
        if not shared:
            return 0.0
        return shared / math.sqrt(self._length(asked) * self._length(example))

    def _length(self, text: Counter[str]) -> float:
        return sum(self._weight(word) ** 2 for word in text)

    def _weight(self, word: str) -> float:
        return self._weights.get(word, 1.0)

    def _rarity(self) -> Mapping[str, float]:
        used = Counter(word for texts in self._examples.values() for word in {word for text in texts for word in text})
        return {word: 1.0 + math.log((1 + len(self._examples)) / (1 + count)) for word, count in used.items()}

    async def _learn(self, embedder: Embedder) -> tuple[list[str], list[Any]]:
        """The tools that have examples, and a vector for plain conversation followed by one a tool; embedded once."""
        async with self._lock:
            if self._centroids is None:
                known = [name for name, spec in self._specs.items() if spec.examples]
                groups = [NO_TOOL, *(self._specs[name].examples for name in known)]
                vectors = await embedder.embed([text for group in groups for text in group], "passage")
                ends = itertools.accumulate(len(group) for group in groups)
                rows = [vectors[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]
                self._centroids = known, [_centroid(row) for row in rows]
        return self._centroids


def _centroid(rows: Any) -> Any:
    """The mean of rows of shape ``(n, dimensions)``, of length 1."""
    mean = rows.mean(axis=0)
    return mean / (mean @ mean) ** 0.5
