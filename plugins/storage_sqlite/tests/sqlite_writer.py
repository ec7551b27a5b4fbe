"""A process that writes as fast as it can and says on stdout what storage has acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from agentic_storage_sqlite.backend import SqliteStorage


async def write_for_ever(path: Path, name: str) -> None:
    storage = SqliteStorage(path)

    async def worker(number: int) -> None:
        key = f"{name}/{number}"
        count = 0
        while True:
            count += 1
            await storage.save(key, {"count": count, "text": "x" * 2000})
            await storage.append(key, [count])
            os.write(1, f"{key} {count}\n".encode())

    await asyncio.gather(*(worker(number) for number in range(16)))


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1]), sys.argv[2]))
