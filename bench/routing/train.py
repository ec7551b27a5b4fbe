"""Make the judges' weights from the dev half and the tools' examples: ``python -m bench.routing.train``.

Logistic regressions, fitted by accelerated gradient descent; the same input gives the same weights.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy

from agentic import ToolSpec
from agentic.fitness.grams import wording as pieces_in
from agentic.fitness.judges import FILE, VECTOR_SCALE, evidence, gist, numbers_of, pieces_of
from agentic.fitness.likeness import Common, Likeness, Wording
from agentic.fitness.shape import first_part, read_shape
from agentic.models.fit import suggestion
from bench.routing.embedder import embedder
from bench.routing.requests import Labelled, labelled
from bench.routing.tools import specs

STRATEGIES = ("chat", "react", "plan_execute")
PULL = 2e-3
"""How strongly weights are drawn to 0; chosen by cross-validation within the dev half."""
PACE = 0.05
"""How far a step goes down the slope."""
SCALE = {"c": 0.3, "w": 1.0, "b": 0.7, "s": 0.7, "f": 1.5, "u": 1.5}
"""How strongly a piece of a request counts, by its kind."""
SEEN = 2
"""Requests in which a piece must occur to be weighed."""


def sigmoid(raw: Any) -> Any:
    """The logistic function of each number."""
    return 1 / (1 + numpy.exp(-raw))


def softmax(raw: Any) -> Any:
    """Each row as shares of 1."""
    powers = numpy.exp(raw - raw.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_pairs(found: Any, right: Any, steps: int = 1500) -> list[float]:
    """Weights and a last constant for ``found`` (requests, tools, evidence) by which right tools stand out.

    Half of the loss asks whether each tool fits, half which one fits best.
    """
    mean, spread = found.mean(axis=(0, 1)), found.std(axis=(0, 1)) + 1e-6
    scaled = (found - mean) / spread
    weights, constant = numpy.zeros(found.shape[2]), 0.0
    wanted = right / numpy.maximum(right.sum(axis=1, keepdims=True), 1)
    some = right.any(axis=1, keepdims=True)
    for _ in range(steps):
        raw = scaled @ weights + constant
        single = (sigmoid(raw) - right) / len(right)
        slope = single + (softmax(raw) - wanted) * some / len(right)
        weights -= PACE * (numpy.einsum("rt,rte->e", slope, scaled) + 1e-4 * weights)
        constant -= PACE * float(single.sum())
    weights = weights / spread
    return [*weights.tolist(), constant - float(weights @ mean)]


def fit_classes(seen: Any, classes: Any, steps: int = 250) -> Any:
    """Weights of shape ``(features, 3)`` by Nesterov's method."""
    wanted = numpy.eye(3, dtype=numpy.float32)[classes]
    weights = numpy.zeros((seen.shape[1], 3), dtype=numpy.float32)
    ahead, pace = weights, 1.0
    steepest = 0.5 * float((seen**2).sum(axis=1).mean()) + PULL
    for _ in range(steps):
        slope = seen.T @ (softmax(seen @ ahead) - wanted) / len(seen) + PULL * ahead
        after, faster = ahead - slope / steepest, (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - weights)
        weights, pace = after, faster
    return weights


def likenesses(request: Labelled, wording: Wording, tools: Sequence[ToolSpec]) -> list[list[float]]:
    """Each tool's evidence without vectors."""
    own = wording.judge(request.text)
    before: dict[str, Likeness] = {}
    if read_shape(request.text, request.history).follows_up:
        before = wording.judge(next(m.text for m in reversed(request.history) if m.role == "user"))
    part = first_part(request.text)
    first = wording.judge(part) if part else {}
    ruled = {tool.name: suggestion(tool, request.text) is not None for tool in tools}
    return [evidence(own[name], ruled[name], before.get(name), first.get(name)) for name in own]


async def vectors_of(texts: Sequence[str]) -> Any:
    """One row a text, by the embedder that the dearer judge will use."""
    return await (await embedder()).embed(texts, "query")


def cosines(requests: Any, tools: Sequence[ToolSpec], vectors: Mapping[str, Any]) -> Any:
    """For each request and tool the highest cosine with an example, and the mean of the three highest."""
    rows = []
    for tool in tools:
        examples = numpy.stack([vectors[text] for text in tool.examples])
        best = numpy.sort(requests @ examples.T, axis=1)[:, ::-1]
        rows.append(numpy.stack([best[:, 0], best[:, :3].mean(axis=1)], axis=1))
    return numpy.stack(rows, axis=1)


def variants(tools: Sequence[ToolSpec]) -> list[Sequence[ToolSpec]]:
    """The tools as they are, and twice with some of their examples: weights must not depend on how many there are."""
    drawn = random.Random(7)
    thinned = [
        [
            replace(tool, examples=tuple(drawn.sample(tool.examples, max(8, int(len(tool.examples) * share)))))
            for tool in tools
            for share in [drawn.uniform(0.3, 1)]
        ]
        for _ in range(2)
    ]
    return [tools, *thinned]


def weighed(found: Any, weights: Sequence[float]) -> Any:
    """Raw fits of shape ``(requests, tools)``."""
    return found @ numpy.array(weights[:-1]) + weights[-1]


def rounded(rows: Any, digits: int = 4) -> Any:
    """As lists of short numbers."""
    return numpy.round(numpy.asarray(rows, dtype=float), digits).tolist()


def common_of(texts: Sequence[str]) -> Common:
    """How common pieces are in these texts; what occurs once is left out."""
    seen: Counter[str] = Counter()
    for text in texts:
        for pieces in pieces_in(text):
            seen.update(pieces)
    return Common(len(texts), {piece: count for piece, count in seen.items() if count > 1})


def train() -> dict[str, Any]:
    """All weights, as the kernel reads them."""
    requests, tools = labelled("dev"), specs()
    examples = [text for tool in tools for text in tool.examples]
    common = common_of([request.text for request in requests] + examples)
    known = dict(zip(examples, asyncio.run(vectors_of(examples)), strict=True))
    vectors = asyncio.run(vectors_of([gist(request.text) for request in requests]))
    cheap, dear = [], []
    for variant in variants(tools):
        wording = Wording(variant, common)
        cheap.append(numpy.array([likenesses(request, wording, variant) for request in requests]))
        dear.append(numpy.concatenate([cheap[-1], cosines(vectors, variant, known)], axis=2))
    right = numpy.array([[tool.name in request.tools for tool in tools] for request in requests], dtype=float)
    clear = numpy.tile(right.sum(axis=1) <= 2, len(cheap))
    wanted = numpy.tile(right, (len(cheap), 1))[clear]
    fit = fit_pairs(numpy.concatenate(cheap)[clear], wanted)
    near_fit = fit_pairs(numpy.concatenate(dear)[clear], wanted)
    raw, near_raw = weighed(cheap[0], fit), weighed(dear[0], near_fit)
    helped = numpy.array([request.strategy != "chat" for request in requests])
    return {
        "common": {"texts": common.texts, "counts": dict(common.counts)},
        "fit": rounded(fit),
        "near_fit": rounded(near_fit),
        "faint": round(float(numpy.quantile(sigmoid(raw.max(axis=1))[helped], 0.02)), 4),
        "embedder": asyncio.run(embedder()).id,
        **_classes(requests, raw, near_raw, vectors),
    }


def _classes(requests: Sequence[Labelled], raw: Any, near_raw: Any, vectors: Any) -> dict[str, Any]:
    classes = numpy.array([STRATEGIES.index(request.strategy) for request in requests])
    pieces = [
        pieces_of(request.text, read_shape(request.text, request.history), spoken=bool(request.history))
        for request in requests
    ]
    counts = Counter(piece for own in pieces for piece in own)
    places = {piece: n for n, piece in enumerate(sorted(p for p, count in counts.items() if count >= SEEN))}
    seen = numpy.zeros((len(requests), len(places)), dtype=numpy.float32)
    for row, own in zip(seen, pieces, strict=True):
        for piece in own & places.keys():
            row[places[piece]] = SCALE[piece[0]]
    cheap = numpy.array([numbers_of(row) for row in raw.tolist()], dtype=numpy.float32)
    dear = numpy.array([numbers_of(row) for row in near_raw.tolist()], dtype=numpy.float32)
    first = fit_classes(numpy.hstack([seen, cheap]), classes)
    second = fit_classes(numpy.hstack([seen, dear, VECTOR_SCALE * vectors]), classes)
    scales = numpy.array([[SCALE[piece[0]]] for piece in places])
    both = numpy.round(1000 * scales * numpy.hstack([first[: len(places)], second[: len(places)]])).astype(int)
    width = cheap.shape[1]
    return {
        "pieces": {piece: both[n].tolist() for piece, n in places.items() if both[n].any()},
        "numbers": rounded(first[len(places) :].T),
        "near_numbers": rounded(second[len(places) : len(places) + width].T),
        "vector": rounded(second[len(places) + width :].T),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(train(), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size / 1024:.0f} KiB")
