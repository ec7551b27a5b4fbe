"""Measure the server's own costs and print a table: ``uv run python -m bench.speed [--rounds N]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.speed.load import Measured, Target, measure

ROOT = Path(__file__).parents[2]
WORKS = (
    ("w1 whole", "plain", False, 400),
    ("w1 stream", "plain", True, 300),
    ("w2 whole", "tools1", False, 200),
    ("w2 stream", "tools1", True, 200),
    ("w3 whole", "tools4", False, 100),
    ("w3 stream", "tools4", True, 100),
)


def main() -> None:
    """Start the three servers, measure each work in turn, print the medians over the rounds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default="", help="the beginning of the works' names, such as w1")
    chosen = options.parse_args()
    rounds, works = chosen.rounds, [work for work in WORKS if work[0].startswith(chosen.only)]
    with ExitStack() as servers, tempfile.TemporaryDirectory() as folder:
        targets = _start(servers, Path(folder))
        print("| | " + " | ".join(f"{target.name}: p50 ms, req/s, CPU ms" for target in targets) + " |")
        print("|---|" + "---|" * len(targets))
        for title, work, stream, requests in works:
            cells = _cells(targets, work, stream, requests, rounds)
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
        cells = [_paced(target) for target in targets]
        print("| w5: 64 streams, tokens/s | " + " | ".join(cells) + " |")
        for target in targets[2:]:
            print(f"\n{target.name}: resident memory after the load {_memory_mb(target.pid):.0f} MB")


def _cells(targets: list[Target], work: str, stream: bool, requests: int, rounds: int) -> list[str]:
    """One cell a server. The servers take turns, so that what slows the machine for a while slows all of them."""
    found: dict[str, list[tuple[Measured, Measured]]] = {target.name: [] for target in targets}
    for target in targets:
        asyncio.run(measure(target, work, stream=stream, clients=4, requests=40))
    for _ in range(rounds):
        for target in targets:
            alone = asyncio.run(measure(target, work, stream=stream, clients=1, requests=requests))
            many = asyncio.run(measure(target, work, stream=stream, clients=16, requests=requests * 2))
            found[target.name].append((alone, many))
    return [_cell([one for one, _ in pairs], [many for _, many in pairs]) for pairs in found.values()]


def _cell(alone: list[Measured], many: list[Measured]) -> str:
    figures = f"{_median(alone, 'p50_ms'):.1f}, {_median(many, 'per_s'):.0f}/s, {_median(many, 'cpu_ms'):.1f}"
    return figures + _errors(alone + many)


def _paced(target: Target) -> str:
    found = asyncio.run(measure(target, "paced", stream=True, clients=64, requests=192))
    return f"{found.tokens_per_s:.0f}{_errors([found])}"


def _median(found: list[Measured], field: str) -> float:
    return statistics.median(getattr(one, field) for one in found)


def _errors(found: list[Measured]) -> str:
    count = sum(one.errors for one in found)
    return f" **{count} errors**" if count else ""


def _start(servers: ExitStack, folder: Path) -> list[Target]:
    model_port, bare_port, our_port = _free_port(), _free_port(), _free_port()
    uvicorn = [sys.executable, "-m", "uvicorn", "--log-level", "error", "--no-access-log"]
    environment = {
        **os.environ,
        "OLLAMA_HOST": f"http://127.0.0.1:{model_port}",
        "DATA_DIR": str(folder / "data"),
        "SERVER_PORT": str(our_port),
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'bench/speed/plugin'}",
    }
    model = servers.enter_context(
        _server([*uvicorn, "bench.speed.model:app", "--port", str(model_port)], environment, model_port)
    )
    bare = servers.enter_context(
        _server([*uvicorn, "bench.speed.bare:app", "--port", str(bare_port)], environment, bare_port)
    )
    agentic = [sys.executable, "-m", "agentic"]
    subprocess.run(
        [*agentic, "users", "add", "bench", "--role", "user"],
        input="measure this\n",
        text=True,
        env=environment,
        check=True,
        capture_output=True,
    )
    key = subprocess.run(
        [*agentic, "keys", "create", "bench", "--name", "b"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    began = time.perf_counter()
    ours = servers.enter_context(_server([*agentic, "serve"], environment, our_port))
    print(
        f"cold start to the first answer: {time.perf_counter() - began:.2f} s; idle memory: {_memory_mb(ours):.0f} MB\n"
    )
    path = "/v1/chat/completions"
    return [
        Target("model server alone", f"http://127.0.0.1:{model_port}/api/chat", {}, model, is_model=True),
        Target("bare", f"http://127.0.0.1:{bare_port}{path}", {}, bare),
        Target("agentic", f"http://127.0.0.1:{our_port}{path}", {"Authorization": f"Bearer {key}"}, ours),
    ]


@contextmanager
def _server(command: list[str], environment: dict[str, str], port: int) -> Iterator[int]:
    """The process id of a server that answers."""
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit("a server ended before it answered")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
