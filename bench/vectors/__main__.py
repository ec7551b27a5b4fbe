"""Measure the installed stores of vectors: ``uv run python -m bench.vectors [--sizes 1000,10000] [--stores faiss]``.

Random unit vectors of one user, in documents of a hundred rows, which are the hardest there are: no row is much nearer
than any other. ``plain`` is numpy's product of all rows in memory, which is right by definition; the others are stores
as the server uses them, through the port, on disk. Each store is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy
import uvloop

from agentic import VectorStore
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings

DIMENSIONS = 384
DOCUMENT = 100
QUERIES = 200
K = 5
NAMES = ("store", "vectors", "p50 ms", "CPU ms", "p99 ms", "recall@5", "added/s", "first search ms", "MB per 10k")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure each store at each size and print a row as soon as it is known."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default="1000,10000,100000")
    options.add_argument("--stores", default="plain,faiss,chroma")
    options.add_argument("--most", type=int, default=10_000, help="of Chroma, which adds a thousand rows a second")
    options.add_argument("--one", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        store, size = chosen.one.split(",")
        # On the server's own event loop.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(_measured(store, int(size)))))
        return
    print(f"| {' | '.join(NAMES)} |\n{'|---' * len(NAMES)}|")
    for size in map(int, chosen.sizes.split(",")):
        for store in chosen.stores.split(","):
            if store != "chroma" or size <= chosen.most:
                _print_row(store, size)


def _print_row(store: str, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"DATA_DIR": folder}
        command = [sys.executable, "-m", "bench.vectors", "--one", f"{store},{size}"]
        found = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    print(
        f"| {store} | {size:,} "
        f"| {found['p50']:.2f} | {found['cpu']:.2f} | {found['p99']:.2f} | {found['recall']:.3f} | "
        f"{found['rate']:,.0f} | {found['first']:.0f} | {found['mb']:.0f} |",
        flush=True,
    )


async def _measured(store: str, size: int) -> dict[str, float]:
    queries = _unit(QUERIES, seed=1)
    if store == "plain":
        before, array, started = _rss(), _unit(size), time.perf_counter()
        made = {"rate": size / (time.perf_counter() - started), "first": 0.0, "mb": (_rss() - before) / size * 1e4}
        return made | await _searched(lambda query: _plain(array, query), queries, array)
    vectors = _store(store).collection("bench", embedder="bench", dimensions=DIMENSIONS)
    array = _mapped(size)
    started = time.perf_counter()
    for number, start in enumerate(range(0, size, DOCUMENT)):
        end = min(start + DOCUMENT, size)
        await vectors.add(f"doc{number}", range(start, end), numpy.array(array[start:end]))
    made = {"rate": size / (time.perf_counter() - started)}
    before, started = _rss(), time.perf_counter()
    await vectors.search(queries[0], K)
    made |= {"first": (time.perf_counter() - started) * 1e3, "mb": (_rss() - before) / size * 1e4}

    async def numbers(query: Any) -> list[int]:
        return [hit.number for hit in await vectors.search(query, K)]

    return made | await _searched(numbers, queries, array)


async def _searched(search: Callable[[Any], Awaitable[list[int]]], queries: Any, array: Any) -> dict[str, float]:
    times, found, cpu = [], [], time.process_time()
    for query in queries:
        started = time.perf_counter()
        found.append(await search(query))
        times.append((time.perf_counter() - started) * 1e3)
    cpu = (time.process_time() - cpu) / len(queries) * 1e3
    right = sum([len(set(one) & set(await _plain(array, query))) for one, query in zip(found, queries, strict=True)])
    tail = sorted(times)[int(len(times) * 0.99)]
    return {"p50": statistics.median(times), "cpu": cpu, "p99": tail, "recall": right / (K * len(queries))}


async def _plain(array: Any, query: Any) -> list[int]:
    scores = array @ query
    near = numpy.argpartition(-scores, K)[:K]
    return [int(one) for one in near[numpy.argsort(-scores[near])]]


def _unit(count: int, seed: int = 0) -> Any:
    array = numpy.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=numpy.float32)
    array /= numpy.linalg.norm(array, axis=1, keepdims=True)
    return array


def _mapped(size: int) -> Any:
    """The rows mapped from a file, so that they do not count as the store's memory."""
    path = Path(os.environ["DATA_DIR"]) / "rows.npy"
    path.parent.mkdir(exist_ok=True)
    numpy.save(path, _unit(size))
    return numpy.load(path, mmap_mode="r")


def _store(name: str) -> VectorStore:
    store: VectorStore = load(read_settings()).choose("vector_store", name, "--stores")
    return store


def _rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB


if __name__ == "__main__":
    main()
