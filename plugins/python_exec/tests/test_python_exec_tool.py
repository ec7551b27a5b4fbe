"""The tool as models and users meet it: files, figures, endings, and what it owes as a tool."""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agentic import Json, NotConfigured, Principal, StorageError, ToolError
from agentic.testing.tool import FakeContext, ToolConformance, call
from agentic_python_exec.backends import impossible
from agentic_python_exec.pool import Pool
from agentic_python_exec.runtime import Runtime
from agentic_python_exec.settings import Settings
from agentic_python_exec.tool import PythonExec, made


@pytest.fixture
async def tool(runtime: Runtime, data_dir: Path) -> AsyncIterator[PythonExec]:
    tool = PythonExec(Settings(python_exec_timeout=6, python_exec_warm=1), data_dir)
    yield tool
    await tool.aclose()


@pytest.fixture
async def light(runtime: Runtime, data_dir: Path) -> AsyncIterator[PythonExec]:
    """The tool over sandboxes that import nothing beforehand: quick to start."""
    settings = Settings(python_exec_timeout=3, python_exec_cpu=1, python_exec_disk_mb=8, python_exec_warm=0)
    tool = PythonExec(settings, data_dir)
    tool.pool = Pool(settings, data_dir, preload=())
    yield tool
    await tool.aclose()


class TestPythonExec(ToolConformance):
    @pytest.fixture
    async def tool(self, runtime: Runtime, data_dir: Path) -> AsyncIterator[PythonExec]:
        tool = PythonExec(Settings(python_exec_timeout=5, python_exec_warm=0), data_dir)
        tool.pool = Pool(Settings(python_exec_timeout=5, python_exec_warm=0), data_dir, preload=())
        yield tool
        await tool.aclose()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [{"code": "print(6 * 7)"}, {"code": "open('x.txt', 'w').write('x')"}]


ENDINGS = [
    ("while True: pass", r"Ended \(cpu\): it used more than 1 s of processor time\."),
    ("import time; time.sleep(9)", r"Ended \(timeout\): it ran longer than 3 s\."),
    ("x = bytearray(2**33)", r"MemoryError[\s\S]*Ended \(memory\): it needed more than 1536 MB\."),
    ("open('x', 'wb').write(bytes(2**24))", r"Ended \(disk\): it wrote more than 8 MB"),
    ("while True: print('x' * 100)", r"Ended \(output\): it printed more than 200 kB\."),
    ("import ctypes; ctypes.string_at(0)", r"Ended \(crash\): the interpreter died of signal 11\."),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"Ended \(killed\)"),
    ("raise SystemExit(3)", r"^Exit code 3\.$"),
    ("raise SystemExit('no')", r"^Errors:\nno$"),
    ("1 +", r'File "program\.py", line 1\n    1 \+\n +\^\nSyntaxError: invalid syntax'),
    ("def f():\n    return g()\nf()", r"line 3, in <module>\n    f\(\)\n[\s\S]*NameError: name 'g' is not defined"),
    ("import json\njson.loads('x')", r'File "python/json/__init__\.py"[\s\S]*JSONDecodeError'),
    ("input('name? ')", r"EOFError"),
]


@pytest.mark.parametrize(("code", "told"), ENDINGS)
async def test_why_it_ended_is_told(light: PythonExec, code: str, told: str) -> None:
    result = await call(light, {"code": code})
    assert result.error
    assert re.search(told, result.content), result.content
    assert "/tmp" not in result.content and "runtime-" not in result.content and "/sandbox" not in result.content


async def test_output_before_a_sudden_end_is_kept(light: PythonExec) -> None:
    result = await call(light, {"code": "print('before')\nimport os; os._exit(4)"})
    assert result.content == "before\n\nExit code 4."


async def test_last_expression_is_echoed_and_none_is_not(light: PythonExec) -> None:
    assert (await call(light, {"code": "x = 6\nx * 7"})).content == "42"
    assert (await call(light, {"code": "print('x')"})).content == "x"
    assert (await call(light, {"code": "x = 1"})).content.startswith("The program ended without any output")


ENDS = [
    ("f = open('a.txt', 'w'); f.write('abc')\nNone", "Files made or changed: a.txt (3 bytes)"),
    (
        "f = open('a.txt', 'w'); f.write('abc')\nraise SystemExit(3)",
        "Exit code 3.\n\nFiles made or changed: a.txt (3 bytes)",
    ),
    ("import atexit; atexit.register(print, 'bye'); None", "bye"),
    ("import time\nclass A:\n    def __del__(self): print('gone', time.time() > 0)\na = A()", "gone True"),
    (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
        "print(pool.submit(pow, 2, 3).result())",
        "8",
    ),
    (
        "import threading, time\nx = 3\ndef late(): time.sleep(0.1); print(x)\nthreading.Thread(target=late).start()",
        "3",
    ),
    ("import sys\nsys.modules['__main__'] = None\nprint(1)", "1"),
    ("def f(x: int): pass\nprint(f.__annotations__)", "{'x': <class 'int'>}"),
]


@pytest.mark.parametrize(("code", "told"), ENDS)
async def test_end_of_a_program_is_as_python_ends_one(light: PythonExec, code: str, told: str) -> None:
    """Open files are written, what was registered for the end is done, and idle pools of threads hold up nothing."""
    assert (await call(light, {"code": code})).content == told


async def test_long_output_is_cut_in_the_middle_with_a_note(light: PythonExec) -> None:
    content = (await call(light, {"code": "print('a' * 9000); print('z' * 9000)"})).content
    assert content.startswith("aaa") and content.endswith("zzz")
    assert "[… 6,001 characters left out …]" in content
    assert len(content) < 12_100


async def test_odd_text_comes_through(light: PythonExec) -> None:
    code = "import os, sys\nprint('né 日本 \\u2028')\nprint('\\udc80')\nos.write(1, b'\\xff\\xfe')"
    content = (await call(light, {"code": code})).content
    assert "né 日本" in content and "\\udc80" in content
    content.encode("utf-8")


async def test_files_stay_for_the_conversation_and_variables_do_not(light: PythonExec) -> None:
    context, other = FakeContext(), FakeContext()
    first = await call(light, {"code": "x = 1\nopen('a.txt', 'w').write('one')\nimport os; os.mkdir('d')\n"
                                       "open('d/b.txt', 'w').write('two'); None"}, context)  # fmt: skip
    assert first.content == "Files made or changed: a.txt (3 bytes), d/b.txt (3 bytes)"
    assert [(name, data) for name, _, data in context.files] == [("a.txt", b"one"), ("b.txt", b"two")]
    second = await call(
        light,
        {
            "code": "print(open('a.txt').read(), open('d/b.txt').read(), 'x' in globals())\n"
            "import os; os.remove('a.txt'); open('d/b.txt', 'a').write('!'); None"
        },
        context,
    )
    assert second.content == (
        "one two False\n\nFiles made or changed: d/b.txt (4 bytes)\n\nFiles removed: a.txt"
    )  # fmt: skip
    third = await call(light, {"code": "import os; print(os.listdir(), open('d/b.txt').read())"}, context)
    assert third.content == "['d'] two!"
    assert (await call(light, {"code": "import os; os.listdir()"}, other)).content == "[]"


async def test_file_that_is_only_read_is_not_offered_again(light: PythonExec) -> None:
    context = FakeContext()
    await call(light, {"code": "open('a.txt', 'w').write('one')"}, context)
    await call(light, {"code": "open('a.txt').read()"}, context)
    assert len(context.files) == 1


async def test_too_many_or_too_large_files_are_told(light: PythonExec) -> None:
    context = FakeContext()
    many = await call(light, {"code": "for n in range(40): open(f'{n:02}.txt', 'w').close()"}, context)
    assert "(too many, too large, or misnamed): 32.txt, 33.txt" in many.content
    assert len(context.files) == 32
    more = await call(light, {"code": "open('more.txt', 'w').close()"}, context)
    assert "Not kept for the next call (a conversation keeps at most 32 files and 4 MB): more.txt" in more.content
    assert context.files[-1][0] == "more.txt", "the user gets it all the same"
    assert len(await context.conversation.blobs.list("files/")) == 32


async def test_conversation_keeps_no_more_bytes_than_a_program_can_be_given(runtime: Runtime, data_dir: Path) -> None:
    settings = Settings(python_exec_warm=0)
    tool = PythonExec(settings, data_dir)
    tool.pool = Pool(settings, data_dir, preload=())
    context = FakeContext()
    for name in ("a", "b"):
        result = await call(tool, {"code": f"open('{name}', 'wb').write(bytes(20_000_000)); None"}, context)
    assert "Not kept for the next call" in result.content
    large = await call(tool, {"code": "open('c', 'wb').write(bytes(40_000_000)); None"}, context)
    assert "misnamed): c" in large.content
    await tool.aclose()


async def test_folder_in_the_place_of_a_file_spoils_no_later_call(light: PythonExec) -> None:
    context = FakeContext()
    await call(light, {"code": "open('a', 'w').write('file')"}, context)
    moved = await call(
        light, {"code": "import os; os.remove('a'); os.mkdir('a'); open('a/b', 'w').write('x'); None"}, context
    )
    assert moved.content == "Files made or changed: a/b (1 bytes)\n\nFiles removed: a"
    assert (await call(light, {"code": "open('a/b').read()"}, context)).content == "'x'"


async def test_what_calls_side_by_side_have_kept_too_much_or_at_odds_spoils_no_later_call(light: PythonExec) -> None:
    context = FakeContext()
    blobs = context.conversation.blobs

    async def content(size: int) -> AsyncIterator[bytes]:
        yield b"x" * size

    for name, size in (("a", 1), ("a/b", 1), ("c", 3_000_000), ("d", 3_000_000), ("e", 1)):
        await blobs.put(f"files/{name}", content(size))
    result = await call(light, {"code": "import os; print(sorted(os.listdir()))"}, context)
    assert result.content == (
        "['a', 'c', 'e']\n\nNot at hand for this program (a program gets at most 32 files and 4 MB, and no file in the "
        "place of a folder): a/b, d"
    )
    more = await call(light, {"code": "open('f', 'wb').write(bytes(2_000_000)); None"}, context)
    assert "Not kept for the next call" in more.content, "what it did not get counts too"


async def test_hidden_and_misnamed_files_are_not_taken_over(light: PythonExec) -> None:
    context = FakeContext()
    code = """
import os
for name in ('.hidden', 'line\\nbreak', 'tab\\t', 'back\\\\slash', 'x' * 210, ' space', b'\\xff'):
    open(name, 'w').close()
os.makedirs('/'.join('d' * 9)); open('/'.join('d' * 9) + '/deep', 'w').close()
open('good.txt', 'w').close()
"""
    result = await call(light, {"code": code}, context)
    assert [name for name, _, _ in context.files] == ["good.txt"]
    assert [blob.key for blob in await context.conversation.blobs.list("")] == ["files/good.txt"]
    assert "misnamed" in result.content
    result.content.encode("utf-8")


async def test_figures_come_as_png_without_being_saved(tool: PythonExec) -> None:
    context = FakeContext()
    code = """
import matplotlib.pyplot as plt, numpy as np, pandas as pd
plt.plot([1, 2, 3]); plt.title('Ünï'); plt.show()
pd.DataFrame({'a': [1, 2]}).plot()
figure, axes = plt.subplots(); axes.bar([1], [2]); figure.savefig('own.png')
plt.figure()
plt.plot([1])
"""
    result = await call(tool, {"code": code}, context)
    assert not result.error and "Errors" not in result.content
    assert "own.png" in result.content and "figure_1.png" in result.content and "Line2D" not in result.content
    assert sorted(name for name, _, _ in context.files) == ["figure_1.png", "figure_2.png", "figure_3.png", "own.png"]
    for _, media_type, data in context.files:
        assert media_type == "image/png"
        width, height = struct.unpack(">II", data[16:24])
        assert data.startswith(b"\x89PNG") and (width, height) == (640, 480)
    assert [blob.key for blob in await context.conversation.blobs.list("")] == ["files/own.png"]


async def test_figure_that_cannot_be_drawn_takes_no_other_with_it(tool: PythonExec) -> None:
    context = FakeContext()
    code = "import matplotlib.pyplot as plt\nplt.plot([1]); plt.title('$\\\\frac$')\nplt.figure(); plt.plot([2])"
    result = await call(tool, {"code": code}, context)
    assert result.error and "Expected \\frac" in result.content
    assert "figure_1.png" in [name for name, _, _ in context.files]


async def test_preloaded_packages_are_at_hand_at_once(tool: PythonExec) -> None:
    await call(tool, {"code": "1"})
    while not tool.pool.idle_pids:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    code = "import sys; {'numpy', 'pandas', 'matplotlib.pyplot'} <= set(sys.modules)"
    assert (await call(tool, {"code": code})).content == "True"


async def test_first_call_says_that_it_prepares(tool: PythonExec) -> None:
    first, second = FakeContext(), FakeContext()
    await call(tool, {"code": "1"}, first)
    await call(tool, {"code": "1"}, second)
    assert "Preparing" in first.told[0][0]
    assert second.told == []


async def test_storage_that_fails_is_told_and_the_output_kept(
    light: PythonExec, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext()

    async def fails(*_: Any, **__: Any) -> Any:
        raise StorageError("No store of files is installed.")

    monkeypatch.setattr(context.conversation.blobs, "put", fails)
    result = await call(light, {"code": "print(1); open('a', 'w').close()"}, context)
    assert result.content.startswith("1\n")
    assert "Not all files could be kept: No store of files is installed." in result.content
    monkeypatch.setattr(context.conversation.blobs, "list", fails)
    assert "earlier calls could not be read" in (await call(light, {"code": "print(1)"}, context)).content


async def test_user_of_many_programs_keeps_no_other_waiting_for_all_of_them(runtime: Runtime, data_dir: Path) -> None:
    settings = Settings(python_exec_parallel=1, python_exec_warm=0)
    tool = PythonExec(settings, data_dir)
    tool.pool = Pool(settings, data_dir, preload=())
    await tool.pool.choice()
    ended: list[str] = []

    async def run(user: str) -> None:
        await call(tool, {"code": "1"}, FakeContext(principal=Principal(user, user)))
        ended.append(user)

    running = []
    for user in ("ann", "ann", "ann", "bob"):
        running.append(asyncio.create_task(run(user)))
        # Each in the queue before the next one comes.
        await asyncio.sleep(0.01)
    await asyncio.gather(*running)
    await tool.aclose()
    assert ended.index("bob") == 1


async def test_check_tells_the_back_end(light: PythonExec) -> None:
    assert re.match(r"(bubblewrap, )?Landlock and seccomp", await light.check())


async def test_check_without_a_back_end_tells_the_fix(runtime: Runtime, data_dir: Path) -> None:
    tool = PythonExec(Settings(python_exec_backend="bwrap", python_exec_bwrap="/nowhere/bwrap"), data_dir)
    with pytest.raises(ToolError, match=r"/nowhere/bwrap.*apt-get install bubblewrap"):
        await tool.check()
    await tool.aclose()


async def test_unsafe_is_never_chosen_by_itself_and_warned_of_at_each_start(
    runtime: Runtime, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tool = PythonExec(Settings(python_exec_backend="unsafe", python_exec_warm=0), data_dir)
    assert "rights of this server, unconfined" in caplog.text
    assert "PYTHON_EXEC_BACKEND=unsafe" in await tool.check()
    assert (await call(tool, {"code": "print(1)"})).content == "1"
    await tool.aclose()


async def test_log_tells_how_it_went_and_nothing_of_the_program(
    light: PythonExec, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await call(light, {"code": "print('my secret'); open('private.txt', 'w').close(); 1 / 0"})
    assert "Run: error" in caplog.text
    assert "secret" not in caplog.text and "private" not in caplog.text and "ZeroDivision" not in caplog.text


def test_machine_without_any_sandbox_is_told_at_the_start(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    offered = made(Settings(), data_dir)
    assert isinstance(offered, NotConfigured) and "Linux" in offered.fix
    assert isinstance(made(Settings(python_exec_backend="unsafe"), data_dir), PythonExec)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in impossible()


@pytest.mark.parametrize(
    "values",
    [
        {"python_exec_backend": "none"},
        {"python_exec_timeout": 0},
        {"python_exec_memory_mb": 1},
        {"python_exec_parallel": 0},
        {"python_exec_warm": -1},
        {"python_exec_disk_mb": 1},
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)
