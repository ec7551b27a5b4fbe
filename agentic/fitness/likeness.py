"""How like a request is to the examples of a tool, by words and letters: each tool is weighed by itself."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentic.fitness.grams import wording
from agentic.fitness.sums import UNIT, Sums
from agentic.ports.model import ToolSpec

PRIOR = 30.0
"""How many pieces of common language a tool's examples are mixed with, so that few examples do not say too much."""
NEAREST = 3
LETTERS = 0.4
"""What a piece of letters counts beside a word: there are many of them."""


class Likeness(NamedTuple):
    """``nearest``: cosine with the most alike example; ``near``: mean of the NEAREST; ``words`` and ``letters``: mean
    log of how much more often than in common language the request's pieces occur in the examples.
    """

    nearest: float = 0.0
    near: float = 0.0
    words: float = 0.0
    letters: float = 0.0


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

    Each piece has one row of numbers: what it tells of each tool as a word, and as letters; how far its square falls
    short of that of its kind's rarest; and its part in the cosine with each example.
    """

    def __init__(self, specs: Sequence[ToolSpec], common: Common) -> None:
        self._common = common
        self._rarest = -math.log(common.share(0))
        """The weight of a word that is seen nowhere."""
        self._tools = [spec.name for spec in specs]
        self._absent: list[float] = []
        self._short = 2 * len(specs)
        self._ends = [self._short + 1]
        rows: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for tool, spec in enumerate(specs):
            self._learn(tool, spec, rows)
        for piece in rows:
            rows[piece] |= self._commonness(piece)
        self._rows = Sums(rows, self._ends[-1], crowded=self._ends[0], seldom=self._commonness)

    def judge(self, text: str) -> dict[str, Likeness]:
        """Every tool's likeness to the text."""
        words, letters = wording(text)
        if not words:
            return {tool: Likeness() for tool in self._tools}
        sums = self._rows.of((*words, *letters))
        square = len(words) + LETTERS**2 * len(letters) - sums[self._short] / UNIT
        length = UNIT * self._rarest * math.sqrt(max(square, 1 / UNIT))
        said, spelt = UNIT * len(words), UNIT * len(letters)
        found = {}
        for tool, name in enumerate(self._tools):
            best = sorted(sums[self._ends[tool] : self._ends[tool + 1]])[-NEAREST:]
            absent = self._absent[tool]
            found[name] = Likeness(
                best[-1] / length,
                sum(best) / length / NEAREST,
                absent + sums[tool] / said,
                absent + sums[len(self._tools) + tool] / spelt,
            )
        return found

    def _learn(self, tool: int, spec: ToolSpec, rows: Mapping[str, dict[int, float]]) -> None:
        """Lay the tool's examples into the rows, and what pieces tell of it."""
        examples = [wording(text) for text in (*spec.examples, spec.name.replace("_", " "))]
        for place, pieces in enumerate(examples, self._ends[-1]):
            weights = {piece: self._weight(piece) for own in pieces for piece in own}
            length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for piece, weight in weights.items():
                rows[piece][place] = weight * weight / length
        self._ends.append(self._ends[-1] + len(examples))
        total = len(examples) + PRIOR
        self._absent.append(math.log(PRIOR / total))
        seen = Counter(piece for pieces in (*examples, wording(spec.description)) for own in pieces for piece in own)
        for piece, count in seen.items():
            expected = PRIOR * self._common.share(self._common.counts.get(piece, 0))
            place = tool + len(self._tools) * _is_spelt(piece)
            rows[piece][place] = min(math.log((count + expected) / expected), 5.0)

    def _commonness(self, piece: str) -> dict[int, float]:
        """How far the square of a common piece falls short."""
        if piece not in self._common.counts:
            return {}
        rarest = LETTERS if _is_spelt(piece) else 1.0
        return {self._short: rarest**2 - (self._weight(piece) / self._rarest) ** 2}

    def _weight(self, piece: str) -> float:
        """The rarer, the weightier."""
        rarity = -math.log(self._common.share(self._common.counts.get(piece, 0)))
        return rarity * LETTERS if _is_spelt(piece) else rarity


def _is_spelt(piece: str) -> bool:
    """Whether it is one of letters."""
    return piece[0] == "c"
