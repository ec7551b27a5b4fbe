"""A process that puts files as fast as it can and says on stdout which the store has acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from agentic_blobs_files.store import FileBlobs


async def write_for_ever(root: Path) -> None:
    store = FileBlobs(root)

    async def worker(number: int) -> None:
        key, count = f"f/{number}", 0
        while True:
            count += 1
            await store.put(key, content(count))
            os.write(1, f"{key} {count}\n".encode())

    await asyncio.gather(*(worker(number) for number in range(8)))


async def content(count: int) -> AsyncIterator[bytes]:
    """Three megabytes that all tell the same count."""
    for _ in range(3):
        yield b"%08d" % count * 131_072


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1])))
