"""Clients that ask as fast as they are answered, and what they saw."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson


@dataclass(frozen=True, slots=True)
class Target:
    """A server under load: where it answers, what it is sent, and the process whose CPU time counts."""

    name: str
    url: str
    headers: Mapping[str, str]
    pid: int
    is_model: bool = False

    def bodies(self, work: str, *, stream: bool) -> list[dict[str, Any]]:
        """The requests of a work, one after another; the model's name tells what is to be done.

        The model server alone is asked as often as an agent would ask it, with the results that it would have.
        """
        question = {"role": "user", "content": "Please add 1 and 2"}
        calls = int(work[5:]) if work.startswith("tools") else 0
        if self.is_model:
            result = {"role": "tool", "content": "3"}
            return [{"model": work, "stream": stream, "messages": [question, *[result] * n]} for n in range(calls + 1)]
        model = f"agentic/react@{work}" if calls and self.headers else work
        return [{"model": model, "stream": stream, "messages": [question]}]


@dataclass(frozen=True, slots=True)
class Measured:
    """``p50_ms`` and ``p99_ms`` of single requests, requests a second, CPU ms a request, tokens a second, errors."""

    p50_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float
    tokens_per_s: float
    errors: int


async def measure(target: Target, work: str, *, stream: bool, clients: int, requests: int) -> Measured:
    """Let ``clients`` ask ``requests`` times in all."""
    bodies = [orjson.dumps(body) for body in target.bodies(work, stream=stream)]
    headers = {"Content-Type": "application/json", **target.headers}
    seconds: list[float] = []
    tokens = errors = 0
    todo = iter(range(requests))

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal tokens, errors
        for _ in todo:
            began = time.perf_counter()
            for body in bodies:
                async with session.post(target.url, data=body, headers=headers) as answer:
                    data = await answer.read()
            seconds.append(time.perf_counter() - began)
            good = answer.status == 200 and (b"word31" in data or b"t99 " in data) and b'"error":{' not in data
            errors += not good
            tokens += data.count(b'"content"') if stream else 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        cpu, began = cpu_seconds(target.pid), time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        took = time.perf_counter() - began
    cuts = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
    used = cpu_seconds(target.pid) - cpu
    return Measured(cuts[49] * 1000, cuts[98] * 1000, requests / took, used / requests * 1000, tokens / took, errors)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
