"""Compare plan_execute with react and print a table: ``uv run python -m bench.agents [--rounds N]``.

The model answers at once, the tools take half a second each, so that what is left is the agents' own. The agents are
the installed ones, found as the server finds them; each run is one in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agentic import Agent, ToolCall
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.testing.runs import FakeRun, calls
from agentic.testing.scripted_model import Scripted

TOOL_S = 0.5
PASSED = '{"missing": "", "passed": true}'
LACKING = '{"missing": "the year", "passed": false}'


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: its wall time in seconds, and its calls."""

    wall_s: float
    model_calls: int
    tool_calls: int


def main() -> None:
    """Measure in turn, print the medians over the rounds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    asyncio.run(_compare(options.parse_args().rounds))


async def _compare(rounds: int) -> None:
    agents = load(read_settings()).agents()
    planner, stepper = agents["plan_execute"], agents["react"]
    # The first run imports LangGraph.
    began = time.perf_counter()
    await _run(planner, _planned(1), _nothing)
    first = time.perf_counter() - began
    four = [await _run(planner, _planned(4), _nap) for _ in range(rounds)]
    steps = [await _run(stepper, _stepped(4), _nap) for _ in range(rounds)]
    two = [await _run(planner, _planned(2), _nap) for _ in range(rounds)]
    print("| four independent tools of 0.5 s | model calls | tool calls | wall s |\n|---|---|---|---|")
    for name, found in (("plan_execute", four), ("react, one tool a step", steps)):
        wall = statistics.median(one.wall_s for one in found)
        print(f"| {name} | {found[0].model_calls} | {found[0].tool_calls} | {wall:.2f} |")
    ratio = statistics.median(one.wall_s for one in two) / TOOL_S
    print(f"\ntwo parallel tools take {ratio:.2f} of the longest")
    print(f"plan_execute adds {await _added_ms(planner, 1, rounds):.1f} ms to a run of one round, ", end="")
    print(f"{await _added_ms(planner, 3, rounds) / 3:.1f} ms a round to one of three")
    print(f"its first run of a process takes {first:.2f} s longer")


async def _added_ms(planner: Agent, checks: int, rounds: int) -> float:
    """Milliseconds a run takes whose model and tools take none; the median, as of many runs."""
    replies = _planned(4, checks)
    found = [await _run(planner, replies, _nothing) for _ in range(rounds * 10)]
    return statistics.median(one.wall_s for one in found) * 1000


async def _run(agent: Agent, replies: Sequence[Scripted], tool: Callable[[ToolCall], Awaitable[str]]) -> Measured:
    run = FakeRun("Four things at once", replies=replies, tools={"look": tool})
    began = time.perf_counter()
    await run.answer(agent, timeout_s=120)
    return Measured(time.perf_counter() - began, run.budget.model_calls, run.budget.tool_calls)


def _planned(tools: int, rounds: int = 1) -> list[Scripted]:
    replies: list[Scripted] = []
    for number in range(rounds):
        steps = [{"id": f"r{number}s{n}", "tool": "look", "input": {"n": n}, "needs": []} for n in range(tools)]
        last = number == rounds - 1
        replies += [json.dumps({"thought": "", "steps": steps}), "The answer.", PASSED if last else LACKING]
    return replies


def _stepped(tools: int) -> list[Scripted]:
    return [*(calls(ToolCall(f"c{n}", "look", {"n": n})) for n in range(tools)), "The answer."]


async def _nap(call: ToolCall) -> str:
    await asyncio.sleep(TOOL_S)
    return f"found {call.arguments['n']}"


async def _nothing(call: ToolCall) -> str:
    return f"found {call.arguments['n']}"


if __name__ == "__main__":
    main()
