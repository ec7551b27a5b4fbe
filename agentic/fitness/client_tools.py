"""How well a client's tools fit a request, for models that cannot choose: they bring a description and no examples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentic.fitness.fitness import NO_TOOL, Fitness
from agentic.models.fit import LONGEST
from agentic.ports.agent import Fit
from agentic.ports.embedder import Embedder
from agentic.ports.model import ToolSpec

LEAST_COSINE = 0.25
"""Tried on 20 requests for eight tools and 14 plain ones: 13 find their tool, and one of the plain ones finds one."""
LEAST_OVERLAP = 0.5
WORD = re.compile(r"[^\W\d_]{3,}")
EMPTY_WORDS = frozenset(
    "and are can could for from get give has have how into its let not please show tell that the their them then there "
    "this was what when where which who will with would you your".split()
)
MOST_KEPT = 1000
"""Descriptions whose vectors are kept; clients send the same ones with every request."""


class ClientFitness:
    """Judges the client's tools beside those of the server, which ``ours`` judges."""

    def __init__(self, ours: Fitness) -> None:
        self._ours = ours
        self._vectors: dict[str, Any] = {}

    async def near(self, text: str, tools: Sequence[ToolSpec]) -> Sequence[Fit]:
        """The tools that fit, best first. A tool of the server's whose rule has read the request comes before all."""
        theirs = [tool for tool in tools if tool.client]
        fits = list(await self._ours.near(text, [tool for tool in tools if not tool.client]))
        if not theirs or any(fit.suggested is not None for fit in fits):
            return fits
        judged = await self._by_vectors(text[:LONGEST], theirs)
        fits += _by_words(text[:LONGEST], theirs) if judged is None else judged
        return sorted(fits, key=lambda fit: -fit.score)

    async def _by_vectors(self, text: str, tools: Sequence[ToolSpec]) -> list[Fit] | None:
        """Those that are nearer to the request than any plain one is; None where no embedder is at hand."""

        async def judged(embedder: Embedder) -> list[Fit]:
            described = [_described(tool) for tool in tools]
            rows = await self._embedded(embedder, [*NO_TOOL, *described])
            [asked] = await embedder.embed([text], "query")
            scores = {one: float(row @ asked) for one, row in rows.items()}
            least = max(LEAST_COSINE, *(scores[one] for one in NO_TOOL))
            placed = zip(tools, described, strict=True)
            return [Fit(tool.name, scores[one]) for tool, one in placed if scores[one] > least]

        return await self._ours.with_embedder(judged)

    async def _embedded(self, embedder: Embedder, texts: Sequence[str]) -> dict[str, Any]:
        """A vector a text, kept from one request to the next."""
        if len(self._vectors) > MOST_KEPT:
            self._vectors = {}
        kept = self._vectors
        unknown = list(dict.fromkeys(text for text in texts if text not in kept))
        if unknown:
            kept.update(zip(unknown, await embedder.embed(unknown, "passage"), strict=True))
        return {text: kept[text] for text in texts}


def _by_words(text: str, tools: Sequence[ToolSpec]) -> list[Fit]:
    """Those that share enough words with the request: half of its own, or half of the description's."""
    asked = _words(text)
    fits = []
    for tool in tools:
        own = _words(_described(tool))
        if asked and own and (overlap := len(asked & own) / min(len(asked), len(own))) >= LEAST_OVERLAP:
            fits.append(Fit(tool.name, overlap))
    return fits


def _described(tool: ToolSpec) -> str:
    return f"{tool.name.replace('_', ' ').replace('-', ' ')}. {tool.description[:LONGEST]}"


def _words(text: str) -> set[str]:
    """The words that tell what a text is about, with a plural's ``s`` taken off."""
    return {word.removesuffix("s") for word in WORD.findall(text.lower()) if word not in EMPTY_WORDS}
