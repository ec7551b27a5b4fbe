"""What the disk takes of a short answer, which is stored before its last byte."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.speed.requests import WORKS, alone_in_turns, warmed_up
from bench.speed.servers import AGENTIC, Started, agentic, free_port, server, user_with_key

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


def without_disk(started: Started, rounds: int, share: float) -> Iterator[str]:
    """A plain answer where nothing waits for a disk: what is left beside bare's is this project's own work."""
    if not MEMORY.is_dir():
        return
    _, bare, ours = started.targets
    work, port = WORKS[0], free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
        environment = started.environment | {"DATA_DIR": folder, "SERVER_PORT": str(port)}
        key = user_with_key(environment)
        pid = stack.enter_context(server([*AGENTIC, "serve"], environment, port))
        targets = [bare, ours, agentic("in memory", port, key, pid)]
        shown = warmed_up(targets, work)
        for _ in range(rounds):
            alone_in_turns(targets, work, shown, round(work.requests * share))
        least, stored, kept = (one.p50_ms for one in shown)
    yield (
        f"\n{work.title} with one client once more, in turns with a third server whose data is in memory, where a "
        f"flush costs nothing: bare {least:.1f} ms, agentic {stored:.1f} ms ({stored / least:.2f}), in memory "
        f"{kept:.1f} ms ({kept / least:.2f})."
    )
