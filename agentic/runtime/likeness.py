"""How like a request is to the examples of a tool, by words and letters: each tool is weighed by itself."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat

from agentic.ports.model import ToolSpec
from agentic.runtime.grams import wording
from agentic.runtime.sums import UNIT, Sums

PRIOR = 30.0
"""How many pieces of common language a tool's examples are mixed with, so that few examples do not say too much."""
NEAREST = 3
LETTERS = 0.4
"""What a piece of letters counts beside a word: there are many of them."""


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

    def share(self, count: int) -> float:
        """The share of texts for a piece that occurs in ``count`` of them, above 0 for those never seen."""
        return (count + 0.5) / (self.texts + 1)


class Wording:
    """The pieces of all tools' examples, names and descriptions, prepared for judging requests by them.

    A tool's likeness depends on nothing but the tool, the request and ``common``.
    """

    def __init__(self, specs: Iterable[ToolSpec], common: Common) -> None:
        self._common = common
        self._rarity = [-math.log(common.share(n)) for n in range(max(common.counts.values(), default=0) + 1)]
        self._squares = [rarity * rarity for rarity in self._rarity]
        self._tools: list[str] = []
        self._absent: list[float] = []
        self._ends = [0]
        holders: defaultdict[str, dict[int, float]] = defaultdict(dict)
        telling: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for spec in specs:
            self._learn(spec, holders, telling)
        self._holders = Sums(holders, self._ends[-1])
        self._telling = Sums(telling, len(self._tools))

    def judge(self, text: str) -> dict[str, Likeness]:
        """Every tool's likeness to the text."""
        pieces = wording(text)
        if not pieces:
            return {tool: Likeness() for tool in self._tools}
        letters = {piece for piece in pieces if piece[0] == "c"}
        words = pieces - letters
        near = self._cosines(words, letters)
        spoken, spelt = self._told(words), self._told(letters)
        return {
            name: Likeness(near[tool][0], sum(near[tool]) / NEAREST, spoken[tool], spelt[tool])
            for tool, name in enumerate(self._tools)
        }

    def _cosines(self, words: Collection[str], letters: Collection[str]) -> list[list[float]]:
        """For each tool its NEAREST highest cosines, the highest first."""
        length = UNIT * math.sqrt(self._square(words) + LETTERS * LETTERS * self._square(letters))
        alike = self._holders.of((*words, *letters))
        best = (sorted(alike[start:end], reverse=True)[:NEAREST] for start, end in pairwise(self._ends))
        return [[one / length for one in own] + [0.0] * (NEAREST - len(own)) for own in best]

    def _square(self, pieces: Iterable[str]) -> float:
        """The sum of the squares of the pieces' rarities."""
        return sum(map(self._squares.__getitem__, map(self._common.counts.get, pieces, repeat(0))))

    def _told(self, pieces: Collection[str]) -> list[float]:
        """For each tool what the pieces tell of it, on average."""
        said = UNIT * max(1, len(pieces))
        return [absent + told / said for absent, told in zip(self._absent, self._telling.of(pieces), strict=True)]

    def _learn(
        self, spec: ToolSpec, holders: Mapping[str, dict[int, float]], telling: Mapping[str, dict[int, float]]
    ) -> None:
        tool = len(self._tools)
        self._tools.append(spec.name)
        examples = [wording(text) for text in (*spec.examples, spec.name.replace("_", " "))]
        for place, pieces in enumerate(examples, self._ends[-1]):
            weights = {piece: self._weight(piece) for piece in pieces}
            length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for piece, weight in weights.items():
                holders[piece][place] = weight * weight / length
        self._ends.append(self._ends[-1] + len(examples))
        total = len(examples) + PRIOR
        self._absent.append(math.log(PRIOR / total))
        seen = Counter(piece for pieces in (*examples, wording(spec.description)) for piece in pieces)
        for piece, count in seen.items():
            expected = PRIOR * self._common.share(self._common.counts.get(piece, 0))
            telling[piece][tool] = min(math.log((count + expected) / expected), 5.0)

    def _weight(self, piece: str) -> float:
        """The rarer, the weightier."""
        return self._rarity[self._common.counts.get(piece, 0)] * (LETTERS if piece[0] == "c" else 1.0)


def common_of(texts: Sequence[str]) -> Common:
    """How common pieces are in these texts; what occurs once is left out."""
    seen: Counter[str] = Counter()
    for text in texts:
        seen.update(wording(text))
    return Common(len(texts), {piece: count for piece, count in seen.items() if count > 1})
