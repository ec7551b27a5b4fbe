"""How well tools fit a request, judged by the tools' own examples.

Two judges: a cheap one for every request (rules, words and letters, about a millisecond) and a dearer one where the
cheap one is not sure, and for models that cannot choose by themselves (vectors of the in-process embedder, some
milliseconds). Each tool brings its own examples, so that installing one changes nothing for the others.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from agentic.fitness.judges import evidence, gist, judges, likely, weighed
from agentic.fitness.likeness import NEAREST, Wording
from agentic.fitness.shape import first_part
from agentic.messages import Json
from agentic.models.fit import LONGEST, suggestion
from agentic.ports.agent import Fit
from agentic.ports.embedder import Embedder
from agentic.ports.model import ToolSpec

logger = logging.getLogger(__name__)

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
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Learned:
    """The vectors of the tools' examples: ``rows`` of shape ``(examples, dimensions)`` a tool of ``known``, and
    ``centroids``, of which the first stands for plain conversation.
    """

    embedder: str
    known: Sequence[str]
    rows: Sequence[Any]
    centroids: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """``raw`` fits by tool, above 0 where it fits rather than not; the arguments that rules read; the ``evidence``."""

    raw: dict[str, float]
    suggested: dict[str, Json]
    evidence: dict[str, list[float]]

    def fits(self) -> list[Fit]:
        """Best first: 0.95 and more where a rule has read arguments, else by likeness.

        Tools that fit alike stay in the catalog's order, which is by rank.
        """
        return sorted((self._fit(tool, likely(raw)) for tool, raw in self.raw.items()), key=lambda fit: -fit.score)

    def _fit(self, tool: str, chance: float) -> Fit:
        if tool in self.suggested:
            return Fit(tool, 0.95 + 0.05 * chance, self.suggested[tool])
        return Fit(tool, 0.9 * chance)


class Fitness:
    """Judges the tools of one catalog. Made once, at start; what it needs for it is read at the first request.

    A request of more than LONGEST characters is judged by its beginning.
    """

    def __init__(self, specs: Sequence[ToolSpec], embedding: Embedding) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._embedding = embedding
        self._learned: Learned | None = None
        self._failed_at = -math.inf
        self.is_ready = False
        """Whether the first use is behind."""
        self._lock = asyncio.Lock()

    @cached_property
    def wording(self) -> Wording:
        """The words and letters of all examples; some ten milliseconds at the first use."""
        return Wording(list(self._specs.values()), judges().common)

    def prepare(self) -> None:
        """Have the first use behind: of the judges, and of the tools' own rules, which may have much to make."""
        self.judge("")
        self.is_ready = True

    def judge(self, text: str, before: str = "") -> Judged:
        """Every tool, judged cheaply; ``before``: the user's last turn, where this one leans on it."""
        text = text[: LONGEST + 1]
        own = self.wording.judge(text[:LONGEST])
        earlier = self.wording.judge(before[:LONGEST]) if before else {}
        first = self.wording.judge(part) if (part := first_part(text[:LONGEST])) else {}
        suggested = {name: read for name, spec in self._specs.items() if (read := suggestion(spec, text)) is not None}
        found = {name: evidence(own[name], name in suggested, earlier.get(name), first.get(name)) for name in own}
        speaks = any(one.nearest for one in (*own.values(), *earlier.values()))
        weights = judges().fit
        raw = {name: weighed(weights, one) if speaks else -math.inf for name, one in found.items()}
        return Judged(raw, suggested, found)

    async def judge_near(self, text: str, quick: Judged) -> tuple[Judged, Any] | None:
        """The tools judged with vectors too, and the request's vector; None where the judges know no such embedder."""
        found = await self._embed(gist(text[:LONGEST]))
        if found is None or found[0].embedder != judges().embedder:
            return None
        learned, vector = found
        weights, near = judges().near_fit, dict(quick.evidence)
        for name, rows in zip(learned.known, learned.rows, strict=True):
            near[name] = [*near[name], *_nearness(rows @ vector)]
        raw = {
            name: weighed(weights, one if len(one) + 1 == len(weights) else [*one, 0, 0]) for name, one in near.items()
        }
        return Judged(raw, quick.suggested, near), vector

    async def near(self, text: str, tools: Sequence[ToolSpec]) -> list[Fit]:
        """The tools that are nearer to the text than plain conversation is, best first; rules come before vectors.

        After a failure of the embedder words decide for FAILED_S.
        """
        names = {tool.name for tool in tools}
        fits = [fit for fit in self.judge(text).fits() if fit.tool in names]
        ruled = [fit for fit in fits if fit.suggested is not None]
        if ruled:
            return ruled
        found = await self._embed(text[:LONGEST])
        if found is None:
            return [fit for fit in fits if fit.score >= 0.5]
        learned, vector = found
        scores = {name: float(row @ vector) for name, row in zip(["", *learned.known], learned.centroids, strict=True)}
        nearer = [Fit(name, score) for name, score in scores.items() if name in names and score > scores[""]]
        return sorted(nearer, key=lambda fit: -fit.score)

    async def with_embedder(self, use: Callable[[Embedder], Awaitable[Result | None]]) -> Result | None:
        """What ``use`` gives; None where no embedder is at hand, or it has failed within FAILED_S."""
        if self._has_just_failed():
            return None
        try:
            embedder = await self._embedding()
            return None if embedder is None else await use(embedder)
        except (Exception, SystemExit):
            self._failed_at = time.monotonic()
            logger.exception("[Router] Embedder failed, so words decide for the next %g s", FAILED_S)
            return None

    async def _embed(self, text: str) -> tuple[Learned, Any] | None:
        """The examples' vectors and the text's; None where no embedder is at hand."""

        async def both(embedder: Embedder) -> tuple[Learned, Any] | None:
            if (learned := await self._learn(embedder)) is None:
                return None
            [vector] = await embedder.embed([text], "query")
            return learned, vector

        return await self.with_embedder(both)

    async def _learn(self, embedder: Embedder) -> Learned | None:
        """The vectors of all examples, embedded once.

        None where it has just failed for somebody who came before.
        """
        async with self._lock:
            if self._learned is None and not self._has_just_failed():
                self._learned = await self._embedded(embedder)
        return self._learned

    async def _embedded(self, embedder: Embedder) -> Learned:
        known = [name for name, spec in self._specs.items() if spec.examples]
        groups = [NO_TOOL, *(self._specs[name].examples for name in known)]
        vectors = await embedder.embed([text for group in groups for text in group], "passage")
        ends = itertools.accumulate(len(group) for group in groups)
        rows = [vectors[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]
        return Learned(embedder.id, known, rows[1:], [_centroid(row) for row in rows])

    def _has_just_failed(self) -> bool:
        return time.monotonic() - self._failed_at < FAILED_S


class Fits(Sequence[Fit]):
    """Every tool's fit for a text, judged when somebody first looks: where no agent bids, nobody does."""

    def __init__(self, judge: Callable[[], Sequence[Fit]]) -> None:
        self._judge = judge

    def __getitem__(self, place: Any) -> Any:
        return self._judge()[place]

    def __len__(self) -> int:
        return len(self._judge())


def _nearness(cosines: Any) -> list[float]:
    """The highest cosine, and the mean of the NEAREST highest."""
    best = sorted(cosines.tolist(), reverse=True)[:NEAREST]
    return [best[0], sum(best) / len(best)]


def _centroid(rows: Any) -> Any:
    """The mean of rows of shape ``(n, dimensions)``, of length 1."""
    mean = rows.mean(axis=0)
    return mean / (mean @ mean) ** 0.5
