"""The servers that are measured: the scripted model server, the bare one, and this project's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentic.testing.server import free_port
from bench.speed.load import Target, cpu_seconds

ROOT = Path(__file__).parents[2]
START_S = 120.0
UVICORN = [sys.executable, "-m", "uvicorn", "--log-level", "error", "--no-access-log"]
AGENTIC = [sys.executable, "-m", "agentic"]
CHAT = "/v1/chat/completions"
ASKED = json.dumps({"model": "plain", "messages": [{"role": "user", "content": "hi"}]}).encode()


@dataclass(frozen=True, slots=True)
class Started:
    """The three servers.

    ``environment``: what they were started with. ``cold_s``: seconds from this project's start to its first chat
    answer, ``cold_cpu_s`` the CPU time in them, and ``idle_mb`` what it holds before that; ``bare_cold_s``: the bare
    server's seconds.
    """

    targets: list[Target]
    environment: dict[str, str]
    cold_s: float
    cold_cpu_s: float
    idle_mb: float
    bare_cold_s: float


def start(servers: ExitStack, folder: Path) -> Started:
    """Start the three on free ports; ``folder`` takes the data of this project's, which has one user with a key."""
    model_port, bare_port, our_port = free_port(), free_port(), free_port()
    environment = surroundings(folder, model_port, our_port)
    model = servers.enter_context(
        server([*UVICORN, "bench.speed.model:app", "--port", str(model_port)], environment, model_port)
    )
    bare_command = [*UVICORN, "bench.speed.bare:app", "--port", str(bare_port)]
    key = user_with_key(environment)
    # Once for nothing, which compiles what an installation has compiled.
    for command, port in ((bare_command, bare_port), ([*AGENTIC, "serve"], our_port)):
        with server(command, environment, port):
            first_answer(port, key)
    began = time.perf_counter()
    bare = servers.enter_context(server(bare_command, environment, bare_port))
    first_answer(bare_port)
    bare_cold_s = time.perf_counter() - began
    began = time.perf_counter()
    ours = servers.enter_context(server([*AGENTIC, "serve"], environment, our_port))
    idle_mb = memory_mb(ours)
    first_answer(our_port, key)
    cold_s, cold_cpu_s = time.perf_counter() - began, cpu_seconds(ours)
    targets = [
        Target("model server alone", f"http://127.0.0.1:{model_port}/api/chat", {}, model, is_model=True),
        Target("bare", f"http://127.0.0.1:{bare_port}{CHAT}", {}, bare),
        agentic("agentic", our_port, key, ours),
    ]
    return Started(targets, environment, cold_s, cold_cpu_s, idle_mb, bare_cold_s)


def agentic(name: str, port: int, key: str, pid: int) -> Target:
    """This project's server, asked with a key."""
    return Target(name, f"http://127.0.0.1:{port}{CHAT}", {"Authorization": f"Bearer {key}"}, pid)


def surroundings(folder: Path, model_port: int, our_port: int) -> dict[str, str]:
    """The environment of all three: this project's reads its settings there, the bare one where the model is."""
    return {
        **os.environ,
        "OLLAMA_HOST": f"http://127.0.0.1:{model_port}",
        "DATA_DIR": str(folder.resolve() / "data"),
        "SERVER_PORT": str(our_port),
        "LOG_LEVEL": "WARNING",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'bench/speed/plugin'}",
    }


def user_with_key(environment: dict[str, str]) -> str:
    """An API key of a user who is made for it."""
    subprocess.run(
        [*AGENTIC, "users", "add", "bench", "--role", "user"],
        input="measure this\n",
        text=True,
        env=environment,
        check=True,
        capture_output=True,
    )
    made = [*AGENTIC, "keys", "create", "bench", "--name", "b"]
    return subprocess.run(made, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def first_answer(port: int, key: str = "") -> None:
    """Ask one plain question, and wait for its answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{CHAT}", ASKED, headers)
    with urllib.request.urlopen(asked, timeout=START_S) as answer:
        json.load(answer)


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def server(command: list[str], environment: dict[str, str], port: int) -> Iterator[int]:
    """The process id of a server that answers."""
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"a server did not answer within {START_S:.0f} seconds")
        try:
            urllib.request.urlopen(url, timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit("a server ended before it answered")
