"""What a flush to disk takes: the longest part of a short answer that must be stored."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

WRITES = 100
BYTES = 8192


def flush_ms(folder: Path) -> float:
    """The median of writing BYTES to a file in the folder and flushing them."""
    path = folder / "flushed"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(WRITES):
            file.write(bytes(BYTES))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(took) * 1000
