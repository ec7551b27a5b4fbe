"""Programs that run away in the sandbox leave the server, other users and the machine as they were."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic.testing.ollama import Answer, ScriptedOllama, calls, says
from agentic.testing.server import Server, running_server
from tests.http_fixtures import Api, eventually

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts processes and descriptors in /proc")

RUNAWAYS = {
    "endless loop": "while True: pass",
    "fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "full disk": "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(b'x' * 10**7)\n    n += 1",
    "all memory": "kept = []\nwhile True: kept.append(bytearray(10**8))",
    "endless output": "while True: print('x' * 10**6)",
}


def answer(body: dict[str, Any]) -> Answer:
    """A model that runs the program it is sent; plain talk is answered."""
    last = body["messages"][-1]
    if last["role"] == "user" and last["content"] in RUNAWAYS:
        return calls(("python_exec", {"code": RUNAWAYS[last["content"]]}))
    return says("It ended." if last["role"] == "tool" else "Hello!")


@pytest.fixture
def server() -> Iterator[Server]:
    ollama = ScriptedOllama()
    ollama.answer = answer
    env = {"PYTHON_EXEC_TIMEOUT": "2", "PYTHON_EXEC_CPU": "2", "PYTHON_EXEC_DISK_MB": "16"}
    with ollama.running() as url, running_server({"OLLAMA_HOST": url, **env}) as server:
        yield server


def below(pid: int) -> set[int]:
    """All processes that descend from this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def test_runaway_programs_of_one_user_leave_the_others_alone(server: Server) -> None:
    mine, theirs = Api(server, server.add_user("mallory")), Api(server, server.add_user("bob"))
    # The first run makes the runtime, and the sandboxes that wait for the next.
    assert mine.chat("endless loop", model="agentic/react").status_code == 200
    pid = server.process.pid
    time.sleep(3)
    idle, before = len(below(pid)), descriptors(pid)
    assert idle > 0
    seconds: list[float] = []
    done = threading.Event()

    def talk() -> None:
        while not done.is_set():
            began = time.perf_counter()
            assert theirs.chat("hello").json()["choices"][0]["message"]["content"] == "Hello!"
            seconds.append(time.perf_counter() - began)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        for name in RUNAWAYS:
            answered = mine.chat(name, model="agentic/react")
            assert answered.status_code == 200, answered.text
            assert "It ended." in answered.json()["choices"][0]["message"]["content"]
    finally:
        done.set()
        talking.join()
    assert len(seconds) > 20
    assert max(seconds) < 5, "somebody else waited for a program that ran away"
    runs = server.data_dir / "python_exec"
    assert eventually(lambda: len(below(pid)) <= idle, within_s=20), below(pid)
    assert eventually(lambda: descriptors(pid) <= before + 8, within_s=20)
    assert sum(1 for _ in runs.glob("runs-*/*")) <= idle
