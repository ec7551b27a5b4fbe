"""Programs that run away in the sandbox leave the server, other users and the machine as they were."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from agentic.testing.ollama import Answer, ScriptedOllama, calls, says
from agentic.testing.server import Server, running_server
from tests.http_fixtures import Api, eventually

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts processes and descriptors in /proc"),
    # The first program waits until some hundred megabytes of packages are on the disk.
    pytest.mark.timeout(300),
]

PATIENCE_S = 120
STORY = " ".join(f"word{n}" for n in range(40))
RUNAWAYS = {
    "endless loop": "while True: pass",
    "fork bomb": """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
    """,
    "full disk": """
        n = 0
        while True:
            try:
                open(f"f{n}", "wb").write(b"x" * 10**6)
            except OSError:
                pass
            n += 1
    """,
    "all memory": """
        kept = []
        while True:
            try:
                kept.append(bytearray(10**7))
            except MemoryError:
                pass
    """,
    "endless output": """
        while True:
            print("x" * 10**6)
    """,
}


def answer(body: dict[str, Any]) -> Answer:
    """A model that runs the program it is sent, and else tells a story, word by word."""
    last = body["messages"][-1]
    if last["role"] == "user" and last["content"] in RUNAWAYS:
        return calls(("python_exec", {"code": dedent(RUNAWAYS[last["content"]])}))
    return says("It ended.") if last["role"] == "tool" else says(STORY, delay_s=0.002)


@pytest.fixture
def server(data: Path) -> Iterator[Server]:
    # Of its own, since what programs leave in it is counted.
    (data / "python_exec").unlink()
    ollama = ScriptedOllama()
    ollama.answer = answer
    limits = {"PYTHON_EXEC_TIMEOUT": "2", "PYTHON_EXEC_CPU": "2", "PYTHON_EXEC_DISK_MB": "16", "PYTHON_EXEC_WARM": "1"}
    with ollama.running() as url, running_server({"OLLAMA_HOST": url, **limits}, data_dir=data) as server:
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


def at_rest(pid: int) -> set[int]:
    """The processes below this one, once they have been the same for a second."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        before = below(pid)
        time.sleep(1)
        if before and below(pid) == before:
            return before
    raise AssertionError("its processes never come to rest")


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def run_away(server: Server, key: str, name: str) -> str:
    """Let a program run away, and say what its user is told of its end."""
    with Api(server, key) as api:
        api.timeout = PATIENCE_S
        answered = api.chat(name, model="agentic/react")
        assert answered.status_code == 200, answered.text
        assert "It ended." in answered.json()["choices"][0]["message"]["content"]
        [finished] = [event for event in api.run_of(answered) if event["type"] == "tool_call_finished"]
    return str(finished["result"])


class Listener:
    """A user who has one story after another told, and keeps how each came out."""

    def __init__(self, server: Server, key: str) -> None:
        self.stories: list[str] = []
        self._server, self._key = server, key
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _listen(self) -> None:
        with Api(self._server, self._key) as api:
            api.timeout = PATIENCE_S
            while not self._enough.is_set():
                try:
                    streamed = api.chat_stream("hello")
                    self.stories.append(streamed.text if streamed.error is None else str(streamed.error))
                except Exception as error:  # noqa: BLE001 - whatever it is, it is how the story came out
                    self.stories.append(repr(error))


def test_runaway_programs_of_one_user_leave_the_streams_of_others_alone(server: Server, keys: dict[str, str]) -> None:
    mallory, bob, pid = keys["ann"], keys["bob"], server.process.pid
    # The first runs make the runtime, the sandbox that waits for the next, and what storage opens when it is busy.
    with Listener(server, bob), Listener(server, bob):
        run_away(server, mallory, "endless loop")
    idle, before = at_rest(pid), descriptors(pid)
    with Listener(server, bob) as one, Listener(server, bob) as other, ThreadPoolExecutor(len(RUNAWAYS)) as pool:
        ends = dict(zip(RUNAWAYS, pool.map(lambda name: run_away(server, mallory, name), RUNAWAYS), strict=True))
    for name, told in ends.items():
        assert "Ended (" in told, f"{name} has not run away: {told}"
    for stories in (one.stories, other.stories):
        assert set(stories) == {STORY}
        assert len(stories) > len(RUNAWAYS), "streams waited for programs that ran away"
    assert eventually(lambda: len(below(pid)) <= len(idle), within_s=PATIENCE_S), below(pid)
    assert len(at_rest(pid)) == len(idle)
    assert eventually(lambda: descriptors(pid) <= before, within_s=PATIENCE_S)
    assert sum(1 for _ in (server.data_dir / "python_exec").glob("runs-*/*")) <= len(idle)
    assert "Traceback" not in server.stderr
