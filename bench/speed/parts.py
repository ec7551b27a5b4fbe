"""What single parts cost: finding plugins, calling a tool through the toolbox, a program in the sandbox."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from bench.speed import peers
from bench.speed.bounds import Bound
from bench.speed.servers import Started

COLD_S = 1.5
PLUGINS = 100
CALLS = 3000
ROUNDS = 10
PROGRAMS = 40
DISCOVER = """
import time
from agentic.catalog.discovery import discover
began = time.perf_counter()
found = len(discover())
print(found, (time.perf_counter() - began) * 1000)
"""


def measured(started: Started, bounds: list[Bound]) -> Iterator[str]:
    """A line a part; what is promised of it is added to ``bounds``."""
    yield "\n## Its parts\n"
    discovery_ms, toolbox_us = _discovery_ms(), asyncio.run(_toolbox_us())
    bounds += [
        Bound("cold start to the first answer, all default plugins", started.cold_s, COLD_S, "s"),
        Bound("cold start beside bare's", started.cold_s / started.bare_cold_s, COLD_S / peers.BARE_COLD_S),
        Bound("idle memory", started.idle_mb, 100, "MB"),
        Bound(f"finding {PLUGINS} installed plugins", discovery_ms, 50, "ms"),
        Bound("what the toolbox adds to a tool call", toolbox_us, 100, "µs"),
    ]
    yield (
        f"- cold start to the first answered request, all default plugins: {started.cold_s:.2f} s, of them "
        f"{started.cold_cpu_s:.2f} s of CPU time; bare: {started.bare_cold_s:.2f} s"
    )
    yield (
        f"- promises in seconds were made on a machine on which bare took {peers.BARE_COLD_S} s for that: it was "
        f"{started.bare_cold_s / peers.BARE_COLD_S:.1f} times as fast as this one"
    )
    yield f"- idle memory: {started.idle_mb:.0f} MB"
    yield f"- finding {PLUGINS} installed plugins beside the others: {discovery_ms:.0f} ms"
    yield f"- a tool call through the toolbox: {toolbox_us:.0f} µs more than the tool and its validation"
    yield asyncio.run(_sandbox(bounds))


def _discovery_ms() -> float:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(PLUGINS):
            info = Path(folder, f"bench_plugin_{number}-1.0.dist-info")
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench-plugin-{number}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[agentic]\nbench_{number} = bench_plugin_{number}\n")
        times = []
        for _ in range(5):
            told = subprocess.run(
                [sys.executable, "-c", f"import sys; sys.path.append({folder!r}){DISCOVER}"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            if int(told[0]) < PLUGINS:
                raise SystemExit(f"only {told[0]} of {PLUGINS} plugins were found")
            times.append(float(told[1]))
    return statistics.median(times)


async def _toolbox_us() -> float:
    """What the kernel adds to a tool call: its events, limits, checks, record."""
    from agentic import ToolCall, ToolSpec, tool
    from agentic.runtime.approval import Gate, Policy
    from agentic.runtime.budget import Budget, Limits
    from agentic.runtime.request import RunRequest
    from agentic.runtime.run import LiveRun
    from agentic.runtime.toolbox import Toolbox
    from agentic.testing.tool import FakeContext

    @tool()
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    async def keep() -> None:
        return None

    context = FakeContext()
    request = RunRequest(model="agentic", messages=())
    live = LiveRun("bench", request, context.principal, "bench", Budget(Limits(tool_calls=CALLS * 2)))
    toolbox = Toolbox(
        live,
        [ToolSpec("add", add.description, {"type": "object"})],
        {"add": add},
        {"add": "bench"},
        gate=Gate(Policy(), live.approvals, live.channel, can_ask=False),
        context_of=lambda call_id, plugin: context,
        keep=keep,
    )

    async def bare(n: int) -> object:
        return await add.run(add.args.model_validate({"a": n, "b": 2}), context)

    async def boxed(n: int) -> object:
        return await toolbox.call([ToolCall(f"c{n}", "add", {"a": n, "b": 2})])

    # In turns: a machine is faster now and then.
    numbers = [range(start, start + CALLS // ROUNDS) for start in range(0, CALLS, CALLS // ROUNDS)]
    return statistics.median([await _cpu_us(boxed, some) - await _cpu_us(bare, some) for some in numbers])


async def _cpu_us(call: Callable[[int], Awaitable[object]], numbers: Sequence[int]) -> float:
    began = time.process_time()
    for number in numbers:
        await call(number)
    return (time.process_time() - began) / len(numbers) * 1e6


async def _sandbox(bounds: list[Bound]) -> str:
    from agentic import NotConfigured
    from agentic.testing.tool import call
    from agentic_python_exec.settings import Settings
    from agentic_python_exec.tool import made

    with tempfile.TemporaryDirectory() as folder:
        tool = made(Settings(), Path(folder))
        if isinstance(tool, NotConfigured):
            return f"- a program in the sandbox: not measured, {tool.fix}"
        try:
            warm, plain = [], []
            for number in range(PROGRAMS):
                began = time.perf_counter()
                await call(tool, {"code": f"print({number})"})
                warm.append(time.perf_counter() - began)
                began = time.perf_counter()
                alone = [sys.executable, "-I", "-c", f"print({number})"]
                await asyncio.to_thread(subprocess.run, alone, check=True, capture_output=True)
                plain.append(time.perf_counter() - began)
        finally:
            await tool.aclose()
    mine, theirs = statistics.median(warm[5:]) * 1000, statistics.median(plain[5:]) * 1000
    bounds.append(Bound("`print(1)` in the warm sandbox beside `python -I` alone", mine / theirs, 1.5))
    return f"- `print(1)` in the sandbox, warm: {mine:.1f} ms; `python -I` alone: {theirs:.1f} ms ({mine / theirs:.2f})"
