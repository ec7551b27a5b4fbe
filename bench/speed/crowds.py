"""64 clients at once: answers without delay, then streams at the pace of a model, and the memory that is left."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Sequence

from bench.speed.bounds import Bound
from bench.speed.load import Measured, Target, measure
from bench.speed.servers import memory_mb

CLIENTS = 64
TAIL_BOUND = 3.0
TOKENS_BOUND = 1.1
KEPT_BOUND_MB = 20.0


def crowds(
    targets: Sequence[Target], rounds: int, share: float, tokens: dict[str, float], bounds: list[Bound]
) -> Iterator[str]:
    """A row a work; the paced tokens a second of each server are added to ``tokens``."""
    ours, rivals = targets[-1], targets[1:]
    yield f"\n## {CLIENTS} clients\n"
    yield "| | " + " | ".join(target.name for target in targets) + " |"
    yield "|---|" + "---|" * len(targets)
    # What the first crowd makes the server allocate, for pools and buffers, is there for all that follow.
    asyncio.run(measure(ours, "plain", stream=True, clients=CLIENTS, requests=640))
    before = memory_mb(ours.pid)
    for title, stream in (("whole", False), ("streamed", True)):
        found = _in_turns(rivals, "plain", stream=stream, rounds=rounds, requests=round(1280 * share))
        cells = [f"{_median(of, 'p50_ms'):.0f} ms, {_median(of, 'p99_ms'):.0f} ms{_errors(of)}" for of in found]
        yield f"| w1 {title}: p50, p99 | | {' | '.join(cells)} |"
        tail = statistics.median(one.p99_ms / one.p50_ms for one in found[-1])
        bounds.append(Bound(f"w1 {title}, {CLIENTS} clients: p99 over p50", tail, TAIL_BOUND))
        bounds.append(Bound(f"w1 {title}, {CLIENTS} clients: errors", sum(one.errors for one in found[-1]), 0))
    found = _in_turns(targets, "paced", stream=True, rounds=rounds, requests=max(CLIENTS, round(192 * share)))
    cells = [f"{_median(of, 'tokens_per_s'):.0f}{_errors(of)}" for of in found]
    yield f"| w5, 10 ms a token: tokens a second | {' | '.join(cells)} |"
    yield "| w5: ms to the first token | " + " | ".join(f"{_median(of, 'first_ms'):.0f}" for of in found) + " |"
    tokens.update({target.name: _median(of, "tokens_per_s") for target, of in zip(targets, found, strict=True)})
    after = memory_mb(ours.pid)
    yield f"\nagentic's resident memory after the first crowd: {before:.0f} MB, after all of them: {after:.0f} MB."
    ratio = _median(found[-1], "tokens_per_s") / _median(found[-2], "tokens_per_s")
    bounds.append(Bound("w5: tokens a second beside bare's", ratio, TOKENS_BOUND, least=True))
    bounds.append(Bound("w5: errors", sum(one.errors for one in found[-1]), 0))
    bounds.append(Bound("memory kept from one crowd to the last", after - before, KEPT_BOUND_MB, "MB"))


def _in_turns(
    targets: Sequence[Target], work: str, *, stream: bool, rounds: int, requests: int
) -> list[list[Measured]]:
    """What each server showed in each round; they take turns."""
    found: list[list[Measured]] = [[] for _ in targets]
    for _ in range(rounds):
        for target, of in zip(targets, found, strict=True):
            of.append(asyncio.run(measure(target, work, stream=stream, clients=CLIENTS, requests=requests)))
    return found


def _median(found: Sequence[Measured], field: str) -> float:
    return float(statistics.median(getattr(one, field) for one in found))


def _errors(found: Sequence[Measured]) -> str:
    count = sum(one.errors for one in found)
    return f" **{count} errors**" if count else ""
