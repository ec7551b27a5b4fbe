"""The works that are measured request by request, and how they compare with what others have published."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.speed import peers
from bench.speed.bounds import Bound
from bench.speed.load import Measured, Target, measure

MANY = 16
TURNS = 8
"""Parts of a round in which one client asks each server in turn: a machine is faster for seconds, and slower again."""


@dataclass(frozen=True, slots=True)
class Work:
    """A work, how its answer is wanted, and how many requests one client makes in a round."""

    title: str
    name: str
    stream: bool
    requests: int


WORKS = (
    Work("w1 whole", "plain", stream=False, requests=400),
    Work("w1 stream", "plain", stream=True, requests=300),
    Work("w1 routed", "routed", stream=False, requests=200),
    Work("w2 whole", "tools1", stream=False, requests=200),
    Work("w2 stream", "tools1", stream=True, requests=200),
    Work("w3 whole", "tools4", stream=False, requests=100),
    Work("w3 stream", "tools4", stream=True, requests=100),
)
COMPARED = """
*agentic* and *bare* were measured now; the others, and *bare, then*, in {date} on a day of their own, with one worker
each and no error. So each is told by its ratio to the model server alone, asked directly in the same measurement: how
many times its p50 (one client), and how many times fewer requests a second (16 clients). Of the paced streams (w5), the
tokens passed on as a share of the model server's. Most of the others check no login and store nothing.
"""
CPU_BOUNDS = {"w1 whole": 1.3, "w1 stream": 0.8}
P50_BOUND = 1.5


@dataclass(frozen=True, slots=True)
class Shown:
    """What one server showed in each round: with one client, and with many."""

    alone: list[Measured]
    many: list[Measured]

    @property
    def p50_ms(self) -> float:
        """Of single requests, one client alone."""
        return statistics.median(one.p50_ms for one in self.alone)

    @property
    def per_s(self) -> float:
        """Requests a second with many clients."""
        return statistics.median(one.per_s for one in self.many)

    @property
    def cpu_ms(self) -> float:
        """CPU time a request with many clients."""
        return statistics.median(one.cpu_ms for one in self.many)

    def __str__(self) -> str:
        """The three figures, and the errors if there were any."""
        errors = sum(one.errors for one in (*self.alone, *self.many))
        told = f" **{errors} errors**" if errors else ""
        return f"{self.p50_ms:.1f} ms, {self.per_s:.0f}/s, {self.cpu_ms:.1f} ms{told}"


@dataclass(frozen=True, slots=True)
class Found:
    """A work with what each server showed: the model server alone, bare, ours."""

    title: str
    floor: Shown
    bare: Shown
    ours: Shown

    @property
    def against_bare(self) -> tuple[float, float, float]:
        """Ours over bare's: p50, requests a second, CPU time."""
        ours, bare = self.ours, self.bare
        return ours.p50_ms / bare.p50_ms, ours.per_s / bare.per_s, ours.cpu_ms / bare.cpu_ms


def requests(
    targets: Sequence[Target], works: Sequence[Work], rounds: int, *, found: list[Found], bounds: list[Bound]
) -> Iterator[str]:
    """A row a work; what was found is added to ``found``, and what is promised of it to ``bounds``."""
    yield "\n## Requests\n"
    yield f"Each cell: p50 with one client; requests a second, and CPU time a request, with {MANY} clients.\n"
    yield "w1: a plain answer; *routed*, by the agent that the router finds. w2: one tool call, then the answer."
    yield "w3: four tool calls, one after the other.\n"
    yield "| | " + " | ".join(target.name for target in targets) + " | agentic / bare |"
    yield "|---|" + "---|" * (len(targets) + 1)
    for work in works:
        one = Found(work.title, *_in_turns(targets, work, rounds, work.requests))
        found.append(one)
        ratios = ", ".join(f"{ratio:.2f}" for ratio in one.against_bare)
        yield f"| {one.title} | {one.floor} | {one.bare} | {one.ours} | {ratios} |"
        bounds += _bounds(one)


def _in_turns(targets: Sequence[Target], work: Work, rounds: int, count: int) -> list[Shown]:
    """The servers take turns, so that what slows the machine for a while slows all of them."""
    shown = warmed_up(targets, work)
    for _ in range(rounds):
        alone_in_turns(targets, work, shown, count)
        for target, one in zip(targets, shown, strict=True):
            many = measure(target, work.name, stream=work.stream, clients=MANY, requests=count * 2)
            one.many.append(asyncio.run(many))
    return shown


def warmed_up(targets: Sequence[Target], work: Work) -> list[Shown]:
    """Nothing shown yet, of servers that have done this work before."""
    for target in targets:
        asyncio.run(measure(target, work.name, stream=work.stream, clients=4, requests=40))
    return [Shown([], []) for _ in targets]


def alone_in_turns(targets: Sequence[Target], work: Work, shown: Sequence[Shown], count: int) -> None:
    """One client asks each server so many times, in short turns."""
    for _ in range(TURNS):
        for target, one in zip(targets, shown, strict=True):
            alone = measure(target, work.name, stream=work.stream, clients=1, requests=count // TURNS)
            one.alone.append(asyncio.run(alone))


def _bounds(found: Found) -> Iterator[Bound]:
    p50, rate, cpu = found.against_bare
    if found.title in peers.COLUMNS:
        yield Bound(f"{found.title}: p50 beside bare's", p50, P50_BOUND)
        yield Bound(f"{found.title}: requests a second beside bare's", rate, round(1 / P50_BOUND, 2), least=True)
    if found.title in CPU_BOUNDS:
        yield Bound(f"{found.title}: CPU time beside bare's", cpu, CPU_BOUNDS[found.title])


def compared(found: Sequence[Found], tokens: Mapping[str, float]) -> Iterator[str]:
    """The servers beside those that others run, each by what it makes of the model server's own speed.

    ``tokens``: a server's name to the paced tokens that it passed on, where that was measured.
    """
    measured = [one for one in found if one.title in peers.COLUMNS]
    if not measured:
        return
    yield "\n## Beside other servers"
    yield COMPARED.format(date=peers.MEASURED)
    titles = [one.title for one in measured]
    yield "| | " + " | ".join(titles) + " | w5 |"
    yield "|---|" + "---|" * (len(titles) + 1)
    for name, of in (("**agentic**", "ours"), ("bare", "bare")):
        pairs = [(getattr(one, of), one.floor) for one in measured]
        cells = [f"{own.p50_ms / floor.p50_ms:.1f}, {floor.per_s / own.per_s:.1f}" for own, floor in pairs]
        own, most = tokens.get(name.strip("*"), 0.0), tokens.get("model server alone", 0.0)
        yield f"| {name} | {' | '.join(cells)} | {f'{own / most:.0%}' if most else ''} |"
    for peer in peers.PEERS:
        yield f"| {peer.name} | {' | '.join(_published(peer, title) for title in titles)} | {_share(peer):.0%} |"


def _published(peer: peers.Peer, title: str) -> str:
    if title not in peer.figures:
        return ""
    (p50_ms, per_s), (least_ms, most_per_s) = peer.figures[title], peers.FLOOR.figures[title]
    return f"{p50_ms / least_ms:.1f}, {most_per_s / per_s:.1f}"


def _share(peer: peers.Peer) -> float:
    return peer.tokens_per_s / peers.FLOOR.tokens_per_s
