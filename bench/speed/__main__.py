"""Measure the server's own costs: ``python -m bench.speed [--quick] [--rounds N] [--only w1] [--write docs/speed.md]``.

Takes some seven minutes on a quiet machine; ``--quick`` one and a half, with figures that are less sure.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.speed import parts
from bench.speed.bounds import Bound, told
from bench.speed.crowds import crowds
from bench.speed.disk import flush_ms, other_disks
from bench.speed.requests import WORKS, Found, compared, requests
from bench.speed.servers import start

COMMAND = "uv run python -m bench.speed --write docs/speed.md"
HEAD = """# Speed

The server's own costs, measured with `{command}` on {cores} cores with Python {version}.
Figures differ from machine to machine; what stands beside one another was measured in turns on the same one.

The model server is scripted and answers 32 tokens without delay. *bare* is a server of some seventy lines over the
`ollama` client that does nothing but the same work: no login, no storage, no routing. *agentic* checks an API key, and
stores every conversation and every run before its last byte, and flushes both to disk at once after it (SQLITE_FLUSH).
A flush of this disk took {flush:.1f} ms. {load:.1f} processes wanted to work before the measurement began.
"""


def main() -> None:
    """Measure, print a line as soon as it is known, and write all to a file where one is named."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one round, and fewer requests")
    options.add_argument("--rounds", type=int, help="how often each server takes its turn (3; with --quick 1)")
    options.add_argument("--only", default="", help="the beginning of the works' names, such as w1")
    options.add_argument("--write", type=Path, help="a Markdown file for the result")
    chosen = options.parse_args()
    rounds, share = chosen.rounds or (1 if chosen.quick else 3), 0.25 if chosen.quick else 1.0
    lines: list[str] = []
    # /tmp may be in memory, where a flush to disk costs nothing.
    with tempfile.TemporaryDirectory(dir=".", prefix="build-speed-") as folder, ExitStack() as servers:
        for line in _page(servers, Path(folder), rounds, share, chosen.only):
            print(line, flush=True)
            lines.append(line)
    if chosen.write:
        chosen.write.write_text("\n".join(lines) + "\n")


def _page(servers: ExitStack, folder: Path, rounds: int, share: float, only: str) -> Iterator[str]:
    yield HEAD.format(
        command=COMMAND,
        cores=os.cpu_count(),
        version=platform.python_version(),
        flush=flush_ms(folder),
        load=os.getloadavg()[0],
    )
    started = start(servers, folder)
    found: list[Found] = []
    bounds: list[Bound] = []
    works = [replace(one, requests=round(one.requests * share)) for one in WORKS if one.title.startswith(only)]
    yield from requests(started.targets, works, rounds, found=found, bounds=bounds)
    if "w1 whole".startswith(only):
        yield from other_disks(started, rounds, share)
    tokens: dict[str, float] = {}
    if "w5".startswith(only):
        yield from crowds(started.targets, rounds, share, tokens, bounds)
        yield from parts.measured(started, bounds)
    yield from compared(found, tokens)
    yield from told(bounds)


if __name__ == "__main__":
    main()
