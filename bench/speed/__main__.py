"""Measure the server's own costs: ``uv run python -m bench.speed [--rounds N] [--only w1] [--write docs/speed.md]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.speed import parts
from bench.speed.load import Measured, Target, measure
from bench.speed.servers import memory_mb, start

WORKS = (
    ("w1 whole", "plain", False, 400),
    ("w1 stream", "plain", True, 300),
    ("w2 whole", "tools1", False, 200),
    ("w2 stream", "tools1", True, 200),
    ("w3 whole", "tools4", False, 100),
    ("w3 stream", "tools4", True, 100),
)
HEAD = """# Speed

The server's own costs, measured with `{command}` on {cores} cores with Python {version}.
Figures differ from machine to machine; what stands beside one another was measured in turns on the same one.

The model server is scripted and answers 32 tokens without delay. *bare* is a server of some sixty lines over the
`ollama` client that does nothing but the same work: no login, no storage, no routing. *agentic* checks an API key, and
stores every conversation and every run before its last byte.
"""


def main() -> None:
    """Measure, print a line as soon as it is known, and write all to a file where one is named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default="", help="the beginning of the works' names, such as w1")
    options.add_argument("--write", type=Path, help="a Markdown file for the result")
    chosen = options.parse_args()
    command = "uv run python -m bench.speed"
    lines = [HEAD.format(command=command, cores=os.cpu_count(), version=platform.python_version())]
    with ExitStack() as servers, tempfile.TemporaryDirectory() as folder:
        for line in _measured(servers, Path(folder), chosen.rounds, chosen.only):
            print(line, flush=True)
            lines.append(line)
    if chosen.write:
        chosen.write.write_text("\n".join(lines) + "\n")


def _measured(servers: ExitStack, folder: Path, rounds: int, only: str) -> Iterator[str]:
    started = start(servers, folder)
    works = [work for work in WORKS if work[0].startswith(only)]
    yield from _requests(started.targets, works, rounds)
    if "w5".startswith(only):
        yield from _crowds(started.targets)
        yield "\n## Its parts\n"
        yield f"- cold start to the first answered request, all default plugins: {started.cold_s:.2f} s"
        yield f"- idle memory: {started.idle_mb:.0f} MB"
        yield from parts.measured()


def _requests(targets: Sequence[Target], works: Sequence[tuple[str, str, bool, int]], rounds: int) -> Iterator[str]:
    yield "\n## Requests\n"
    yield "Each cell: p50 with one client; requests a second, and CPU time a request, with 16 clients.\n"
    yield "w1: a plain answer. w2: one tool call, then the answer. w3: four tool calls, one after the other.\n"
    yield "| | " + " | ".join(target.name for target in targets) + " | agentic / bare |"
    yield "|---|" + "---|" * (len(targets) + 1)
    for title, work, stream, requests in works:
        found = _found(targets, work, stream, requests, rounds)
        yield f"| {title} | " + " | ".join(_cell(*one) for one in found) + f" | {_ratio(found[-1], found[-2])} |"


Rounds = tuple[list[Measured], list[Measured]]
"""What one server showed in each round: with one client, and with many."""


def _found(targets: Sequence[Target], work: str, stream: bool, requests: int, rounds: int) -> list[Rounds]:
    """The servers take turns, so that what slows the machine for a while slows all of them."""
    found: list[Rounds] = [([], []) for _ in targets]
    for target in targets:
        asyncio.run(measure(target, work, stream=stream, clients=4, requests=40))
    for _ in range(rounds):
        for target, (alone, many) in zip(targets, found, strict=True):
            alone.append(asyncio.run(measure(target, work, stream=stream, clients=1, requests=requests)))
            many.append(asyncio.run(measure(target, work, stream=stream, clients=16, requests=requests * 2)))
    return found


def _cell(alone: list[Measured], many: list[Measured]) -> str:
    figures = f"{_median(alone, 'p50_ms'):.1f} ms, {_median(many, 'per_s'):.0f}/s, {_median(many, 'cpu_ms'):.1f} ms"
    return figures + _errors([*alone, *many])


def _ratio(ours: Rounds, bare: Rounds) -> str:
    p50 = _median(ours[0], "p50_ms") / _median(bare[0], "p50_ms")
    rate = _median(ours[1], "per_s") / _median(bare[1], "per_s")
    cpu = _median(ours[1], "cpu_ms") / _median(bare[1], "cpu_ms")
    return f"{p50:.2f}, {rate:.2f}, {cpu:.2f}"


def _crowds(targets: Sequence[Target]) -> Iterator[str]:
    """64 clients at once: answers without delay, then streams at the pace of a model."""
    yield "\n## 64 clients\n"
    yield "| | " + " | ".join(target.name for target in targets[1:]) + " |"
    yield "|---|" + "---|" * len(targets[1:])
    for one in targets[1:]:
        asyncio.run(measure(one, "plain", stream=True, clients=4, requests=40))
    before = memory_mb(targets[-1].pid)
    for title, stream in (("whole", False), ("streamed", True)):
        found = [asyncio.run(measure(one, "plain", stream=stream, clients=64, requests=1920)) for one in targets[1:]]
        yield (
            f"| w1 {title}: p50, p99 | "
            + " | ".join(f"{one.p50_ms:.0f} ms, {one.p99_ms:.0f} ms{_errors([one])}" for one in found)
            + " |"
        )
    paced = [asyncio.run(measure(one, "paced", stream=True, clients=64, requests=192)) for one in targets[1:]]
    yield (
        "| w5: 10 ms a token, tokens/s | "
        + " | ".join(f"{one.tokens_per_s:.0f}{_errors([one])}" for one in paced)
        + " |"
    )
    yield f"\nagentic's resident memory before: {before:.0f} MB, after: {memory_mb(targets[-1].pid):.0f} MB"


def _median(found: Sequence[Measured], field: str) -> float:
    return statistics.median(getattr(one, field) for one in found)


def _errors(found: Sequence[Measured]) -> str:
    count = sum(one.errors for one in found)
    return f" **{count} errors**" if count else ""


if __name__ == "__main__":
    main()
