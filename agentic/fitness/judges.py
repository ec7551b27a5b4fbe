"""The judges' weights, made by ``python -m bench.routing.train``, and how they are laid on a request.

What they weigh is general: how a request is built and worded, and how well its fittest tools fit, whichever they are.
No weight belongs to a tool, so installing one asks for no training.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from agentic.fitness.grams import skeleton, wording
from agentic.fitness.likeness import Common, Likeness
from agentic.ports.agent import Shape

FILE = Path(__file__).with_name("judges.json")
VECTOR_SCALE = 4.0
LENGTHS = (2, 3, 4, 6, 8, 11, 15, 20, 30, 45)
COUNTED = (
    "sentences",
    "questions",
    "targets",
    "bullets",
    "joins",
    "then",
    "apart",
    "points_back",
    "nested",
    "addresses",
)
FLAGS = ("code", "data", "formula", "refuses_tools", "small_talk", "follows_up")
_NOTHING = Likeness()
GIST = 96
"""Bytes, for a character of Chinese takes as long as a short word of English: some 24 tokens of either."""
NOT_FIT = -8.0
"""The raw fit of a tool that is not there."""
QUOTED = re.compile(r"(?<!\w)[\"“„«'](?=\w)[^\"“”„«»]{3,300}?[\"”“»'](?!\w)")


@dataclass(frozen=True, slots=True)
class Judges:
    """``fit`` and ``near_fit`` weigh a tool's likeness, without and with vectors, their last number added as it is;
    ``pieces`` hold three weights of the cheap judge and three of the dearer one for each piece of a request, in
    thousandths;
    ``numbers`` and ``near_numbers`` weigh the fits; ``vector`` the request's vector by the embedder ``embedder``.
    ``faint``: a best fit below which a tool is the less likely to help.
    """

    common: Common
    fit: Sequence[float]
    near_fit: Sequence[float]
    pieces: Mapping[str, Sequence[int]]
    numbers: Sequence[Sequence[float]]
    near_numbers: Sequence[Sequence[float]]
    vector: Sequence[Sequence[float]]
    embedder: str
    faint: float


@cache
def judges() -> Judges:
    """The weights, read from their file once."""
    read = json.loads(FILE.read_text("utf-8"))
    return Judges(**{**read, "common": Common(**read["common"])})


def said_plainly(text: str) -> str:
    """The text without what it quotes, which is not what it asks; code is left as it is."""
    return text if "```" in text else QUOTED.sub(' "_" ', text)


def gist(text: str) -> str:
    """The beginning of what is said plainly, all that the dearer judge reads: its time grows with what it is given."""
    return said_plainly(text).encode("utf-8", "replace")[:GIST].decode("utf-8", "ignore")


def pieces_of(text: str, shape: Shape, *, spoken: bool) -> set[str]:
    """All that the judges weigh of a request but its fits; ``spoken``: the user has said something before."""
    plain = said_plainly(text)
    words, letters = wording(plain)
    return {*words, *letters, *skeleton(plain), *_structure(shape, spoken=spoken)}


def _structure(shape: Shape, *, spoken: bool) -> list[str]:
    found = [f"f:{name}" for name in FLAGS if getattr(shape, name)]
    found += [f"f:{name}>={n}" for name in COUNTED for n in range(1, min(getattr(shape, name), 4) + 1)]
    if spoken:
        found.append("f:spoken")
    if shape.follows_up:
        found += [f"u:{fact}" for fact in found]
    if not (shape.then or shape.points_back or shape.nested):
        free = ("targets", "joins", "questions", "sentences")
        found += [f"f:free {name}>={n}" for name in free for n in range(2, min(getattr(shape, name), 4) + 1)]
    return found + [f"f:words>={n}" for n in LENGTHS if shape.words >= n]


def numbers_of(raw: Iterable[float]) -> list[float]:
    """What the judges see of the tools' raw fits: the two highest, and that there is always something."""
    best, second = sorted((NOT_FIT, NOT_FIT, *raw), reverse=True)[:2]
    return [2 * best / 3, 2 * likely(best), second / 2, 2 * likely(second), 2.0]


def likely(raw: float) -> float:
    """The logistic function."""
    return 0.0 if raw < -50 else 1 / (1 + math.exp(-raw))


def evidence(own: Likeness, ruled: bool, before: Likeness | None, first: Likeness | None) -> list[float]:
    """What is weighed to tell a tool's fit.

    ``before``: likeness of the user's last turn, where this one leans on it; ``first``: of the first
    of several parts, which is weighed by how much more it is than that of the whole.
    """
    ahead = map(operator.sub, first, own) if first else _NOTHING
    return [*own, float(ruled), *(before or _NOTHING), *ahead]


def weighed(weights: Sequence[float], found: Sequence[float]) -> float:
    """The raw fit: above 0 where a tool fits rather than not."""
    raw: float = sum(map(operator.mul, weights, found), weights[len(found)])
    return raw


def chances(found: Iterable[str], raw: Sequence[float], vector: Any = None) -> list[float]:
    """The chances that no tool helps, that one step or a chain does, and that parts that need not each other do."""
    table = judges()
    first = 0 if vector is None else 3
    known = [own for own in map(table.pieces.get, found) if own is not None]
    columns = islice(zip(*known, strict=True), first, first + 3)
    sums = [sum(column) / 1000 for column in columns] or [0.0, 0.0, 0.0]
    numbers = numbers_of(raw)
    for n, weights in enumerate(table.numbers if vector is None else table.near_numbers):
        sums[n] += sum(weight * number for weight, number in zip(weights, numbers, strict=True))
    if vector is not None:
        for n, row in enumerate(table.vector):
            sums[n] += VECTOR_SCALE * float(vector @ row)
    powers = [math.exp(value - max(sums)) for value in sums]
    return [power / sum(powers) for power in powers]
