"""Runs many programs in a process of its own, and tells what there was before, after, and after the closing.

``python python_exec_many.py DATA_DIR BACKEND RUNS``
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from agentic_python_exec.outcome import Request
from agentic_python_exec.pool import Pool
from agentic_python_exec.settings import Settings

WARM = 2
CODE = "open('x', 'w').write('1'); print(n := 1)"


def open_files() -> int:
    """The descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def below() -> int:
    """The living processes that descend from this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return len(found) - 1


async def settled(count: Callable[[], int]) -> int:
    """The least that is counted until it has not become less for a second."""
    least, since = count(), 0
    while since < 10:
        await asyncio.sleep(0.1)
        now, since = count(), since + 1
        if now < least:
            least, since = now, 0
    return least


async def ready(pool: Pool) -> None:
    """Wait until the pool has what it keeps."""
    while len(pool.idle_pids) < WARM:  # noqa: ASYNC110 - nothing tells when a sandbox is ready
        await asyncio.sleep(0.02)


async def main(folder: Path, backend: str, runs: int) -> None:
    """Measure, and print what was seen as JSON."""
    settings = Settings.model_validate({"python_exec_backend": backend, "python_exec_warm": WARM})
    pool = Pool(settings, folder, preload=())
    await asyncio.gather(*(pool.run(Request(CODE)) for _ in range(4)))
    await ready(pool)
    seen: dict[str, object] = {
        "processes_before": await settled(below),
        "files_before": open_files(),
        "threads_before": threading.active_count(),
    }
    endings = await asyncio.gather(*(pool.run(Request(CODE)) for _ in range(runs)))
    await ready(pool)
    seen |= {
        "endings": sorted({(one.reason, one.output) for one in endings}),
        "processes_after": await settled(below),
        "files_after": await settled(open_files),
        "threads_after": threading.active_count(),
    }
    await pool.aclose()
    print(json.dumps(seen | {"processes_closed": await settled(below)}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
