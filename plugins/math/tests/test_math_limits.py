"""What must not get through, and what must not run away."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from agentic import ToolError, ToolRetry
from agentic.testing.tool import FakeContext
from agentic_math.settings import Settings
from agentic_math.tool import Arguments, MathTool

LONG = "factorint(2^401 - 3*5^40)"
"""Takes far longer than any limit here, and passes every check made beforehand."""
LONG_IN_C = "is_prime(3^200004 + 2)"
"""One call into C that lasts for hours and never lets Python run in between."""
IMPOSSIBLE = "9**9**9 9**9**9**9 2**(10**9) factorial(10**7) (10**7)! 10^(10^100) 1/0 fibonacci(10^12)".split()


@pytest.fixture
async def tool() -> AsyncIterator[MathTool]:
    made = MathTool(Settings(math_timeout=2))
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def loose_compute() -> Callable[[str], dict[str, str]]:
    from agentic_math.worker import compute

    def said(expression: str) -> dict[str, str]:
        try:
            return {"answer": compute(expression)}
        except ToolRetry as error:
            return {"retry": error.message}
        except ToolError as error:
            return {"error": error.message}

    return said


async def ask(tool: MathTool, expression: str) -> str:
    return await tool.run(Arguments(expression=expression), FakeContext())


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('x')",
        "__import__",
        "().__class__.__bases__[0].__subclasses__()",
        "(1).__class__",
        "x.y",
        "sqrt.__globals__",
        "lambda x: x",
        "lambda",
        "[x for x in y]",
        "{1: 2}",
        "'a' * 3",
        '"os"',
        "f'{1}'",
        "eval(1)",
        "exec(1)",
        "open(x)",
        "getattr(x, y)",
        "compile(x)",
        "globals()",
        "breakpoint()",
        "Symbol(x)",
        "sympify(x)",
        "lambdify(x, x)",
        "parse_expr(x)",
        "print(2)",
        "import os",
        "import",
        "x if y else z",
        "x := 5",
        "solve(x, evaluate=False) or 1",
        "diff(x, **x)",
        "max(*[1, 2])",
        "f(1, 2)",
        "_",
        "_x + 1",
        "x__class__",
        "x; import os",
        "x\n__import__('os')",
        "\\frac{1}{2}",
        "`ls`",
        "$(ls)",
        "1 + \x00",
        "",
        "   ",
        "()",
        "[]",
        "(2+3",
        "2+3)",
        "17*",
        "*17",
        "3 4",
        "1 < x < 3",
        "sqrt()",
        "sqrt(1, 2, 3)",
        "det 5",
        "det(5)",
        "det([[1, 2, 3], [4, 5, 6]])",
        "Matrix([[1, 2], [3]])",
        "[[1, 2]] * [[1, 2]]",
        "convert 5 km to kg",
        "3 km + 5",
        "5 USD to EUR",
        "diff(x, 5.5)",
        "integrate(x*y)",
        "hello",
        "x" * 3000,
        "(" * 500 + "1" + ")" * 500,
        "-" * 1000 + "1",
        "1+" * 900 + "1",
        "1e999999999",
    ],
)
def test_input_that_is_no_mathematics_is_refused_with_a_reason(
    attack: str, loose_compute: Callable[[str], dict[str, str]]
) -> None:
    said = loose_compute(attack)
    assert "answer" not in said
    assert len(said.get("retry") or said["error"]) > 20


def test_refusal_shows_where_and_what_works(loose_compute: Callable[[str], dict[str, str]]) -> None:
    message = loose_compute("2 + (3).real")["retry"]
    assert "(3).real" in message
    assert "17*23" in message


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("17 * / 23", "near `17 * / 23`, from `/ 23` on: '/' stands where a value should"),
        ("2 ** ** 3", "near `2 ** ** 3`, from `** 3` on: '**' stands"),
        ("3 3 +", "near `3 3 +`, from `3 +` on: two numbers stand side by side"),
        ("(2 + 3", "near `(2 + 3`: ')' is missing"),
        ("*17", "near `*17`: '*' stands"),
    ],
)
def test_refusal_shows_where_the_fault_begins(
    expression: str, told: str, loose_compute: Callable[[str], dict[str, str]]
) -> None:
    assert told in loose_compute(expression)["retry"]


def test_misspelt_function_is_told_the_right_one(loose_compute: Callable[[str], dict[str, str]]) -> None:
    assert "integrate" in loose_compute("integrte(x^2, x)")["retry"]


async def test_impossible_sizes_end_in_a_clear_error_at_once(tool: MathTool) -> None:
    await ask(tool, "1+1")
    [worker] = tool.pool.idle_pids
    for expression in IMPOSSIBLE:
        with pytest.raises(ToolError) as caught:
            await ask(tool, expression)
        assert not isinstance(caught.value, ToolRetry), expression
        # One that takes too long is ended with its worker.
        assert tool.pool.idle_pids == (worker,), f"{expression}: {caught.value}"


async def test_runaway_is_stopped_within_the_limit_and_the_next_call_works(tool: MathTool) -> None:
    await ask(tool, "1+1")
    started = time.monotonic()
    with pytest.raises(ToolError, match="did not finish within 2 s"):
        await ask(tool, LONG)
    assert time.monotonic() - started < 3
    assert await ask(tool, "17*23") == "391"


async def test_runaway_in_c_code_is_stopped_too(tool: MathTool) -> None:
    await ask(tool, "1+1")
    with pytest.raises(ToolError):
        await ask(tool, LONG_IN_C)
    assert await ask(tool, "17*23") == "391"


async def test_other_calls_and_the_event_loop_go_on_beside_a_runaway(tool: MathTool) -> None:
    await asyncio.gather(ask(tool, "1+1"), ask(tool, "1+1"))
    stuck = asyncio.create_task(ask(tool, LONG))
    await asyncio.sleep(0.05)
    for _ in range(20):
        started = time.monotonic()
        assert await ask(tool, "6*7") == "42"
        assert time.monotonic() - started < 1
    with pytest.raises(ToolError):
        await stuck


async def test_calls_beyond_the_workers_wait_and_are_told_when_none_gets_free(tool: MathTool) -> None:
    await asyncio.gather(ask(tool, "1+1"), ask(tool, "1+1"))
    calls = [ask(tool, LONG), ask(tool, LONG), ask(tool, LONG)]
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(error, ToolError) for error in errors)
    # Starting two new workers may take longer than the short limit of this tool allows the calls behind them.
    await asyncio.gather(ask(tool, "1+1"), ask(tool, "1+1"))
    assert await asyncio.gather(*(ask(tool, f"{n}+1") for n in range(9))) == [str(n + 1) for n in range(9)]


async def test_memory_blow_up_ends_in_a_clear_error() -> None:
    tool = MathTool(Settings(math_timeout=20, math_memory_mb=256))
    with pytest.raises(ToolError, match="memory"):
        await ask(tool, "divisors(100!)")
    assert await ask(tool, "17*23") == "391"
    await tool.aclose()


async def test_worker_killed_in_mid_call_gives_an_error_and_is_replaced(tool: MathTool) -> None:
    await ask(tool, "1+1")
    victim = tool.pool.idle_pids[0]
    stuck = asyncio.create_task(ask(tool, LONG))
    await asyncio.sleep(0.2)
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(ToolError, match="cut off"):
        await stuck
    assert await ask(tool, "17*23") == "391"
    assert tool.pool.idle_pids != (victim,)


async def test_worker_killed_while_idle_is_replaced_unnoticed(tool: MathTool) -> None:
    await ask(tool, "1+1")
    os.kill(tool.pool.idle_pids[0], signal.SIGKILL)
    await asyncio.sleep(0.05)
    assert await ask(tool, "17*23") == "391"


async def test_cancelling_a_call_ends_its_worker(tool: MathTool) -> None:
    await ask(tool, "1+1")
    victim = tool.pool.idle_pids[0]
    stuck = asyncio.create_task(ask(tool, LONG))
    await asyncio.sleep(0.2)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    await _gone(victim)
    assert await ask(tool, "17*23") == "391"


async def test_cancelling_during_the_start_leaves_no_process_behind() -> None:
    tool = MathTool(Settings())
    before = _children()
    for delay in (0, 0.01, 0.2):
        call = asyncio.create_task(ask(tool, "1+1"))
        await asyncio.sleep(delay)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    for pid in _children() - before:
        await _gone(pid)
    await tool.aclose()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("expression", ["1+1", LONG, LONG_IN_C])
async def test_death_of_the_parent_leaves_no_orphan(expression: str) -> None:
    program = (
        "import asyncio, os, sys\n"
        "from agentic_math.settings import Settings\n"
        "from agentic_math.tool import Arguments, MathTool\n"
        "async def go():\n"
        "    tool = MathTool(Settings(math_timeout=60))\n"
        "    await tool.run(Arguments(expression='1+1'), None)\n"
        "    print(tool.pool.idle_pids[0], flush=True)\n"
        f"    await tool.run(Arguments(expression={expression!r}), None)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(go())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    await asyncio.sleep(0.5)
    assert _runs(worker)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await _gone(worker)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_worker_is_given_no_secret_of_the_environment(tool: MathTool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden-hidden-hidden")
    await ask(tool, "1+1")
    assert b"hidden" not in _environment(tool.pool.idle_pids[0])


async def test_warm_arithmetic_starts_no_process(tool: MathTool) -> None:
    await ask(tool, "1+1")
    took = []
    for n in range(20):
        started = time.perf_counter()
        await ask(tool, f"{n}*23")
        took.append(time.perf_counter() - started)
    assert min(took) < 0.2


async def test_tool_can_be_closed_twice_and_used_again(tool: MathTool) -> None:
    await ask(tool, "1+1")
    await tool.aclose()
    await tool.aclose()
    assert await ask(tool, "2+2") == "4"


@pytest.mark.parametrize("values", [{"math_timeout": 0}, {"math_timeout": 61}, {"math_memory_mb": 10}])
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)  # type: ignore[arg-type]


def test_kernel_waits_as_long_as_the_tool_may_take() -> None:
    tool = MathTool(Settings(math_timeout=20))
    assert tool.traits.timeout_s == tool.pool.longest_s > 20


def test_arguments_are_one_string() -> None:
    assert list(json.loads(json.dumps(Arguments.model_json_schema()))["properties"]) == ["expression"]


def _children() -> set[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    return {int(pid) for pid in found.stdout.split()}


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def _gone(pid: int) -> None:
    for _ in range(60):
        if not _runs(pid):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")
