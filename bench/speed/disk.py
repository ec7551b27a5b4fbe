"""What the disk takes of a short answer, where that is flushed before its last byte, after it, and not at all."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from agentic.testing.server import free_port
from bench.speed.requests import WORKS, alone_in_turns, warmed_up
from bench.speed.servers import AGENTIC, Started, agentic, server, user_with_key

WRITES = 100
BYTES = 40_000
"""About what storing a short conversation writes."""
PAUSE_S = 0.005
"""Between two answers a disk rests, and takes longer for the next write."""
MEMORY = Path("/dev/shm")


def flush_ms(folder: Path) -> float:
    """The median of writing BYTES to a file in the folder and flushing them."""
    path = folder / "flushed"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(WRITES):
            time.sleep(PAUSE_S)
            file.write(bytes(BYTES))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(took) * 1000


def other_disks(started: Started, rounds: int, share: float) -> Iterator[str]:
    """A plain answer that waits for its flush, and one for which there is no disk, in turns with that of default."""
    _, bare, ours = started.targets
    work = WORKS[0]
    with ExitStack() as stack:
        others = [("flushed before it", {"SQLITE_FLUSH": "before"}, Path(started.environment["DATA_DIR"]))]
        if MEMORY.is_dir():
            others.append(("in memory", {}, MEMORY))
        targets = [bare, ours]
        for name, settings, above in others:
            folder, port = stack.enter_context(tempfile.TemporaryDirectory(dir=above)), free_port()
            environment = started.environment | settings | {"DATA_DIR": folder, "SERVER_PORT": str(port)}
            key = user_with_key(environment)
            pid = stack.enter_context(server([*AGENTIC, "serve"], environment, port))
            targets.append(agentic(name, port, key, pid))
        shown = warmed_up(targets, work)
        for _ in range(rounds):
            alone_in_turns(targets, work, shown, round(work.requests * share))
    least = shown[0].p50_ms
    told = ", ".join(
        f"{target.name} {one.p50_ms:.1f} ms ({one.p50_ms / least:.2f})"
        for target, one in zip(targets[1:], shown[1:], strict=True)
    )
    yield f"\n{work.title} with one client once more, all in turns: bare {least:.1f} ms, {told}."
