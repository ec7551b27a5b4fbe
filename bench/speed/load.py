"""Clients that ask as fast as they are answered, and what they saw."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

FIRST = b"t0 "
"""The first token of the paced answer."""


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
        ``routed`` is the plain work, answered by whichever agent the router finds; the others have no router.
        """
        question = {"role": "user", "content": "Please add 1 and 2"}
        calls = int(work[5:]) if work.startswith("tools") else 0
        if self.is_model:
            result = {"role": "tool", "content": "3"}
            return [{"model": work, "stream": stream, "messages": [question, *[result] * n]} for n in range(calls + 1)]
        if work == "routed":
            question = {"role": "user", "content": "Tell me a story about a lighthouse"}
            return [{"model": "agentic/@plain" if self.headers else "plain", "stream": stream, "messages": [question]}]
        model = f"agentic/react@{work}" if calls and self.headers else work
        return [{"model": model, "stream": stream, "messages": [question]}]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the clients saw, and what it cost the server.

    ``p50_ms`` and ``p99_ms`` of single requests, requests a second, CPU ms a request, tokens a second, errors, and
    ``first_ms``: until half of the clients of a paced work had their first token.
    """

    p50_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float
    tokens_per_s: float
    errors: int
    first_ms: float


@dataclass(slots=True)
class _Seen:
    """The seconds of single requests and of their first tokens, the tokens, the errors."""

    seconds: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    tokens: int = 0
    errors: int = 0


async def measure(target: Target, work: str, *, stream: bool, clients: int, requests: int) -> Measured:
    """Let ``clients`` ask ``requests`` times in all."""
    bodies = [orjson.dumps(body) for body in target.bodies(work, stream=stream)]
    headers = {"Content-Type": "application/json", **target.headers}
    seen = _Seen()
    todo = iter(range(requests))

    async def client(session: aiohttp.ClientSession) -> None:
        for _ in todo:
            began = time.perf_counter()
            good, data = False, b""
            try:
                for body in bodies:
                    async with session.post(target.url, data=body, headers=headers) as answer:
                        data = await (_paced(answer, began, seen) if work == "paced" else answer.read())
                        good = answer.status == 200
            except aiohttp.ClientError:
                good = False
            seen.seconds.append(time.perf_counter() - began)
            whole = (b"word31" in data or b"t99 " in data) and b'"error":{' not in data
            seen.errors += not (good and whole)
            seen.tokens += data.count(b'"content"') if stream else 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        cpu, began = cpu_seconds(target.pid), time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        took = time.perf_counter() - began
    return _measured(seen, took, cpu_seconds(target.pid) - cpu)


async def _paced(answer: aiohttp.ClientResponse, began: float, seen: _Seen) -> bytes:
    """The whole answer; notes when its first token came."""
    data = b""
    async for piece in answer.content.iter_any():
        if FIRST not in data and FIRST in data + piece:
            seen.first.append(time.perf_counter() - began)
        data += piece
    return data


def _measured(seen: _Seen, took: float, cpu: float) -> Measured:
    cuts = statistics.quantiles(seen.seconds, n=100) if len(seen.seconds) > 1 else seen.seconds * 99
    requests = len(seen.seconds)
    first = statistics.median(seen.first) * 1000 if seen.first else 0.0
    return Measured(
        p50_ms=cuts[49] * 1000,
        p99_ms=cuts[98] * 1000,
        per_s=requests / took,
        cpu_ms=cpu / requests * 1000,
        tokens_per_s=seen.tokens / took,
        errors=seen.errors,
        first_ms=first,
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
