"""Steps as a graph: each begins as soon as it can, tools that run alone do, and nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from agentic_plan_execute.execution import execute
from agentic_plan_execute.state import Step


def step(name: str, *needs: str, tool: str = "work") -> Step:
    return Step(id=name, tool=tool, input={}, needs=list(needs))


class Work:
    """Keeps what began and ended, and how many ran at most beside each other."""

    def __init__(self, *failing: str) -> None:
        self.log: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self.most = 0
        self._failing = failing
        self._now = 0

    async def run(self, one: Step) -> bool:
        self._now += 1
        self.most = max(self.most, self._now)
        self.log.append(f"+{one['id']}")
        try:
            await asyncio.sleep(0.01)
        finally:
            self._now -= 1
            self.log.append(f"-{one['id']}")
        if one["id"] == "raises":
            raise ValueError("broken")
        return one["id"] not in self._failing

    def skip(self, one: Step, need: str) -> None:
        self.left_out.append((one["id"], need))


async def test_step_waits_for_all_that_it_needs() -> None:
    work = Work()
    await execute([step("c", "a", "b"), step("a"), step("b", "a"), step("d", "known")], work.run, work.skip)
    assert work.log == ["+a", "+d", "-a", "-d", "+b", "-b", "+c", "-c"]


async def test_what_needs_a_failed_step_is_left_out_and_the_rest_runs() -> None:
    work = Work("a")
    await execute([step("a"), step("b", "a"), step("c", "b"), step("d")], work.run, work.skip)
    assert work.left_out == [("b", "a"), ("c", "b")]
    assert sorted(work.log) == ["+a", "+d", "-a", "-d"]


async def test_tool_that_runs_alone_does() -> None:
    work = Work()
    steps = [step("a", tool="alone"), step("b"), step("c", tool="alone"), step("d", "a")]
    await execute(steps, work.run, work.skip, alone=frozenset({"alone"}))
    assert (work.most, len(work.log)) == (1, 8)


async def test_step_that_raises_stops_the_others() -> None:
    work = Work()
    with pytest.raises(ValueError, match="broken"):
        await execute([step("raises"), step("a"), step("b", "a")], work.run, work.skip)
    assert [entry for entry in work.log if entry.startswith("+")] == ["+raises", "+a"]
    assert len(asyncio.all_tasks()) == 1


async def test_no_steps_are_done_at_once() -> None:
    await execute([], Work().run, Work().skip)
