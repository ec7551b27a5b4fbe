"""How like a request is to the examples of a tool, by words and letters: each tool is weighed by itself."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentic.ports.model import ToolSpec
from agentic.runtime.grams import wording

PRIOR = 30.0
"""How many pieces of common language a tool's examples are mixed with, so that few examples do not say too much."""
NEAREST = 3


@dataclass(frozen=True, slots=True)
class Likeness:
    """``nearest``: cosine with the most alike example; ``near``: mean of the NEAREST; ``words`` and ``letters``: mean
    log of how much more often than in common language the request's pieces occur in the examples.
    """

    nearest: float = 0.0
    near: float = 0.0
    words: float = 0.0
    letters: float = 0.0

    def numbers(self) -> tuple[float, float, float, float]:
        """All four."""
        return self.nearest, self.near, self.words, self.letters


@dataclass(frozen=True, slots=True)
class Common:
    """How common pieces are among requests of all kinds: in how many of ``texts`` each piece occurs."""

    texts: int
    counts: Mapping[str, int]

    def share(self, piece: str) -> float:
        """The piece's share of texts, above 0 for those never seen."""
        return (self.counts.get(piece, 0) + 0.5) / (self.texts + 1)


class Wording:
    """The pieces of all tools' examples, names and descriptions, prepared for judging requests by them.

    A tool's likeness depends on nothing but the tool, the request and ``common``.
    """

    def __init__(self, specs: Iterable[ToolSpec], common: Common) -> None:
        self._common = common
        self._tools: list[str] = []
        self._owners: list[int] = []
        self._holders: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self._telling: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self._absent: list[float] = []
        for spec in specs:
            self._learn(spec)

    def _learn(self, spec: ToolSpec) -> None:
        tool = len(self._tools)
        self._tools.append(spec.name)
        texts = [*spec.examples, spec.name.replace("_", " ")]
        seen: Counter[str] = Counter()
        for text in texts:
            pieces = set(wording(text))
            seen.update(pieces)
            self._keep(tool, pieces)
        seen.update(set(wording(spec.description)))
        total = len(texts) + PRIOR
        self._absent.append(math.log(PRIOR / total))
        for piece, count in seen.items():
            share = self._common.share(piece)
            telling = math.log((count + PRIOR * share) / (total * share)) - self._absent[tool]
            self._telling[piece].append((tool, min(telling, 5.0)))

    def _keep(self, tool: int, pieces: set[str]) -> None:
        """Keep an example for :attr:`Likeness.nearest`."""
        place = len(self._owners)
        self._owners.append(tool)
        weights = {piece: self._weight(piece) for piece in pieces}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        for piece, weight in weights.items():
            self._holders[piece].append((place, weight / length))

    def _weight(self, piece: str) -> float:
        """The rarer, the weightier; letters count less, for there are many of them."""
        return -math.log(self._common.share(piece)) * (0.4 if piece[0] == "c" else 1.0)

    def judge(self, text: str) -> dict[str, Likeness]:
        """Every tool's likeness to the text."""
        pieces = set(wording(text))
        if not pieces:
            return {tool: Likeness() for tool in self._tools}
        near = self._cosines(pieces)
        words, letters = self._tellings(pieces)
        return {
            name: Likeness(near[tool][0], sum(near[tool]) / NEAREST, words[tool], letters[tool])
            for tool, name in enumerate(self._tools)
        }

    def _cosines(self, pieces: set[str]) -> list[list[float]]:
        """For each tool its NEAREST highest cosines, the highest first."""
        shared = [0.0] * len(self._owners)
        length = 0.0
        for piece in pieces:
            weight = self._weight(piece)
            length += weight * weight
            for place, own in self._holders.get(piece, ()):
                shared[place] += weight * own
        length = math.sqrt(length)
        found: list[list[float]] = [[0.0] * NEAREST for _ in self._tools]
        for place, alike in enumerate(shared):
            if alike > found[self._owners[place]][-1] * length:
                best = found[self._owners[place]]
                best[-1] = alike / length
                best.sort(reverse=True)
        return found

    def _tellings(self, pieces: set[str]) -> tuple[list[float], list[float]]:
        words, letters = [0.0] * len(self._tools), [0.0] * len(self._tools)
        spelt = sum(piece[0] == "c" for piece in pieces)
        for piece in pieces:
            into = letters if piece[0] == "c" else words
            for tool, telling in self._telling.get(piece, ()):
                into[tool] += telling
        spoken = max(1, len(pieces) - spelt)
        return (
            [absent + told / spoken for absent, told in zip(self._absent, words, strict=True)],
            [absent + told / max(1, spelt) for absent, told in zip(self._absent, letters, strict=True)],
        )


def common_of(texts: Sequence[str]) -> Common:
    """How common pieces are in these texts; what occurs once is left out."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(set(wording(text)))
    return Common(len(texts), {piece: count for piece, count in seen.items() if count > 1})
