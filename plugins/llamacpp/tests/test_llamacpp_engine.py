"""The child process: every way in which it can fail to start, and every way in which it must end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from agentic import ModelUnavailable
from agentic_llamacpp.engine import Engine
from agentic_llamacpp.release import SMOLLM2

MODEL = Path("/models/tiny.gguf")


async def refused(script: str, start_limit_s: float = 10) -> str:
    engine = Engine((sys.executable, "-c", script), start_limit_s)
    with pytest.raises(ModelUnavailable) as error:
        await engine.endpoint(MODEL)
    assert engine.pid is None
    await engine.aclose()
    return error.value.message


async def pid_of(engine: Engine) -> int:
    """The child's process id, as soon as there is one."""
    for _ in range(500):
        if engine.pid is not None:
            return engine.pid
        await asyncio.sleep(0.01)
    raise AssertionError("no child was started")


async def test_a_child_that_ends_at_once_is_told_with_its_last_words() -> None:
    told = await refused("import sys; sys.exit('GGML_ASSERT failed')")
    assert "ended with exit code 1 (GGML_ASSERT failed)" in told
    assert "pip install --force-reinstall" in told


async def test_a_child_that_complains_without_a_line_break_is_told_by_its_last_words() -> None:
    told = await refused("import sys; sys.stderr.write('one\\n' + 'x' * 300_000 + 'GGML_ASSERT failed'); sys.exit(1)")
    assert "xxx" in told
    assert "GGML_ASSERT failed)" in told
    assert len(told) < 1000


async def test_a_child_killed_for_want_of_memory_is_told() -> None:
    assert "want of memory" in await refused("import os; os.kill(os.getpid(), 9)")


async def test_an_old_processor_is_told() -> None:
    assert "AVX2" in await refused("import os, signal; os.kill(os.getpid(), signal.SIGILL)")


async def test_a_child_that_never_gets_ready_is_ended() -> None:
    assert "not ready after 0.3 s" in await refused("import time; time.sleep(60)", 0.3)


async def test_first_words_that_make_no_sense_are_told() -> None:
    assert "no JSON" in await refused("print('hello', flush=True); input(); input()")


async def test_a_missing_system_library_is_told_with_its_package() -> None:
    words = '{"error": "ImportError: libgomp.so.1: cannot open shared object file"}'
    assert "apt-get install libgomp1" in await refused(f"input(); print({words!r}, flush=True); input()")


async def test_a_missing_engine_is_told_with_the_fix() -> None:
    words = '{"error": "ModuleNotFoundError: No module named \'xllamacpp\'"}'
    told = await refused(f"input(); print({words!r}, flush=True); input()")
    assert "No module named 'xllamacpp'" in told
    assert "pip install --force-reinstall" in told


async def test_a_python_that_cannot_be_started_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="cannot be started"):
        await Engine(("/no/such/python",)).endpoint(MODEL)


async def test_a_broken_gguf_is_told_by_the_real_engine(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing more")
    engine = Engine()
    with pytest.raises(ModelUnavailable, match=r"cannot load .*broken\.gguf.*AGENTIC_MODEL_FILE"):
        await engine.endpoint(broken)
    await engine.aclose()


async def test_a_start_that_is_cancelled_leaves_no_child() -> None:
    engine = Engine((sys.executable, "-c", "import time; time.sleep(60)"))
    starting = asyncio.create_task(engine.endpoint(MODEL))
    pid = await pid_of(engine)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not alive(pid)


async def test_closing_in_mid_start_ends_the_child() -> None:
    engine = Engine((sys.executable, "-c", "import time; time.sleep(60)"))
    starting = asyncio.create_task(engine.endpoint(MODEL))
    pid = await pid_of(engine)
    await engine.aclose()
    with pytest.raises(ModelUnavailable):
        await starting
    assert not alive(pid)
    with pytest.raises(ModelUnavailable, match="shut down"):
        await engine.endpoint(MODEL)


async def test_strangers_get_no_answer(models_folder: Path) -> None:
    engine = Engine()
    endpoint = await engine.endpoint(models_folder / SMOLLM2.file_name)
    assert endpoint.url.startswith("http://127.0.0.1:")
    body = {"messages": [{"role": "user", "content": "hi"}]}
    async with httpx.AsyncClient(base_url=endpoint.url, headers={"Origin": "http://evil.example"}) as client:
        answer = await client.post("/v1/chat/completions", json=body)
        page = await client.get("/", headers={"Authorization": f"Bearer {endpoint.api_key}"})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == ""
    assert page.status_code == 404
    pid = engine.pid
    await engine.aclose()
    assert pid is not None
    assert not alive(pid)


PARENT = """
import asyncio, os, sys, time
from pathlib import Path
from agentic_llamacpp.engine import Engine

async def main():
    engine = Engine()
    await engine.endpoint(Path(sys.argv[1]))
    if sys.argv[2] == "fork" and os.fork() == 0:
        time.sleep(5)
        os._exit(0)
    print(engine.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_the_child_ends_when_its_parent_is_killed(models_folder: Path, how: str) -> None:
    """``fork``: another child of the parent holds the lifeline open."""
    command = [sys.executable, "-c", PARENT, str(models_folder / SMOLLM2.file_name), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 4
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(pid)
        parent.stdout.close()


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text() if Path("/proc").exists() else True
