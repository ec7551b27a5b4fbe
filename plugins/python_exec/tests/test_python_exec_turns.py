"""Whose program runs next: a free place goes to who has the fewest running, then to whose turn is the longest ago."""

from __future__ import annotations

import asyncio

import pytest

from agentic_python_exec.turns import Turns


class Day:
    """Programs of users that run until they are told to end; ``began`` are those that got a place, in their order."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.began: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, *programs: str) -> None:
        """``ann1`` is a program of ann's."""
        for program in programs:
            self._ends[program] = asyncio.Event()
            self._tasks[program] = asyncio.create_task(self._run(program))
        await self._settle()

    async def end(self, program: str) -> None:
        self._ends[program].set()
        await self._settle()

    async def cancel(self, *programs: str) -> None:
        for program in programs:
            self._tasks[program].cancel()
        await self._settle()

    async def _run(self, program: str) -> None:
        async with self.turns.place(program[:3]):
            self.began.append(program)
            await self._ends[program].wait()

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_free_place_goes_to_who_has_the_fewest_running() -> None:
    day = Day(2)
    await day.ask("ann1", "ann2", "ann3", "ann4", "bob1", "bob2", "eve1")
    assert day.began == ["ann1", "ann2"], "nobody waits where there is room"
    await day.end("ann1")
    assert day.began[2:] == ["bob1"]
    await day.end("ann2")
    assert day.began[3:] == ["eve1"]
    await day.end("eve1")
    await day.end("bob1")
    assert day.began[4:] == ["ann3", "bob2"]
    await day.end("bob2")
    assert day.began[6:] == ["ann4"]


async def test_who_gives_up_waiting_or_running_leaves_the_place_to_others() -> None:
    day = Day(1)
    await day.ask("ann1", "ann2", "bob1", "bob2")
    await day.cancel("bob1")
    await day.cancel("ann1")
    assert day.began == ["ann1", "bob2"]
    await day.end("bob2")
    await day.cancel("ann2")
    assert not day.turns._last
    assert day.began == ["ann1", "bob2", "ann2"]


async def test_only_place_goes_round_among_users() -> None:
    day = Day(1)
    await day.ask("ann1", "ann2", "ann3", "bob1", "bob2", "eve1")
    for _ in range(6):
        await day.end(day.began[-1])
    assert day.began == ["ann1", "bob1", "eve1", "ann2", "bob2", "ann3"]


@pytest.mark.parametrize("first", ["running", "waiting"])
async def test_place_given_in_the_moment_of_giving_up_is_not_lost(first: str) -> None:
    day = Day(1)
    await day.ask("ann1", "bob1", "eve1")
    await day.cancel(*(("ann1", "bob1") if first == "running" else ("bob1", "ann1")))
    assert day.began == ["ann1", "eve1"]
    await day.end("eve1")
    await day.ask("bob2")
    assert day.began[-1] == "bob2"
    assert not day.turns._waiting and list(day.turns._running) == list(day.turns._last) == ["bob"]
