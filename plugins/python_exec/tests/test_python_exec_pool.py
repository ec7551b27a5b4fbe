"""Many programs at once and one after the other: nothing blocks, is left behind, or outlives the server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agentic import ToolError
from agentic_python_exec.backends import Start
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome, Request
from agentic_python_exec.pool import Pool
from agentic_python_exec.runtime import Runtime
from agentic_python_exec.sandbox import Sandbox, Spawner
from agentic_python_exec.settings import Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(python_exec_timeout=5, python_exec_warm=1)


@pytest.fixture
async def pool(runtime: Runtime, data_dir: Path, settings: Settings) -> AsyncIterator[Pool]:
    made = Pool(settings, data_dir, preload=())
    yield made
    await made.aclose()


async def say(pool: Pool, code: str) -> Outcome:
    return await pool.run(Request(code))


async def until_ready(pool: Pool, count: int) -> None:
    while len(pool.idle_pids) < count:  # noqa: ASYNC110 - nothing tells when a sandbox is ready
        await asyncio.sleep(0.02)


async def test_no_back_end_is_a_refusal_with_every_reason_and_the_fix(runtime: Runtime, data_dir: Path) -> None:
    pool = Pool(Settings(python_exec_backend="bwrap", python_exec_bwrap="/bin/false"), data_dir)
    with pytest.raises(ToolError, match=r"no sandbox that holds .*/bin/false.*it ended.*Landlock.*apt-get install"):
        await say(pool, "print(1)")
    with pytest.raises(ToolError, match="no sandbox that holds"):
        await pool.choice()
    await pool.aclose()


def test_last_words_of_a_sandbox_that_ended_before_it_was_told_anything_are_given(
    spawner: Spawner,
) -> None:
    class Late(Spawner):
        def start(self, start: Start) -> subprocess.Popen[bytes]:
            started = spawner.start(start)
            started.wait()
            return started

    start = Start(["/bin/sh", "-c", "echo no namespaces here >&2; exit 1"], {}, {"root": "", "path": ["/x"]}, None)
    sandbox = Sandbox(Late(), start, Limits())
    with pytest.raises(ToolError, match="it ended: no namespaces here"):
        sandbox.wait_until_ready()
    sandbox.end()


async def test_bubblewrap_that_confines_nothing_is_refused_and_never_used(
    runtime: Runtime, data_dir: Path, tmp_path: Path
) -> None:
    """One that just runs its command: the keeper finds no such place as it was promised."""
    fake = tmp_path / "bwrap"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != "--" ]; do shift; done\nshift\nexec "$@"\n')
    fake.chmod(0o755)
    pool = Pool(Settings(python_exec_backend="bwrap", python_exec_bwrap=str(fake)), data_dir)
    with pytest.raises(ToolError, match="no sandbox that holds"):
        await say(pool, "print(1)")
    await pool.aclose()


async def test_next_best_back_end_is_used_and_the_better_one_s_fault_told(runtime: Runtime, data_dir: Path) -> None:
    pool = Pool(Settings(python_exec_bwrap="/bin/false", python_exec_warm=0), data_dir, preload=())
    chosen = await pool.choice()
    assert chosen.backend.kind == "native"
    assert "not bubblewrap" in chosen.report and "/bin/false" in chosen.report
    assert (await say(pool, "print(1)")).output == "1\n"
    await pool.aclose()


async def test_sandbox_killed_while_idle_is_replaced_unnoticed(pool: Pool) -> None:
    await say(pool, "1")
    await until_ready(pool, 1)
    os.kill(pool.idle_pids[0], signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert (await say(pool, "print(1)")).output == "1\n"


async def test_sandbox_killed_in_mid_run_is_told_and_the_next_works(
    pool: Pool, descendants: Callable[[int], set[int]]
) -> None:
    await say(pool, "1")
    await until_ready(pool, 1)
    victim = pool.idle_pids[0]
    running = asyncio.create_task(say(pool, "import time; time.sleep(60)"))
    await asyncio.sleep(0.3)
    os.kill(victim, signal.SIGKILL)
    assert (await running).reason == "killed"
    assert (await say(pool, "print(1)")).output == "1\n"


async def test_cancelled_call_ends_its_program(
    pool: Pool, descendants: Callable[[int], set[int]], gone: Callable[[set[int]], None]
) -> None:
    others = descendants(os.getpid())
    await say(pool, "1")
    await until_ready(pool, 1)
    running = asyncio.create_task(say(pool, "import time; time.sleep(60)"))
    await asyncio.sleep(0.3)
    inside = descendants(os.getpid()) - others
    assert inside
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await pool.aclose()
    await asyncio.to_thread(gone, inside)


async def test_calls_cancelled_at_any_moment_leave_nothing(
    pool: Pool, descendants: Callable[[int], set[int]], gone: Callable[[set[int]], None]
) -> None:
    others = descendants(os.getpid())
    await pool.choice()
    for delay in (0, 0.001, 0.01, 0.03, 0.06, 0.1):
        running = asyncio.create_task(say(pool, "import time; time.sleep(9)"))
        await asyncio.sleep(delay)
        running.cancel()
        await asyncio.wait([running])
    assert (await say(pool, "print(1)")).output == "1\n"
    below = descendants(os.getpid()) - others
    await pool.aclose()
    await asyncio.to_thread(gone, below)


async def test_event_loop_turns_while_programs_start_run_and_end(pool: Pool) -> None:
    await pool.choice()
    turns, done = 0, asyncio.Event()

    async def watch() -> None:
        nonlocal turns
        while not done.is_set():
            await asyncio.sleep(0.005)
            turns += 1

    watching = asyncio.create_task(watch())
    big = "open('x.bin', 'wb').write(bytes(20_000_000)); print('x' * 150_000)"
    await asyncio.gather(*(say(pool, code) for code in ("while True: pass", big, "print(1)", big)))
    done.set()
    await watching
    # The endless one has run for its five seconds, in which an idle machine turns the loop a thousand times.
    assert turns > 50


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("backend", "runs"), [("auto", 200), ("native", 40)])
async def test_many_runs_leave_no_process_no_folder_and_no_descriptor(
    runtime: Runtime, data_dir: Path, backend: str, runs: int
) -> None:
    """In a process of its own, in which nothing else opens files, starts processes or ends them."""
    arguments = (str(Path(__file__).with_name("python_exec_many.py")), str(data_dir), backend, str(runs))
    done = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    told, errors = await done.communicate()
    assert done.returncode == 0, errors.decode()
    seen = json.loads(told)
    assert seen["endings"] == [["done", "1\n"]]
    assert abs(seen["files_after"] - seen["files_before"]) <= 3
    assert seen["threads_after"] <= seen["threads_before"] + 8
    assert seen["processes_after"] <= seen["processes_before"] <= 8
    assert seen["processes_closed"] == 0
    left = {path.name.partition("-")[0] for path in (data_dir / "python_exec").iterdir()}
    assert left <= {"runtime", "runtime.lock"}


@pytest.mark.parametrize("backend", ["auto", "native"])
async def test_kill_of_the_server_leaves_no_sandbox(
    runtime: Runtime,
    data_dir: Path,
    descendants: Callable[[int], set[int]],
    gone: Callable[[set[int]], None],
    backend: str,
) -> None:
    program = f"""
import asyncio
from pathlib import Path
from agentic_python_exec.outcome import Request
from agentic_python_exec.pool import Pool
from agentic_python_exec.settings import Settings
async def go():
    pool = Pool(Settings(python_exec_backend={backend!r}, python_exec_warm=2), Path({str(data_dir)!r}), preload=())
    await pool.run(Request("1"))
    while len(pool.idle_pids) < 2: await asyncio.sleep(0.02)
    asyncio.create_task(pool.run(Request("import time; time.sleep(60)")))
    await asyncio.sleep(0.3)
    print("running", flush=True)
    await asyncio.sleep(60)
asyncio.run(go())
"""
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert await server.stdout.readline() == b"running\n"
    below = descendants(server.pid)
    assert len(below) >= 3
    server.send_signal(signal.SIGKILL)
    await server.wait()
    await asyncio.to_thread(gone, below)
    # Folders of a server that was killed go with the start of the next.
    pool = Pool(Settings(python_exec_backend="native", python_exec_warm=0), data_dir, preload=())
    await pool.choice()
    assert len(list((data_dir / "python_exec").glob("runs-*"))) == 1
    await pool.aclose()


def test_sandbox_started_from_a_passing_thread_outlives_it(bench: Any) -> None:
    """The kernel ends a child when the thread that started it ends."""
    started: list[Any] = []
    thread = threading.Thread(target=lambda: started.append(bench.start()))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert started[0].alive
    assert started[0].run(Request("print(1)"), 100_000).output == "1\n"
    started[0].end()


def test_processes_of_a_sandbox_have_nothing_of_the_server_s_environment(
    bench: Any, descendants: Callable[[int], set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden-hidden")
    sandbox = bench.start()
    pids = {sandbox.pid} | descendants(sandbox.pid)
    seen = [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids if os.access(f"/proc/{pid}/environ", os.R_OK)]
    sandbox.end()
    # To any user but root the processes are closed altogether.
    assert seen or os.geteuid() != 0
    assert not any(b"hidden" in environment for environment in seen)


def test_end_of_a_sandbox_ends_every_process_in_it(
    bench: Any, descendants: Callable[[int], set[int]], gone: Callable[[set[int]], None]
) -> None:
    sandbox = bench.start()
    ended: list[str] = []

    def run() -> None:
        try:
            sandbox.run(Request("while True: pass"), 100_000)
        except ToolError as error:
            ended.append(error.message)

    running = threading.Thread(target=run)
    running.start()
    time.sleep(0.3)
    inside = descendants(sandbox.pid) | {sandbox.pid}
    assert len(inside) >= 2
    sandbox.kill()
    gone(inside)
    running.join()
    sandbox.end()
    assert len(ended) == 1


async def test_warm_sandbox_has_everything_imported_before_its_program_comes(runtime: Runtime, data_dir: Path) -> None:
    pool = Pool(Settings(python_exec_warm=1), data_dir)
    await say(pool, "1")
    await until_ready(pool, 1)
    [waiting] = pool.idle_pids
    loaded = "import sys; print([name in sys.modules for name in ('numpy', 'pandas', 'matplotlib.pyplot')])"
    assert (await say(pool, loaded)).output == "[True, True, True]\n"
    assert waiting not in pool.idle_pids, "it was the one that waited, and none is used twice"
    await pool.aclose()


async def test_pool_can_be_closed_twice_and_before_its_first_use(data_dir: Path) -> None:
    pool = Pool(Settings(), data_dir)
    await pool.aclose()
    await pool.aclose()
