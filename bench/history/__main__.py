"""Load conversations from storage and from Redis, and print a table: ``uv run python -m bench.history``.

``--storage`` names backends (default: the highest-ranked one); their settings come from the environment. Redis is
measured where ``redis-server`` is on the PATH: a process of its own on a Unix socket, nothing else to do, one GET of
the whole conversation as JSON, read by the least code there can be. That is the best a cache can do; a client library,
a second machine and keeping the cache true come on top.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import orjson

from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.messages import Message
from agentic.ports.paging import whole_log
from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import CONVERSATIONS, Conversations, written
from agentic.runtime.joining import join
from agentic.runtime.spaces import NoBlobs, Scope
from tests.scopes import scope_over

Load = Callable[[int], Awaitable[object]]

TEXT = "Words as people and models write them, with a figure such as 42 and a name such as Ada now and then. " * 6
KEPT = 50
"""Conversations that are loaded in turn, so that none is the only one there is."""


def main() -> None:
    """Measure each in turn and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=200)
    options.add_argument("--rounds", type=int, default=400)
    options.add_argument("--storage", nargs="*", default=[None])
    asyncio.run(_measure(options.parse_args()))


async def _measure(options: argparse.Namespace) -> None:
    size = len(orjson.dumps(_messages(options.messages)))
    print(f"a conversation of {options.messages} messages, {size / 1000:.0f} kB as JSON")
    print(f"{'':32}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms':>8}{'16 at once, each ms':>22}")
    async with AsyncExitStack() as stack:
        for name in options.storage:
            storage = await stack.enter_async_context(_storage(name))
            scope, ids = scope_over(storage, NoBlobs()), [f"{n:024x}" for n in range(KEPT)]
            for session_id in ids:
                await storage.delete(CONVERSATIONS + session_id)
                await storage.append(CONVERSATIONS + session_id, _messages(options.messages))
            await _row(f"{storage.name}: the log", _reading(storage, ids), options.rounds)
            await _row(f"{storage.name}: the whole turn", _turning(scope, ids), options.rounds)
            for session_id in ids:
                await storage.delete(CONVERSATIONS + session_id)
        if shutil.which("redis-server") is None:
            print("redis-server is not on the PATH: not measured")
            return
        socket, value = stack.enter_context(_redis(options.messages))
        await _row("redis: GET and JSON", await _cached(socket, value), options.rounds)
        await _row("JSON and join alone, no storage", _pure(options.messages), options.rounds)


def _messages(number: int) -> list[dict[str, object]]:
    roles = ("user", "assistant")
    return [
        dict(written(Message(roles[n % 2], f"{n} {TEXT}"), run_id=f"run_{n:020x}"))  # type: ignore[arg-type]
        for n in range(number)
    ]


def _reading(storage: StorageBackend, ids: list[str]) -> Load:
    return lambda n: whole_log(storage, CONVERSATIONS + ids[n % KEPT])


def _turning(scope: Scope, ids: list[str]) -> Load:
    conversations = Conversations(scope, "user")
    return lambda n: conversations.turn(ids[n % KEPT], [Message("user", "and now?")], new=False)


def _pure(number: int) -> Load:
    stored = orjson.dumps(_messages(number))

    async def work(_: int) -> object:
        return join(orjson.loads(stored), [Message("user", "and now?")])

    return work


@asynccontextmanager
async def _storage(name: str | None) -> AsyncIterator[StorageBackend]:
    with tempfile.TemporaryDirectory() as folder:
        settings = await asyncio.to_thread(read_settings, data_dir=Path(folder), storage=name)
        catalog = await asyncio.to_thread(load, settings)
        storage: StorageBackend = catalog.choose("storage_backend", settings.storage, "STORAGE")
        try:
            yield storage
        finally:
            await storage.aclose()


@contextmanager
def _redis(number: int) -> Iterator[tuple[str, bytes]]:
    """A Redis server's socket, and the conversation that it is to hold."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                time.sleep(0.05)
            yield str(socket), orjson.dumps(_messages(number))
        finally:
            process.terminate()
            process.wait()


async def _cached(socket: str, value: bytes) -> Load:
    for n in range(KEPT):
        await _command(socket, b"SET", b"%d" % n, value)
    return lambda n: _get(socket, n % KEPT)


_free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []


async def _get(socket: str, key: int) -> object:
    return orjson.loads(await _command(socket, b"GET", b"%d" % key))


async def _command(socket: str, *words: bytes) -> bytes:
    """One command over a kept connection; its answer is a line, or the bytes that it announces."""
    reader, writer = _free.pop() if _free else await asyncio.open_unix_connection(socket, limit=1 << 22)
    writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
    line = await reader.readuntil(b"\r\n")
    answer = (await reader.readexactly(int(line[1:]) + 2))[:-2] if line.startswith(b"$") else line
    _free.append((reader, writer))
    return answer


async def _row(name: str, load_one: Load, rounds: int) -> None:
    for n in range(KEPT):
        await load_one(n)
    times, used = [], time.process_time()
    for n in range(rounds):
        began = time.perf_counter()
        await load_one(n)
        times.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - used) * 1000 / rounds
    began = time.perf_counter()
    for start in range(0, rounds, 16):
        await asyncio.gather(*(load_one(start + n) for n in range(16)))
    each = (time.perf_counter() - began) * 1000 / (-(-rounds // 16) * 16)
    high = sorted(times)[int(rounds * 0.99)]
    print(f"{name:32}{statistics.median(times):8.2f}{high:8.2f}{used:8.2f}{each:22.2f}")


if __name__ == "__main__":
    main()
