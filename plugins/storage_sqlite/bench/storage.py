"""What storage costs: operations a second and CPU time each. Run: python plugins/storage_sqlite/bench/storage.py [DIR]

DIR is where the file goes (a new temporary folder in the current directory otherwise, since /tmp may be in memory).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from agentic_storage_sqlite.backend import SqliteStorage

VALUE = {"messages": [{"role": "user", "content": "How much is 6 times 7? " * 10}, {"role": "assistant"}], "n": 1}
Operation = Callable[[int], Awaitable[object]]


async def measure(name: str, operation: Operation, *, times: int, workers: int = 1) -> None:
    """Run the operation ``times`` times, spread over that many workers, and tell what it took."""

    async def work(worker: int) -> None:
        for number in range(worker, times, workers):
            await operation(number)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(worker) for worker in range(workers)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(f"{name:<40}{workers:>4} at once {times / wall:>9,.0f}/s {cpu / times * 1e6:>7.0f} µs CPU each\n")


async def main(folder: Path) -> None:
    """Writes and reads, one at a time and 64 at once, then listings among 100,000 documents."""
    storage = SqliteStorage(folder / "agentic.db")
    await storage.save("warm", 1)

    async def save(number: int) -> None:
        await storage.save(f"u/{number % 50}/c/{number}", VALUE)

    async def append(number: int) -> None:
        await storage.append(f"u/{number % 50}/log/{number % 500}", [VALUE])

    async def load(number: int) -> None:
        await storage.load(f"u/{number % 50}/c/{number}")

    for name, operation in (("save", save), ("append", append), ("load", load)):
        await measure(name, operation, times=1000)
        await measure(name, operation, times=20_000, workers=64)

    await measure("save, to 100,000 documents", lambda n: save(20_000 + n), times=105_000, workers=512)

    async def newest(prefix: str) -> None:
        assert len(await storage.list(prefix, newest_first=True, limit=20)) == 20

    await measure("newest 20 of 2,500 in one folder", lambda _: newest("u/7/c/"), times=500)
    await measure("newest 20 of 2,500 below a folder", lambda _: newest("u/7/"), times=100)
    await measure("newest 20 of all", lambda _: newest(""), times=5)
    await measure("100 of 2,500 by key", lambda _: storage.list("u/7/c/"), times=200)
    await storage.aclose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as made:
        asyncio.run(main(Path(made)))
