"""``python -m bench.storage [DIR]``: the storages side by side, in about a minute.

DIR is where files go (a new folder in the current directory otherwise, since /tmp may be in memory). PostgreSQL is that
of this machine, on the same disk, and flushes as it does by default.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agentic import StorageBackend
from agentic.testing.postgres import postgres_programs, running_postgres
from agentic_postgres.pool import Pool
from agentic_postgres.storage.backend import PostgresStorage
from agentic_storage_files.backend import FileStorage
from agentic_storage_sqlite.backend import SqliteStorage

VALUE = {"messages": [{"role": "user", "content": "How much is 6 times 7? " * 10}, {"role": "assistant"}], "n": 1}
SECONDS = 2.0
DOCUMENTS = 1000
Operation = Callable[[int], Awaitable[object]]


async def rate(operation: Operation, workers: int) -> float:
    """How many of it are done a second."""
    until, done = time.perf_counter() + SECONDS, 0

    async def work(worker: int) -> None:
        nonlocal done
        number = worker
        while time.perf_counter() < until:
            await operation(number)
            done, number = done + 1, number + workers

    began = time.perf_counter()
    await asyncio.gather(*(work(worker) for worker in range(workers)))
    return done / (time.perf_counter() - began)


async def measure(storage: StorageBackend) -> list[str]:
    """The cells of a storage's row."""

    async def save(number: int) -> None:
        await storage.save(f"u/{number % 50}/c/{number}", VALUE)

    async def append(number: int) -> None:
        await storage.append(f"u/{number % 50}/log/{number % 500}", [VALUE])

    async def load(number: int) -> None:
        assert await storage.load(f"full/c/{number % DOCUMENTS}")

    async def newest(_number: int) -> None:
        assert len(await storage.list("full/c/", newest_first=True, limit=20)) == 20

    for start in range(0, DOCUMENTS, 50):
        await asyncio.gather(*(storage.save(f"full/c/{n}", VALUE) for n in range(start, start + 50)))
    cells = []
    for operation in (save, append, load, newest):
        for workers in (1, 16):
            cells.append(f"{await rate(operation, workers):,.0f}")
            print(f"  {storage.name}: {operation.__name__}, {workers} at once: {cells[-1]}/s", file=sys.stderr)
    await storage.aclose()
    return cells


@contextmanager
def storages(folder: Path) -> Iterator[dict[str, Callable[[], StorageBackend]]]:
    """How each storage is made, PostgreSQL where it is installed."""
    made: dict[str, Callable[[], StorageBackend]] = {
        "sqlite": lambda: SqliteStorage(folder / "agentic.db"),
        "files": lambda: FileStorage(folder / "data"),
    }
    if postgres_programs() is None:
        yield made
        return
    with running_postgres(folder, flush=True) as server:
        yield {**made, "postgres": lambda: PostgresStorage(Pool(server.url, connections=16))}


def main(folder: Path) -> None:
    """Print a table in Markdown."""
    heads = [
        f"{name}, {n} at once" for name in ("save", "append", "load", f"newest 20 of {DOCUMENTS}") for n in (1, 16)
    ]
    print(f"| a second | {' | '.join(heads)} |")
    print("|---" * (len(heads) + 1) + "|")
    with storages(folder) as made:
        for name, make in made.items():
            print(f"| {name} | {' | '.join(asyncio.run(measure(make())))} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="bench-storage-", dir=Path.cwd()) as temporary:
            main(Path(temporary))
