"""Measure routing and print a table: ``uv run python -m bench.routing [--half test] [--wrong]``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentic import Embedder, ToolSpec
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.fitness.fitness import Fitness, Fits
from agentic.fitness.reading import Reading
from agentic.ports.agent import Agent
from agentic.runtime.router import Route, Router
from agentic.testing.runs import make_task
from bench.routing.embedder import embedder
from bench.routing.keywords import by_keywords
from bench.routing.requests import Labelled, labelled
from bench.routing.tools import specs


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request was judged, and what it took in milliseconds."""

    request: Labelled
    agent: str
    tool: str
    took_ms: float
    dearly: bool


async def _embedding() -> Embedder | None:
    try:
        return await embedder()
    except LookupError:
        return None


async def _none() -> Embedder | None:
    return None


def agents() -> dict[str, Agent]:
    """The installed agents that the labels speak of."""
    installed = load(read_settings()).agents()
    return {name: installed[name] for name in ("chat", "react", "plan_execute")}


async def judged(requests: Sequence[Labelled], tools: Sequence[ToolSpec], *, vectors: bool) -> list[Outcome]:
    """Each request through the judges and the auction, one after another."""
    fitness, router = Fitness(tools, _embedding if vectors else _none), Router(agents())
    await Reading(fitness, "How warm is it, and who wrote it?", ()).settle()
    await fitness.judge_near("warm up", fitness.judge("warm up"))
    # As the server does once it has started.
    gc.freeze()
    return [await _judge(request, fitness, router) for request in requests]


async def _judge(request: Labelled, fitness: Fitness, router: Router) -> Outcome:
    began = time.perf_counter()
    reading = Reading(fitness, request.text, request.history)
    await reading.settle()
    made = make_task(request.text, history=request.history, fit=Fits(lambda: reading.fits), read=lambda: reading.shape)
    _, decided = router.decide(Route(), made)
    took = (time.perf_counter() - began) * 1000
    return Outcome(request, decided.agent, reading.fits[0].tool, took, reading.is_settled)


def share(right: Sequence[bool]) -> str:
    """A share of 1 with two digits."""
    return f"{sum(right) / len(right):.2f}" if right else "   –"


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One line a kind of request, and one for all."""
    yield f"{'kind':<12}{'n':>5}  strategy (ours, key words, always react)   chat or tool (same three)   tool first"
    kinds = dict.fromkeys(outcome.request.kind for outcome in outcomes)
    for kind in (*kinds, "all"):
        own = [outcome for outcome in outcomes if kind in ("all", outcome.request.kind)]
        yield f"{kind:<12}{len(own):>5}  {'  '.join(_shares(own))}"


def _shares(own: Sequence[Outcome]) -> Iterator[str]:
    wanted = [outcome.request.strategy for outcome in own]
    answers = ([o.agent for o in own], [by_keywords(o.request.text) for o in own], ["react"] * len(own))
    yield from (share([a == b for a, b in zip(given, wanted, strict=True)]) for given in answers)
    yield "   |  "
    yield from (
        share([(a == "chat") == (b == "chat") for a, b in zip(given, wanted, strict=True)]) for given in answers
    )
    yield "   |  "
    yield share([outcome.tool in outcome.request.tools for outcome in own if outcome.request.tools])


def times(outcomes: Sequence[Outcome]) -> str:
    """What judging takes, and how often the dearer judge was asked."""
    cuts = statistics.quantiles((outcome.took_ms for outcome in outcomes), n=100)
    dear = share([outcome.dearly for outcome in outcomes])
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms; the dearer judge was asked for {dear}"


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=["dev", "test"], action="append")
    parser.add_argument("--wrong", action="store_true", help="print the requests of the dev half that went wrong")
    parser.add_argument("--no-vectors", action="store_true", help="as without an embedder")
    asked = parser.parse_args()
    for half in asked.half or ("dev", "test"):
        outcomes = asyncio.run(judged(labelled(half), specs(), vectors=not asked.no_vectors))
        print(f"\n{half}" + (" (trained on)" if half == "dev" else ""), *table(outcomes), times(outcomes), sep="\n")
        for outcome in outcomes if asked.wrong and half == "dev" else ():
            if outcome.agent != outcome.request.strategy:
                print(f"{outcome.agent:>13} for {outcome.request.strategy}: {outcome.request.text!r}")


if __name__ == "__main__":
    main()
