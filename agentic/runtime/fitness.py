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
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import cache
from typing import Any, overload

from agentic.models.fit import LONGEST, suggestion
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
FAILED_S = 60.0
Embedding = Callable[[], Awaitable[Embedder | None]]


def words(text: str) -> set[str]:
    """The words that carry meaning, with a plural's ``s`` taken off."""
    found = (word for word in WORD.findall(text.lower()) if word not in STOP_WORDS)
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found}


class Fitness:
    """Judges the tools of one catalog. Made once, at start.

    A request of more than LONGEST characters is judged by its beginning.
    """

    def __init__(self, specs: Sequence[ToolSpec], embedding: Embedding) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._wording = _Wording(specs)
        self._embedding = embedding
        self._centroids: tuple[list[str], list[Any]] | None = None
        self._failed_at = -math.inf
        self._lock = asyncio.Lock()

    def quick(self, text: str) -> list[Fit]:
        """Every tool with its fit, best first: 0.95 and more where a rule reads arguments, else by shared words.

        Tools that fit alike stay in the catalog's order, which is by rank.
        """
        likeness = self._wording.likeness(words(text[:LONGEST]))
        fits = [_fit(spec, text, likeness.get(spec.name, 0.0)) for spec in self._specs.values()]
        return sorted(fits, key=lambda fit: -fit.score)

    async def near(self, text: str, tools: Sequence[ToolSpec]) -> list[Fit]:
        """The tools that are nearer to the text than plain conversation is, best first; rules come before vectors.

        After a failure of the embedder words decide for FAILED_S.
        """
        names = {tool.name for tool in tools}
        fits = [fit for fit in self.quick(text) if fit.tool in names]
        ruled = [fit for fit in fits if fit.suggested is not None]
        if ruled:
            return ruled
        nearest = await self._nearest(text[:LONGEST], names)
        return [fit for fit in fits if fit.score >= 0.5] if nearest is None else nearest

    async def _nearest(self, text: str, names: Collection[str]) -> list[Fit] | None:
        """The tools by their vectors; None where no embedder is at hand."""
        if self._has_just_failed():
            return None
        try:
            embedder = await self._embedding()
            if embedder is None or (learned := await self._learn(embedder)) is None:
                return None
            [vector] = await embedder.embed([text], "query")
            known, centroids = learned
            scores = {name: float(row @ vector) for name, row in zip(["", *known], centroids, strict=True)}
        except (Exception, SystemExit):
            self._failed_at = time.monotonic()
            logger.exception("[Router] Embedder failed, so words decide for the next %g s", FAILED_S)
            return None
        found = [Fit(name, score) for name, score in scores.items() if name in names and score > scores[""]]
        return sorted(found, key=lambda fit: -fit.score)

    async def _learn(self, embedder: Embedder) -> tuple[list[str], list[Any]] | None:
        """The tools that have examples, and a vector for plain conversation followed by one a tool; embedded once.

        None where it has just failed for somebody who came before.
        """
        async with self._lock:
            if self._centroids is None and not self._has_just_failed():
                try:
                    self._centroids = await self._embedded(embedder)
                except (Exception, SystemExit):
                    self._failed_at = time.monotonic()
                    raise
        return self._centroids

    async def _embedded(self, embedder: Embedder) -> tuple[list[str], list[Any]]:
        known = [name for name, spec in self._specs.items() if spec.examples]
        groups = [NO_TOOL, *(self._specs[name].examples for name in known)]
        vectors = await embedder.embed([text for group in groups for text in group], "passage")
        ends = itertools.accumulate(len(group) for group in groups)
        rows = [vectors[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]
        return known, [_centroid(row) for row in rows]

    def _has_just_failed(self) -> bool:
        return time.monotonic() - self._failed_at < FAILED_S


class Fits(Sequence[Fit]):
    """Every tool's fit for a text, judged when somebody first looks: where no agent bids, nobody does."""

    def __init__(self, judge: Callable[[str], Sequence[Fit]], text: str) -> None:
        self._judged = cache(lambda: judge(text))

    @overload
    def __getitem__(self, place: int) -> Fit: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Fit]: ...

    def __getitem__(self, place: int | slice) -> Fit | Sequence[Fit]:
        return self._judged()[place]

    def __len__(self) -> int:
        return len(self._judged())


class _Wording:
    """The words of all tools' examples and names, prepared so that a request is held against those it shares."""

    def __init__(self, specs: Iterable[ToolSpec]) -> None:
        texts = {spec.name: [words(text) for text in (*spec.examples, spec.name.replace("_", " "))] for spec in specs}
        used = Counter(word for own in texts.values() for word in set().union(*own))
        # The fewer tools use a word, the more it tells; likeness needs the squares of these weights only.
        self._weights = {word: (1.0 + math.log((1 + len(texts)) / (1 + count))) ** 2 for word, count in used.items()}
        self._examples = [(tool, self._length(example)) for tool, own in texts.items() for example in own]
        self._holders: dict[str, list[int]] = {word: [] for word in used}
        for place, example in enumerate(example for own in texts.values() for example in own):
            for word in example:
                self._holders[word].append(place)

    def likeness(self, asked: Collection[str]) -> dict[str, float]:
        """The tools that share words with what is asked: each one's best cosine of it and an example, 0 to 1."""
        shared: defaultdict[int, float] = defaultdict(float)
        for word in asked:
            for place in self._holders.get(word, ()):
                shared[place] += self._weights[word]
        length = self._length(asked)
        best: dict[str, float] = {}
        for place, weight in shared.items():
            tool, own = self._examples[place]
            best[tool] = max(best.get(tool, 0.0), weight / math.sqrt(length * own))
        return best

    def _length(self, text: Iterable[str]) -> float:
        """The square of a text's length."""
        return sum(self._weights.get(word, 1.0) for word in text)


def _fit(spec: ToolSpec, text: str, likeness: float) -> Fit:
    suggested = suggestion(spec, text)
    if suggested is not None:
        return Fit(spec.name, 0.95 + 0.05 * likeness, suggested)
    return Fit(spec.name, 0.9 * likeness)


def _centroid(rows: Any) -> Any:
    """The mean of rows of shape ``(n, dimensions)``, of length 1."""
    mean = rows.mean(axis=0)
    return mean / (mean @ mean) ** 0.5
