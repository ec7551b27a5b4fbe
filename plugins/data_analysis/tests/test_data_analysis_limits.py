"""What must not run away, and what must not be left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agentic import ToolError
from agentic.testing.tool import FakeContext
from agentic_data_analysis.settings import Settings
from agentic_data_analysis.tool import MAX_CHARACTERS, Arguments, DataAnalysisTool

LONG = ",".join(f"c{at}" for at in range(4000)) + "\n" + "\n".join(",".join(["1.5"] * 4000) for _ in range(600))
"""Some 10 MB with 2.4 million values."""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
async def tool() -> AsyncIterator[DataAnalysisTool]:
    made = DataAnalysisTool(Settings(data_analysis_timeout=1))
    yield made
    await made.aclose()


async def ask(tool: DataAnalysisTool, data: str = "[1, 2]", **given: Any) -> str:
    return await tool.run(Arguments(data=data, **given), FakeContext())


async def test_runaway_is_stopped_within_the_limit_and_the_next_call_works(tool: DataAnalysisTool) -> None:
    await ask(tool)
    started = time.monotonic()
    with pytest.raises(ToolError, match="did not finish within 1 s"):
        await ask(tool, LONG)
    assert time.monotonic() - started < 10
    assert "2 rows" in await ask(tool)


async def test_event_loop_goes_on_beside_a_long_analysis(tool: DataAnalysisTool) -> None:
    await ask(tool)
    stuck = asyncio.create_task(ask(tool, LONG))
    longest = 0.0
    while not stuck.done():
        started = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - started)
    with pytest.raises(ToolError):
        await stuck
    assert longest < 0.9, "the analysis itself takes a second"


async def test_calls_beyond_the_workers_wait_and_are_told_when_none_gets_free(tool: DataAnalysisTool) -> None:
    await asyncio.gather(ask(tool), ask(tool))
    errors = await asyncio.gather(*(ask(tool, LONG) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, ToolError) for error in errors)
    assert "2 rows" in await ask(tool)


async def test_data_over_the_limit_is_refused(tool: DataAnalysisTool) -> None:
    with pytest.raises(ToolError, match="at most 10000000"):
        await ask(tool, "1" * (MAX_CHARACTERS + 1))


@linux
async def test_memory_blow_up_ends_in_a_clear_error() -> None:
    tool = DataAnalysisTool(Settings(data_analysis_timeout=30, data_analysis_memory_mb=256))
    with pytest.raises(ToolError, match="memory"):
        await ask(tool, "[" + "[]," * 1_500_000 + "[]]")
    assert "2 rows" in await ask(tool)
    await tool.aclose()


async def test_cancelling_a_call_ends_its_worker(tool: DataAnalysisTool) -> None:
    await ask(tool)
    victim = tool.pool.idle_pids[0]
    stuck = asyncio.create_task(ask(tool, LONG))
    await asyncio.sleep(0.2)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    await gone(victim)
    assert "2 rows" in await ask(tool)


async def test_worker_killed_while_idle_is_replaced_unnoticed(tool: DataAnalysisTool) -> None:
    await ask(tool)
    os.kill(tool.pool.idle_pids[0], signal.SIGKILL)
    await asyncio.sleep(0.05)
    assert "2 rows" in await ask(tool)


@linux
async def test_death_of_the_parent_leaves_no_orphan() -> None:
    program = (
        "import asyncio\n"
        "from agentic_data_analysis.settings import Settings\n"
        "from agentic_data_analysis.tool import Arguments, DataAnalysisTool\n"
        "async def go():\n"
        "    tool = DataAnalysisTool(Settings())\n"
        "    await tool.run(Arguments(data='[1]'), None)\n"
        "    print(tool.pool.idle_pids[0], flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(go())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await gone(worker)


@linux
async def test_worker_is_given_no_secret_of_the_environment(
    tool: DataAnalysisTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden-hidden-hidden")
    await ask(tool)
    assert b"hidden" not in environment_of(tool.pool.idle_pids[0])


def test_server_never_imports_pandas() -> None:
    program = (
        "import sys\n"
        "import agentic_data_analysis.tool as t, agentic_data_analysis.settings as s\n"
        "t.DataAnalysisTool(s.Settings()).suggest('mean of [1, 2]')\n"
        "assert not {'pandas', 'numpy', 'jmespath'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


async def test_tool_can_be_closed_twice_and_used_again(tool: DataAnalysisTool) -> None:
    await ask(tool)
    await tool.aclose()
    await tool.aclose()
    assert "2 rows" in await ask(tool)


@pytest.mark.parametrize("values", [{"data_analysis_timeout": 0}, {"data_analysis_memory_mb": 100}])
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def gone(pid: int) -> None:
    for _ in range(60):
        if not runs(pid):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")
